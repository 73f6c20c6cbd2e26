# SPDX-License-Identifier: Apache-2.0
"""What doctor begins before anything else, since it runs in children: libraries, device nodes.

Light to import, so that the children work while the rest of doctor is still being loaded.
"""

from typing import Self

from vkzircon_cli.doctor.manifest_check import ManifestTrial, driver_manifests, layer_manifests
from vkzircon_cli.doctor.nodes import NodeTrial
from vkzircon_cli.doctor.surroundings import surroundings
from vkzircon_cli.model.host import FUCHSIA
from vkzircon_cli.model.request import Request


class Trials:
    """All that is tried beside the probe of *request*."""

    def __init__(self, request: Request) -> None:
        self.are_over = False
        timeout_s = request.timeout_s
        self.where = surroundings(timeout_s, request.environ)
        self.manifests = ManifestTrial(self.where, [driver_manifests, layer_manifests])
        self.nodes = None if self.where.platform == FUCHSIA else NodeTrial(timeout_s)

    def give_up(self) -> None:
        """Wait for nothing more: what has no answer yet was not tried."""
        self.are_over = True
        self.manifests.give_up()
        if self.nodes is not None:
            self.nodes.give_up()

    def __enter__(self) -> Self:
        """Have the trials ended with the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the children that still run."""
        for trial in (self.manifests, self.nodes):
            if trial is not None:
                trial.close()
