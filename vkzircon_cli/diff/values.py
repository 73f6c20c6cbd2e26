# SPDX-License-Identifier: Apache-2.0
"""Words for facts: a value, a whole record in brief, and which part of a value varies from run to run."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

from vkzircon_cli.checks.registry import describe
from vkzircon_cli.model import facts, vmo
from vkzircon_cli.model.base import Answer, Missing, record
from vkzircon_cli.model.quantities import about, bits_of, counted, exactly, ranges
from vkzircon_cli.model.queries import display_name
from vkzircon_cli.model.spec import Flags, Named, Version, looks_like_handle
from vkzircon_cli.model.text import with_article

_SIZES = {
    "size",
    "size_bytes",
    "allocation_size",
    "asked",
    "largest",
    "max_memory_allocation_size",
    "page_size",
    "alignment",
    "non_coherent_atom_size",
}
_MASKS = {"memory_type_bits", "candidates", "duplicate_bits"}
_HEX = {"vendor_id", "device_id"}


@record
class Words:
    """A value in words: *same* is equal for values that count as the same, *members* are the parts of a set."""

    same: Hashable
    text: str
    members: tuple[str, ...] | None = None


def words_of(field: str, value: Any, owner: type | None = None) -> Words:
    """Return one value, from *field* of a record of type *owner*, in words."""
    if isinstance(value, Missing):
        return Words(value, describe(value))
    if (owner, field) in _ODD:
        return _ODD[owner, field](value)
    if type(value) in _SPECIAL:
        return _SPECIAL[type(value)](value)
    if isinstance(value, tuple):
        members = tuple(str(item) for item in value)
        return Words(frozenset(members), _set(members), members)
    return _scalar(field, value)


def _scalar(field: str, value: Any) -> Words:
    if value is None or isinstance(value, bool):
        return Words(value, {None: "none", True: "yes", False: "no"}[value])
    if isinstance(value, int):
        return Words(value, _number(field, value))
    return Words(str(value), str(value) or "none")


def _number(field: str, value: int) -> str:
    if field in _SIZES:
        return size(value)
    if field in _MASKS:
        return _mask(value)
    return f"{value:#06x}" if field in _HEX else str(value)


def size(value: int) -> str:
    """Format a size so that two different ones never look the same."""
    short, whole = about(value), exactly(value)
    return whole if short[-3:] == whole[-3:] else f"{short} ({value} bytes)"


def _mask(mask: int) -> str:
    return f"{mask:#x} ({_types(mask)})"


def _types(mask: int) -> str:
    bits = bits_of(mask)
    return f"memory type{'s' * (len(bits) != 1)} {ranges(bits)}" if bits else "no memory type"


def _set(names: tuple[str, ...]) -> str:
    return ", ".join(names) or "none"


def _flags(flags: Flags) -> Words:
    return Words(flags.value, _set(flags.names), flags.names)


def _version(version: Version) -> Words:
    return Words(version.value, version.text or f"{version.value:#x}")


def _comparison(seen: vmo.Comparison) -> Words:
    """Count the wrong bytes; their exact number varies from run to run, but not whether it is half of them or more."""
    if not seen.wrong:
        return Words((seen.count, 0), f"all of {counted(seen.count, 'byte')} right")
    at = "" if seen.first_wrong is None else f", the first at {seen.first_wrong}"
    amount = 2 if seen.wrong * 2 >= seen.count else 1
    return Words((seen.count, amount), f"{seen.wrong} of {counted(seen.count, 'byte')} wrong{at}")


def _released(seen: vmo.Released) -> Words:
    unsettled = "" if seen.settled else ", not settled"
    return Words(seen, f"{counted(seen.before, 'handle')} before, {seen.after} after{unsettled}")


def _stressed(seen: vmo.Stressed) -> Words:
    """Leave out resident memory and the number of handles at the start, which vary from run to run."""
    if seen.handles_before is None or seen.handles_after is None:
        return Words((seen.rounds, None), f"{counted(seen.rounds, 'round')}, open handles not counted")
    grown = seen.handles_after - seen.handles_before
    return Words((seen.rounds, grown), f"{counted(seen.rounds, 'round')}, {grown:+} open handles")


_SPECIAL: Mapping[type, Callable[[Any], Words]] = {
    Flags: _flags,
    Named: lambda named: Words(named.value, named.name),
    Version: _version,
    vmo.Comparison: _comparison,
    vmo.Released: _released,
    vmo.Stressed: _stressed,
}


def _handle_value(text: str) -> Words:
    try:
        value = int(text, 16)
    except ValueError:
        return Words(text, text)
    kind = "a handle" if looks_like_handle(value) else "a number that is not a handle" if value else "0"
    return Words(kind, kind)


def _parent(koid: str) -> Words:
    kind = "none" if koid == "0" else "another VMO"
    return Words(kind, kind)


_ODD: Mapping[tuple[type | None, str], Callable[[Any], Words]] = {
    (vmo.Handle, "value"): _handle_value,
    (vmo.VmoInfo, "parent_koid"): _parent,
}
# Koids are unique and committed pages vary from run to run; the last two repeat other facts.
LEFT_OUT: Mapping[type, frozenset[str]] = {
    vmo.HandleBasic: frozenset({"koid"}),
    vmo.VmoInfo: frozenset({"committed_bytes"}),
    vmo.HandleProperties: frozenset({"memory_types"}),
    facts.Instance: frozenset({"is_emulated"}),
}


def is_value(value: Any) -> bool:
    """Whether *value* is formatted as a whole, not field by field."""
    return is_value_type(type(value))


def is_value_type(shape: Any) -> bool:
    """Whether values of the type *shape* are formatted as a whole."""
    return shape in _SPECIAL or not is_dataclass(shape)


def brief(value: Any, field: str = "", owner: type | None = None) -> str:
    """Format briefly a value that only one report has."""
    if isinstance(value, Answer):
        return describe(value.missing) if value.missing else brief(value.value, field, owner)
    if type(value) in _BRIEF:
        return _BRIEF[type(value)](value)
    if is_value(value):
        return words_of(field, value, owner).text
    parts = [getattr(value, f.name) for f in fields(value) if not f.name.endswith("_hex")]
    answers = [part for part in parts if isinstance(part, Answer)]
    return ", ".join(brief(part) for part in answers or parts)


def brief_row(row: Any, rest: Sequence[str]) -> str:
    """Format a table's row briefly; *rest* are its fields besides the key."""
    if type(row) in _BRIEF or len(rest) != 1:
        return brief(row)
    return brief(getattr(row, rest[0]), rest[0], type(row))


