# SPDX-License-Identifier: Apache-2.0
"""Queries on facts: which device a selector means, which extensions are listed, what the extension depends on.

The probe, the doctor, the checks and the comparison of reports all use these functions.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar

from vkzircon_cli.model.base import BadValue, MissingKind
from vkzircon_cli.model.facts import Device, Extension, Identity, Instance, MemoryType
from vkzircon_cli.model.spec import DEVICE_COHERENT_AMD, EXTENSION, HOST_COHERENT, HOST_VISIBLE, PROTECTED
from vkzircon_cli.model.text import visible
from vkzircon_cli.model.vmo import Export

if TYPE_CHECKING:
    from vkzircon_cli.model.bench import BenchDevice
    from vkzircon_cli.model.matrix import MatrixDevice

    AnyDevice = Device | BenchDevice | MatrixDevice

_API_1_1 = 1 << 22 | 1 << 12
UNNAMED = "(no name)"
HOST_MEMORY = "VK_EXT_external_memory_host"  # what the emulation is made of
CAPABILITIES_EXTENSION = "VK_KHR_external_memory_capabilities"
_SHORTEST_UUID = 4  # digits of a prefix; a shorter one is more likely a part of a name
_OF_NVIDIA = "gpu-"  # before a UUID in nvidia-smi's list


class _OfDevice(Protocol):
    @property
    def device(self) -> int | None: ...


T = TypeVar("T", bound=_OfDevice)


def by_device(items: Iterable[T]) -> dict[int | None, list[T]]:
    """Group *items* by their device, in order: a trace may have thousands of devices."""
    found: dict[int | None, list[T]] = {}
    for item in items:
        found.setdefault(item.device, []).append(item)
    return found


def display_name(identity: Identity | None) -> str:
    """Return a name that is safe to print: visible characters, never empty, even if a device has no identity."""
    return (visible(identity.name).strip() if identity else "") or UNNAMED


def device_name(device: "AnyDevice") -> str:
    """Return the name of *device* that is safe to print, as `display_name` does."""
    return display_name(device.identity.value)


def select_devices(identities: Sequence[Identity | None], selector: str | None) -> frozenset[int]:
    """Choose devices by index, else by a prefix of the UUID or a part of the name.

    Raises `BadValue` if no device, or more than one, matches *selector*, and the hint lists the candidates.
    """
    if selector is None:
        return frozenset(range(len(identities)))
    digits = selector.lstrip("0") or selector[:1]
    matches = [index for index in range(len(identities)) if digits == str(index)]
    if not matches:
        matches = [index for index, identity in enumerate(identities) if identity and _answers(identity, selector)]
    if len(matches) == 1:
        return frozenset(matches)
    shown = visible(selector)
    problem = f'No device matches "{shown}".' if not matches else f'"{shown}" matches {len(matches)} devices.'
    wanted = matches or range(len(identities))
    raise BadValue(
        problem, "Choose one of: " + "; ".join(_candidate(index, identities[index]) for index in wanted) + "."
    )


def _answers(identity: Identity, selector: str) -> bool:
    wanted = selector.casefold()
    if not wanted.strip():
        return False
    compact = wanted.removeprefix(_OF_NVIDIA).replace("-", "")
    uuid = (known_uuid(identity) or "").replace("-", "")
    is_uuid = len(compact) >= _SHORTEST_UUID and uuid.startswith(compact)
    return is_uuid or wanted in display_name(identity).casefold()


def _candidate(index: int, identity: Identity | None) -> str:
    if identity is None:
        return str(index)
    uuid = known_uuid(identity)
    return f"{index} ({display_name(identity)}{f', {uuid}' if uuid else ''})"


def known_uuid(identity: Identity) -> str | None:
    """Return the device's UUID, None if it is zero: some drivers do not fill it in, for any of their devices."""
    uuid = identity.uuids.value.device_uuid if identity.uuids.value else ""
    return uuid if uuid.strip("0-") else None


def _ids(identity: Identity) -> object:
    driver = identity.driver.value.id.value if identity.driver.value else None
    return (identity.vendor_id, identity.device_id, driver) if identity.vendor_id else None


def _ids_and_name(identity: Identity) -> object:
    return (_ids(identity), identity.name) if identity.vendor_id else None


def _name(identity: Identity) -> object:
    return identity.name or None


UUID, IDS, NAME, INDEX = "UUID", "ids", "name", "index"
_KEYS: tuple[tuple[str, Callable[[Identity], object]], ...] = (
    (UUID, known_uuid),
    (IDS, _ids_and_name),
    (IDS, _ids),
    (NAME, _name),
)


