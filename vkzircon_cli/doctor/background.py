# SPDX-License-Identifier: Apache-2.0
"""What doctor begins before anything else, since it runs in children: libraries, device nodes.

Light to import, so that the children work while the rest of doctor is still being loaded.
"""

import os
from collections.abc import Mapping
from typing import Self

from vkzircon_cli.doctor.manifest_check import ManifestTrial, driver_manifests, layer_manifests
from vkzircon_cli.doctor.nodes import NodeTrial
from vkzircon_cli.doctor.surroundings import surroundings
from vkzircon_cli.emulation import installation
from vkzircon_cli.errors import CannotAsk
from vkzircon_cli.model.host import FUCHSIA, can_fork
from vkzircon_cli.model.request import Request
from vkzircon_cli.worker import worker


class Trials:
    """All that is tried beside the probe of *request*; *added* is what that is given besides our environment."""

    def __init__(self, request: Request) -> None:
        if can_fork():
            worker.start_first()
        self.request = request
        self.are_over = False
        self.added = _added(request)
        timeout_s = request.timeout_s
        self.where = surroundings(timeout_s, self.added)
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


def _added(request: Request) -> Mapping[str, str]:
    try:
        return installation.variables(os.environ, request.emulate) if request.emulate else {}
    except CannotAsk:
        return {}  # the probe says so