def _handle(handle: vmo.Handle) -> str:
    kind = handle.basic.value.type.name.upper() if handle.basic.value else _handle_value(handle.value).text
    whole = f" of {size(handle.size.value)}" if handle.size.value is not None else ""
    return f"{with_article(kind) if handle.basic.value else kind}{whole}"


def _imported(seen: vmo.Imported) -> str:
    answers = (seen.kept, seen.shared)
    if wrong := [answer.value for answer in answers if answer.value and answer.value.wrong]:
        return f"imported, {_comparison(wrong[0]).text}"
    return "imported"


def _round_trip(trip: vmo.RoundTrip) -> str:
    places = (trip.through_export_map, trip.through_import_map, trip.through_vmo_read, trip.through_vmo_map)
    seen = [place.value for place in places if place.value]
    worst = max(seen, key=lambda comparison: comparison.wrong, default=None)
    return _comparison(worst).text if worst else "read on no side"


_BRIEF: Mapping[type, Callable[[Any], str]] = {
    vmo.Handle: _handle,
    vmo.HandleBasic: lambda basic: f"{basic.type.name}, {_set(basic.rights.names)}",
    vmo.VmoInfo: lambda info: f"{size(info.size_bytes)}, {_set(info.flags.names)}, {info.cache_policy.name}",
    vmo.Pair: lambda _: "two handles",
    vmo.HandleProperties: lambda found: _mask(found.memory_type_bits),
    vmo.Imported: _imported,
    vmo.RoundTrip: _round_trip,
    vmo.ImageTrip: lambda trip: _comparison(trip.seen).text,
    vmo.Refusal: lambda refusal: f"returned {refusal.result}",
    facts.ExternalMemoryProperties: lambda found: _set(found.features.names),
    facts.ExternalSemaphore: lambda found: _set(found.features.names),
    vmo.MemoryRequirements: lambda needed: f"{size(needed.size)} of {_types(needed.memory_type_bits)}",
    facts.Memory: lambda memory: f"{counted(len(memory.heaps), 'heap')}, {counted(len(memory.types), 'memory type')}",
    facts.Heap: lambda heap: f"{size(heap.size)}, {_set(heap.flags.names)}",
    facts.MemoryType: lambda kind: f"heap {kind.heap_index}, {_set(kind.flags.names)}",
    facts.Identity: display_name,
    facts.OpenDevice: lambda _: "yes",
    facts.QueueFamily: lambda family: f"{counted(family.count, 'queue')}, {_set(family.flags.names)}",
    facts.Extension: lambda extension: f"revision {extension.revision}",
    facts.Layer: lambda layer: layer.description or "found",
    facts.Loader: lambda loader: loader.library,
    facts.Kernel: lambda kernel: kernel.library,
    facts.Instance: lambda instance: f"made, Vulkan {instance.api_version.text}",
}