def match_devices(
    before: Mapping[int, Identity | None], after: Mapping[int, Identity | None]
) -> dict[int, tuple[int, str]]:
    """Return for each index of *before* the index of the same device in *after*, and the key that matched.

    Devices are matched by UUID first, then by the ids of vendor, device and driver (an update of the driver can change
    UUID and name), if possible with the same name, then by name alone, then by index. Of several equal devices the one
    at the same index is preferred.
    """
    found: dict[int, tuple[int, str]] = {}
    left = dict(after)
    for matched_by, key in _KEYS:
        waiting: dict[object, dict[int, None]] = {}
        for index, identity in left.items():
            if identity is not None and (same := key(identity)) is not None:
                waiting.setdefault(same, {})[index] = None
        for index, identity in before.items():
            equal = waiting.get(key(identity)) if identity is not None and index not in found else None
            if equal:
                match = index if index in equal else next(iter(equal))
                del equal[match], left[match]
                found[index] = match, matched_by
    return found | {index: (index, INDEX) for index in before if index not in found and index in left}


def find_again(
    wanted: Identity | None, index: int, among: Mapping[int, Identity | None], *, by_index: bool = True
) -> int | None:
    """Return the index in *among* of the device *wanted*, which was at *index* before; None if it is not there.

    The rule is that of `match_devices`; without *by_index*, an equal index alone is no match.
    """
    match, matched_by = match_devices({index: wanted}, among).get(index, (None, INDEX))
    return match if by_index or matched_by != INDEX else None


def find_extension(extensions: Iterable[Extension], name: str = EXTENSION) -> Extension | None:
    """Find an extension by its exact name."""
    return next((extension for extension in extensions if extension.name == name), None)


def offers_extension(device: "Device | BenchDevice") -> bool:
    """Whether *device* lists VK_FUCHSIA_external_memory; False if it was not asked."""
    return device.extensions.value is not None and find_extension(device.extensions.value) is not None


def best_export(device: Device, memory_type: int) -> Export | None:
    """Return a memory type's first form that exported, else the first that was tried, else the first of all."""
    rows = [row for row in device.exports if row.memory_type == memory_type]
    asked = [row for row in rows if row.handle.missing and row.handle.missing.kind is not MissingKind.NOT_ASKED]
    return next(iter((*(row for row in rows if row.handle.value), *asked, *rows)), None)


def hidden_commands(device: Device) -> tuple[str, ...]:
    """Return the extension's commands that are NULL though it is enabled."""
    entries = device.opened.value.entry_points if device.opened.value is not None else ()
    return tuple(entry.name for entry in entries if not entry.resolved)


def has_vulkan_1_1(identity: Identity) -> bool:
    """Whether the device has Vulkan 1.1, of any variant."""
    return identity.api_version.value & 0x1FFFFFFF >= _API_1_1


def dependency_leg(instance: Instance, identity: Identity, extensions: Iterable[Extension]) -> str | None:
    """Return the dependency of VK_FUCHSIA_external_memory that the device meets, None if none (vk.xml, `depends`)."""
    if has_vulkan_1_1(identity) and instance.api_version.value >= _API_1_1:
        return "Vulkan 1.1"
    capabilities, memory = CAPABILITIES_EXTENSION, "VK_KHR_external_memory"
    if capabilities in instance.enabled_extensions and find_extension(extensions, memory):
        return f"{capabilities} and {memory}"
    return None


def cannot_export(memory_type: MemoryType) -> str | None:
    """Return why export is not tried from a memory type, None if it is tried.

    Protected memory cannot be shared with the host, and DEVICE_COHERENT_AMD needs a feature that is not enabled here
    (VUID-vkAllocateMemory-deviceCoherentMemory-02790).
    """
    if memory_type.flags.value & PROTECTED:
        return "PROTECTED memory"
    if memory_type.flags.value & DEVICE_COHERENT_AMD:
        return "DEVICE_COHERENT_AMD needs a feature that is not enabled"
    return None


def is_host_coherent(memory_type: MemoryType) -> bool:
    """Whether the host and the device see each other's writes without flush and invalidate."""
    return bool(memory_type.flags.value & HOST_COHERENT)


def is_host_visible(memory_type: MemoryType) -> bool:
    """Whether the host can map memory of this type."""
    return bool(memory_type.flags.value & HOST_VISIBLE)
