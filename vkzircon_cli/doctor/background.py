# SPDX-License-Identifier: Apache-2.0
"""Starts the tasks of doctor: loading libraries and opening device nodes.

Imports little, so that the tasks run while the rest of doctor is imported.
"""

from typing import Self

from vkzircon_cli.doctor.access import NodeTrial
from vkzircon_cli.doctor.manifest_check import ManifestTrial
from vkzircon_cli.doctor.search import surroundings
from vkzircon_cli.model.host import FUCHSIA
from vkzircon_cli.model.request import Request


class Trials:
    """The tasks that run beside the probe of *request*, up to the end of the block."""

    def __init__(self, request: Request) -> None:
        self.are_over = False
        self.where = surroundings(request.timeout_s, request.environ)
        self.manifests = ManifestTrial(self.where)
        self.nodes = None if self.where.platform == FUCHSIA else NodeTrial(request.timeout_s)

    def give_up(self) -> None:
        """Stop waiting for answers; nodes and libraries without one count as not tried."""
        self.are_over = True
        self.manifests.close()
        if self.nodes is not None:
            self.nodes.give_up()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.manifests.close()
        if self.nodes is not None:
            self.nodes.close()
