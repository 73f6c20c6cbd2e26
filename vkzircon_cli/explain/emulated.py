# SPDX-License-Identifier: Apache-2.0
"""The emulation's personas and faults, as its libzircon lists them; none where it is not installed."""

from collections.abc import Iterator, Mapping

from vkzircon_cli.errors import CannotAsk
from vkzircon_cli.explain.entry import Explanation, Group

# What the driver itself does, as its sources show; not seen on a device.
_QUIRKS: Mapping[str, tuple[str, ...]] = {
    "swiftshader": (
        "It adds 15 bytes to each allocation, so that a VMO is often one page larger, and to each import's map.",
        "A failed import closes the handle, a size is never compared, and the properties of garbage name all types.",
    ),
    "goldfish": (
        "Export needs a dedicated image or buffer; only VMOs that its host knows import, and a bad handle aborts.",
        "A failed duplication is ignored: VK_SUCCESS may come with handle 0.",
    ),
    "magma": (
        "Properties are answered by importing a duplicate; a VMO that cannot be mapped has no memory type.",
        "Only an old fork was read: today's driver may differ.",
    ),
}


def explained_emulation() -> Iterator[Explanation]:
    """Explain every persona and fault."""
    try:
        from vkzircon_cli.bindings.faults import list_faults, list_personas
        from vkzircon_cli.emulation import installation

        lib = installation.open_libzircon({})
    except (CannotAsk, ImportError, OSError):
        return
    for entry in list_personas(lib):
        advice = f"Try it: vkzircon --emulate --persona {entry.name}"
        yield Explanation(entry.name, Group.PERSONA, entry.description, _QUIRKS.get(entry.name, ()), advice)
    for entry in list_faults(lib):
        advice = f"See what catches it: vkzircon check --emulate --fault {entry.name}"
        yield Explanation(entry.name, Group.FAULT, entry.description, (), advice)
