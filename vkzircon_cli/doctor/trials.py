# SPDX-License-Identifier: Apache-2.0
"""What doctor begins before anything else, since it runs in children: loader, libraries, device nodes.

Light to import, so that the children work while the rest of doctor is still being loaded.
"""

from collections.abc import Mapping
from typing import Self

from vkzircon_cli.doctor.exams import ManifestTrial, driver_manifests, layer_manifests
from vkzircon_cli.doctor.loader import LoaderTrial
from vkzircon_cli.doctor.nodes import NodeTrial
from vkzircon_cli.doctor.surroundings import surroundings
from vkzircon_cli.environment import FUCHSIA


class Trials:
    """All that is tried beside the probe; *added* is what the probe is given besides this process's environment."""

    def __init__(self, timeout_s: float, added: Mapping[str, str]) -> None:
        self.added = added
        self.where = surroundings(timeout_s, added)
        self.manifests = ManifestTrial(self.where, [driver_manifests, layer_manifests])
        self.loader = LoaderTrial(self.where)
        self.nodes = None if self.where.platform == FUCHSIA else NodeTrial(timeout_s)

    def __enter__(self) -> Self:
        """Have the trials ended with the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the children that still run."""
        for trial in (self.manifests, self.loader, self.nodes):
            if trial is not None:
                trial.close()
