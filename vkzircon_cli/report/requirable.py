# SPDX-License-Identifier: Apache-2.0
"""The facts that `check --require` can compare, each with its public name, its meaning and the way to read it."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import TypeVar

from vkzircon_cli.model.base import Answer, record
from vkzircon_cli.model.facts import Device, Facts, Identity, Memory
from vkzircon_cli.model.host import FUCHSIA, LINUX
from vkzircon_cli.model.queries import display_name, find_extension
from vkzircon_cli.model.spec import DEVICE_TYPES, RIGHT_BITS, Version
from vkzircon_cli.model.vmo import ImportKind


class Kind(StrEnum):
    """How a fact is compared."""

    WORD = "word"
    NUMBER = "number"
    VERSION = "version"
    FLAGS = "flags"


Value = str | int | tuple[int, ...] | frozenset[str]


@record
class Seen:
    """What facts are read from: what was seen of the machine and of one device."""

    facts: Facts
    device: Device
    platform: str
    emulated: bool


@record
class NamedFact:
    """A fact by its public *name*; *words* are its only values, if known. *read* returns None if unseen."""

    name: str
    kind: Kind
    meaning: str
    read: Callable[[Seen], Value | None]
    words: tuple[str, ...] = ()


T = TypeVar("T")


def _seen(answer: Answer[T], read: Callable[[T], Value | None]) -> Value | None:
    return read(answer.value) if answer.value is not None else None


def _identity(read: Callable[[Identity], Value | None]) -> Callable[[Seen], Value | None]:
    return lambda seen: _seen(seen.device.identity, read)


def _memory(read: Callable[[Memory], Value | None]) -> Callable[[Seen], Value | None]:
    return lambda seen: _seen(seen.device.memory, read)


def _version(of: Version) -> tuple[int, ...]:
    """Unpack VK_MAKE_API_VERSION without its variant."""
    return of.value >> 22 & 0x7F, of.value >> 12 & 0x3FF, of.value & 0xFFF


def _revision(seen: Seen) -> Value | None:
    found = find_extension(seen.device.extensions.value or ())
    return found.revision if found else None


def _exported(seen: Seen) -> Value | None:
    return len({row.memory_type for row in seen.device.exports if row.handle.value}) if seen.device.exports else None


def _imported(seen: Seen) -> Value | None:
    rows = [row for row in seen.device.imports if row.kind is ImportKind.SAME_DEVICE]
    return len({row.memory_type for row in rows if row.imported.value}) if rows else None


def _rights(seen: Seen) -> Value | None:
    """Return the rights that every exported VMO has."""
    handles = [row.handle.value for row in seen.device.exports if row.handle.value]
    found = [frozenset(handle.basic.value.rights.names) for handle in handles if handle.basic.value]
    return frozenset.intersection(*found) if found else None


_W, _N, _V, _F = Kind.WORD, Kind.NUMBER, Kind.VERSION, Kind.FLAGS
_TYPES = tuple(DEVICE_TYPES.values())
_ALL = (
    NamedFact("platform", _W, "what the platform is taken for", lambda seen: seen.platform, (FUCHSIA, LINUX)),
    NamedFact(
        "emulated",
        _W,
        "whether the extension is our own emulation",
        lambda seen: "yes" if seen.emulated else "no",
        ("yes", "no"),
    ),
    NamedFact(
        "loader.version",
        _V,
        "the Vulkan version of the loader",
        lambda seen: _seen(seen.facts.loader, lambda loader: _version(loader.api_version)),
    ),
    NamedFact("device.type", _W, "VkPhysicalDeviceType", _identity(lambda device: device.type.name), _TYPES),
    NamedFact("device.name", _W, "the device's name, whole", _identity(display_name)),
    NamedFact("device.vendor", _N, "vendorID", _identity(lambda device: device.vendor_id)),
    NamedFact("device.id", _N, "deviceID", _identity(lambda device: device.device_id)),
    NamedFact(
        "device.version",
        _V,
        "the Vulkan version of the device",
        _identity(lambda device: _version(device.api_version)),
    ),
    NamedFact(
        "driver.name",
        _W,
        "driverName",
        _identity(lambda device: _seen(device.driver, lambda driver: driver.name)),
    ),
    NamedFact("extension.revision", _N, "the listed revision of VK_FUCHSIA_external_memory", _revision),
    NamedFact("memory.types", _N, "how many memory types there are", _memory(lambda memory: len(memory.types))),
    NamedFact(
        "memory.largest-heap",
        _N,
        "bytes of the largest heap",
        _memory(lambda memory: max((heap.size for heap in memory.heaps), default=0)),
    ),
    NamedFact(
        "memory.largest-allocation",
        _N,
        "maxMemoryAllocationSize, in bytes",
        _identity(lambda device: device.max_memory_allocation_size.value),
    ),
    NamedFact("memory.exportable-types", _N, "how many memory types a VMO was exported from", _exported),
    NamedFact("memory.importable-types", _N, "how many of their VMOs the same device imported", _imported),
    NamedFact("vmo.rights", _F, "the rights that every exported VMO has", _rights, RIGHT_BITS),
)
FACTS: Mapping[str, NamedFact] = {fact.name: fact for fact in _ALL}
