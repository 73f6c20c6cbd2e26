# SPDX-License-Identifier: Apache-2.0
"""Every check: meaning, rule and advice are the registry's own; the usual causes stand here, where any are known."""

from collections.abc import Iterator, Mapping

from vkzircon_cli.checks import in_order
from vkzircon_cli.explain.entry import Explanation, Group

_HIDES = (
    "A layer hides the command: the Khronos validation layer was seen to do so on Linux, where it does not know the "
    "extension."
)
_EXTERNAL_HEAP = (
    "goldfish (gfxstream): the memory may lie in sysmem's external heap, whose VMOs the processor must not touch."
)
_NOT_COHERENT = "The memory is not HOST_COHERENT, and the driver ignores a flush or an invalidation."
_UNKNOWN_TO_HOST = "goldfish (gfxstream): its host does not know the VMO; VMOs of zx_vmo_create never import."
_DEDICATED = (
    "goldfish (gfxstream): export needs a dedicated image or buffer, which the driver does not report for every usage."
)

CAUSES: Mapping[str, tuple[str, ...]] = {
    "extension.listed": (
        "Linux, or a Linux container on Fuchsia (Starnix): no driver there has it.",
        "Another driver was loaded than the one meant: Fuchsia's loader takes lavapipe when no other driver loads.",
        "A driver from before 2021 has the extension under other names and numbers.",
    ),
    "extension.dependencies": ("A driver of Vulkan 1.0 without the two KHR extensions.",),
    "extension.entry-points": (_HIDES,),
    "device.hardware": (
        "Fuchsia falls back to lavapipe, older products to SwiftShader, when no other driver loads.",
        "The newest product configuration that was read has no magma driver on x64.",
        "Linux: the process may not open the nodes in /dev/dri.",
    ),
    "device.unique": ("A stale manifest beside a new one, or one folder that is searched twice.",),
    "capabilities.offered": ("goldfish (gfxstream) passes on what its host's driver says of its own handle types.",),
    "capabilities.agree-export": (_DEDICATED,),
    "capabilities.agree-import": (
        _UNKNOWN_TO_HOST,
        "SwiftShader maps 15 bytes more than it is asked for, and may so refuse a VMO that just suffices (inferred).",
    ),
    "export.memory-type": (_DEDICATED, "SwiftShader: the VMO could not be made, or the allocation is past 1 GiB."),
    "export.result-codes": (
        "SwiftShader gives VK_ERROR_INVALID_EXTERNAL_HANDLE for memory that is not for export.",
        "goldfish (gfxstream) gives VK_ERROR_INITIALIZATION_FAILED for it.",
    ),
    "export.handle-given": (
        "goldfish (gfxstream) does not look at what duplicating its handle came to, and then gives 0.",
    ),
    "export.rights": (
        "SwiftShader's VMOs have the kernel's default rights, which suffice; those of other drivers are not known.",
        "sysmem or the driver gives away duplicates with fewer rights (unverified).",
    ),
    "export.same-koid": (
        "sysmem gives out children of a VMO; whether a driver gives another child each time was not seen.",
    ),
    "export.fresh-zeros": ("The driver hands out memory again; a VMO from zx_vmo_create begins with zeros.",),
    "export.whole-pages": ("An emulated kernel, or a library that stands in for libzircon.",),
    "properties.succeeds": (
        _HIDES,
        "magma (an old fork of anv) duplicates and imports the VMO to answer, and refuses where that fails.",
    ),
    "properties.result-codes": (
        "goldfish (gfxstream) gives VK_ERROR_INITIALIZATION_FAILED for a handle type other than ZIRCON_VMO.",
    ),
    "properties.bits-set": (
        "magma (an old fork of anv): the handle lacks MAP, READ or WRITE.",
        "goldfish (gfxstream): its host does not know the VMO.",
    ),
    "properties.exporting-type": (
        "goldfish (gfxstream) names all DEVICE_LOCAL or all HOST_VISIBLE types, whatever the exporter used.",
    ),
    "import.result-codes": (
        "SwiftShader gives VK_ERROR_MEMORY_MAP_FAILED for every import that it cannot map.",
        "goldfish (gfxstream) has no code for a bad handle: it calls abort().",
    ),
    "import.same-device": (
        "SwiftShader maps 15 bytes more than it is asked for: import with the exporter's allocationSize.",
        _UNKNOWN_TO_HOST,
        "The handle lacks MAP, READ or WRITE.",
    ),
    "data.host-write": (_NOT_COHERENT, _EXTERNAL_HEAP),
    "data.gpu-fill": (_NOT_COHERENT, _EXTERNAL_HEAP),
}


def explained_checks() -> Iterator[Explanation]:
    """Explain every registered check, in the reader's order."""
    for check in in_order():
        causes = CAUSES.get(check.id, ())
        yield Explanation(check.id, Group.CHECK, check.meaning, causes, check.advice, rule=check.rule)
