# SPDX-License-Identifier: Apache-2.0
"""What a machine offers, read out of facts: which device is meant, which extension is there, what it rests on.

The probe and the checks ask the same questions of the same facts, so these live beside neither.
"""

import os
from collections.abc import Iterable, Sequence

from vkzircon_cli.model.base import BadValue
from vkzircon_cli.model.facts import Device, Extension, Identity, Instance, MemoryType
from vkzircon_cli.model.spec import DEVICE_COHERENT_AMD, EXTENSION, HOST_COHERENT, HOST_VISIBLE, PROTECTED
from vkzircon_cli.model.text import visible

_API_1_1 = 1 << 22 | 1 << 12
UNNAMED = "(no name)"
CAPABILITIES_EXTENSION = "VK_KHR_external_memory_capabilities"
_SHORTEST_UUID = 4  # digits of a prefix; less than that is more likely a part of a name


def display_name(identity: Identity) -> str:
    """Return a name that can stand on a page: visible characters, never empty."""
    return visible(identity.name).strip() or UNNAMED


def select_devices(identities: Sequence[Identity | None], selector: str | None) -> frozenset[int]:
    """Choose devices: all digits are an index, anything else a UUID's prefix or a part of the name.

    Raises:
        BadValue: no device, or more than one, answers to *selector*; the hint lists the candidates.
    """
    if selector is None:
        return frozenset(range(len(identities)))
    if selector.isascii() and selector.isdigit():
        matches = [int(selector)] if int(selector) < len(identities) else []
    else:
        matches = [index for index, identity in enumerate(identities) if identity and _answers(identity, selector)]
    if len(matches) == 1:
        return frozenset(matches)
    shown = visible(os.fsencode(selector).decode("utf-8", "backslashreplace"))
    problem = f'No device matches "{shown}".' if not matches else f'"{shown}" matches {len(matches)} devices.'
    wanted = matches or range(len(identities))
    raise BadValue(
        problem, "Choose one of: " + "; ".join(_candidate(index, identities[index]) for index in wanted) + "."
    )


def _answers(identity: Identity, selector: str) -> bool:
    wanted = selector.casefold()
    if not wanted.strip():
        return False
    uuid = identity.uuids.value.device_uuid if identity.uuids.value else ""
    compact = wanted.replace("-", "")
    is_uuid = len(compact) >= _SHORTEST_UUID and uuid.replace("-", "").startswith(compact)
    return is_uuid or wanted in display_name(identity).casefold()


def _candidate(index: int, identity: Identity | None) -> str:
    if identity is None:
        return str(index)
    uuid = f", {identity.uuids.value.device_uuid}" if identity.uuids.value else ""
    return f"{index} ({display_name(identity)}{uuid})"


def find_extension(extensions: Iterable[Extension], name: str = EXTENSION) -> Extension | None:
    """Find an extension by its exact name."""
    return next((extension for extension in extensions if extension.name == name), None)


def offers_extension(device: Device) -> bool:
    """Whether *device* lists VK_FUCHSIA_external_memory."""
    return device.extensions.value is not None and find_extension(device.extensions.value) is not None


def has_vulkan_1_1(identity: Identity) -> bool:
    """Whether the device supports Vulkan 1.1, of variant 0 or not."""
    return identity.api_version.value & 0x1FFFFFFF >= _API_1_1


def dependency_leg(instance: Instance, identity: Identity, extensions: Iterable[Extension]) -> str | None:
    """Name the leg that VK_FUCHSIA_external_memory stands on, None where it has none (vk.xml, `depends`)."""
    if has_vulkan_1_1(identity) and instance.api_version.value >= _API_1_1:
        return "Vulkan 1.1"
    capabilities, memory = CAPABILITIES_EXTENSION, "VK_KHR_external_memory"
    if capabilities in instance.enabled_extensions and find_extension(extensions, memory):
        return f"{capabilities} and {memory}"
    return None


def cannot_export(memory_type: MemoryType) -> str | None:
    """Return why a memory type is not asked to export, None if it is.

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
