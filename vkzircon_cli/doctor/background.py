# SPDX-License-Identifier: Apache-2.0
"""Starts the tasks of doctor: loading libraries and opening device nodes.

Imports little, so that the tasks run while the rest of doctor is imported.
"""

from typing import Self

from vkzircon_cli.doctor.access import NodeTrial
from vkzircon_cli.doctor.manifest_check import ManifestTrial, driver_manifests, layer_manifests
from vkzircon_cli.doctor.search import surroundings
from vkzircon_cli.model.host import FUCHSIA
from vkzircon_cli.model.request import Request


class Trials:
    """The tasks that run beside the probe of *request*."""

    def __init__(self, request: Request) -> None:
        self.are_over = False
        timeout_s = request.timeout_s
        self.where = surroundings(timeout_s, request.environ)
        self.manifests = ManifestTrial(self.where, [driver_manifests, layer_manifests])
        self.nodes = None if self.where.platform == FUCHSIA else NodeTrial(timeout_s)

    def give_up(self) -> None:
        """Wait for no further answer; what has none counts as not tried."""
        self.are_over = True
        self.manifests.give_up()
        if self.nodes is not None:
            self.nodes.give_up()

    def __enter__(self) -> Self:
        """End the tasks with the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the tasks that still run."""
        for trial in (self.manifests, self.nodes):
            if trial is not None:
                trial.close()
