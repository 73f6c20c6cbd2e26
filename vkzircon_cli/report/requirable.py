# SPDX-License-Identifier: Apache-2.0
"""The facts that `check --require` can compare, each under its public name: what it means and how it is read."""

from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from functools import reduce

from vkzircon_cli.model.base import record
from vkzircon_cli.model.facts import Device, Facts, Identity, Memory
from vkzircon_cli.model.host import FUCHSIA, LINUX
from vkzircon_cli.model.queries import display_name, find_extension
from vkzircon_cli.model.spec import DEVICE_TYPES, RIGHT_BITS
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
    """Where facts are looked up: what was seen of the machine and of one device."""

    facts: Facts
    device: Device
    platform: str
    emulated: bool


@record
class NamedFact:
    """A fact by its public *name*; *words* are all that it can be, where that is known. *read* gives None if unseen."""

    name: str
    kind: Kind
    meaning: str
    read: Callable[[Seen], Value | None]
    words: tuple[str, ...] = ()


def _identity(read: Callable[[Identity], Value | None]) -> Callable[[Seen], Value | None]:
    return lambda seen: read(seen.device.identity.value) if seen.device.identity.value else None


def _memory(read: Callable[[Memory], Value | None]) -> Callable[[Seen], Value | None]:
    return lambda seen: read(seen.device.memory.value) if seen.device.memory.value else None


def _version(value: int) -> tuple[int, ...]:
    """Unpack VK_MAKE_API_VERSION without its variant."""
    return value >> 22 & 0x7F, value >> 12 & 0x3FF, value & 0xFFF


def _revision(seen: Seen) -> Value | None:
    found = find_extension(seen.device.extensions.value or ())
    return found.revision if found else None


def _exported(seen: Seen) -> Value | None:
    return len({row.memory_type for row in seen.device.exports if row.handle.value}) if seen.device.exports else None


def _imported(seen: Seen) -> Value | None:
    rows = [row for row in seen.device.imports if row.kind is ImportKind.SAME_DEVICE]
    return len({row.memory_type for row in rows if row.imported.value}) if rows else None


def _rights(seen: Seen) -> Value | None:
    """Give the rights that every exported VMO has."""
    found = [frozenset(rights) for rights in _all_rights(seen)]
    return reduce(frozenset.intersection, found) if found else None


def _all_rights(seen: Seen) -> Iterator[tuple[str, ...]]:
    for row in seen.device.exports:
        if row.handle.value and row.handle.value.basic.value:
            yield row.handle.value.basic.value.rights.names


def _largest(seen: Seen) -> Value | None:
    return seen.device.identity.value.max_memory_allocation_size.value if seen.device.identity.value else None


def _driver(identity: Identity) -> Value | None:
    return identity.driver.value.name if identity.driver.value else None


def _emulated(seen: Seen) -> Value:
    return "yes" if seen.emulated else "no"


def _loader(seen: Seen) -> Value | None:
    return _version(seen.facts.loader.value.api_version.value) if seen.facts.loader.value else None


_W, _N, _V, _F = Kind.WORD, Kind.NUMBER, Kind.VERSION, Kind.FLAGS
_ALL = (
    NamedFact("platform", _W, "what the platform is taken for", lambda seen: seen.platform, (FUCHSIA, LINUX)),
    NamedFact("emulated", _W, "whether the extension is our own emulation", _emulated, ("yes", "no")),
    NamedFact("loader.version", _V, "the Vulkan version of the loader", _loader),
    NamedFact(
        "device.type", _W, "VkPhysicalDeviceType", _identity(lambda who: who.type.name), tuple(DEVICE_TYPES.values())
    ),
    NamedFact("device.name", _W, "the device's name, whole", _identity(display_name)),
    NamedFact("device.vendor", _N, "vendorID", _identity(lambda who: who.vendor_id)),
    NamedFact("device.id", _N, "deviceID", _identity(lambda who: who.device_id)),
    NamedFact(
        "device.version", _V, "the Vulkan version of the device", _identity(lambda w: _version(w.api_version.value))
    ),
    NamedFact("driver.name", _W, "driverName", _identity(_driver)),
    NamedFact("extension.revision", _N, "the listed revision of VK_FUCHSIA_external_memory", _revision),
    NamedFact("memory.types", _N, "how many memory types there are", _memory(lambda memory: len(memory.types))),
    NamedFact(
        "memory.largest-heap",
        _N,
        "bytes of the largest heap",
        _memory(lambda m: max((h.size for h in m.heaps), default=0)),
    ),
    NamedFact("memory.largest-allocation", _N, "maxMemoryAllocationSize, in bytes", _largest),
    NamedFact("memory.exportable-types", _N, "how many memory types a VMO was exported from", _exported),
    NamedFact("memory.importable-types", _N, "how many of their VMOs the same device imported", _imported),
    NamedFact("vmo.rights", _F, "the rights that every exported VMO has", _rights, RIGHT_BITS),
)
FACTS: Mapping[str, NamedFact] = {fact.name: fact for fact in _ALL}
