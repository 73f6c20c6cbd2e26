# SPDX-License-Identifier: Apache-2.0
"""Which record the facts of a device make, by what was asked."""

from vkzircon_cli.model.facts import Device
from vkzircon_cli.model.request import Depth


def shape_of_device(depth: Depth) -> type:
    """Return the record whose fields are the facts of a device that is asked to *depth*."""
    # Imported here: the two take 3 ms, which a check need not pay for.
    if depth is Depth.MATRIX:
        from vkzircon_cli.model.matrix import MatrixDevice

        return MatrixDevice
    if depth is Depth.BENCH:
        from vkzircon_cli.model.bench import BenchDevice

        return BenchDevice
    return Device
