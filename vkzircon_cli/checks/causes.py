# SPDX-License-Identifier: Apache-2.0
"""Usual causes that several checks share; a cause of one check stands at that check."""

HIDDEN_COMMAND = (
    "A layer hides the command: the Khronos validation layer did so on Linux, where it does not know the extension."
)
DEDICATED = "goldfish (gfxstream): export needs a dedicated image or buffer, which is not reported for every usage."
UNKNOWN_TO_HOST = "goldfish (gfxstream): its host does not know the VMO; VMOs of zx_vmo_create never import."
NOT_SHARED = (
    "The memory is not HOST_COHERENT, and the driver ignores a flush or an invalidation.",
    "goldfish (gfxstream): the memory may lie in sysmem's external heap, whose VMOs the processor must not touch.",
)
