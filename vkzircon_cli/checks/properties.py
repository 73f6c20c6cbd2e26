# SPDX-License-Identifier: Apache-2.0
"""Does vkGetMemoryZirconHandlePropertiesFUCHSIA answer, and is the answer possible?"""

from collections.abc import Iterator
from functools import partial

from vkzircon_cli.checks.causes import HIDDEN_COMMAND
from vkzircon_cli.checks.registry import PRACTICE, Finding, Outcome, check
from vkzircon_cli.checks.rows import Judgement, Rows, each, holds, lists_results, parts, row_of_type
from vkzircon_cli.model.facts import Device, Facts
from vkzircon_cli.model.quantities import ranges
from vkzircon_cli.model.vmo import HandleProperties

_CALL = "vkGetMemoryZirconHandlePropertiesFUCHSIA"


def _asked(device: Device) -> Rows[HandleProperties]:
    return [row_of_type(device, row.memory_type, "properties", row.properties) for row in device.properties]


def _answered(device: Device) -> Rows[HandleProperties]:
    return [row for row in _asked(device) if row.answer.value is not None]


def _written(device: Device) -> Rows[HandleProperties]:
    return [row for row in _asked(device) if row.answer.value is not None and row.answer.value.written]


@check(
    "properties.succeeds",
    "VUID-vkGetMemoryZirconHandlePropertiesFUCHSIA-zirconHandle-04774; memory.adoc",
    causes=(
        HIDDEN_COMMAND,
        "magma (an old fork of anv) duplicates and imports the VMO to answer, and refuses where that fails.",
    ),
)
@each(_asked)
def succeeds(_: HandleProperties) -> Judgement:
    """The properties of an exported VMO can be asked.

    Without an answer a program may not import the VMO (VUID-VkMemoryAllocateInfo-None-04749).
    """
    return Outcome.PASS, f"{_CALL} answered"


check(
    "properties.result-codes",
    meaning="A refused call returns a result that is listed for it.",
    rule=f"memory.adoc, return codes of {_CALL}",
    advice="Programs switch on the listed codes; report the other one to the driver's vendor.",
    causes=("goldfish (gfxstream) returns VK_ERROR_INITIALIZATION_FAILED for a handle type other than ZIRCON_VMO.",),
)(lists_results(_asked))


@check("properties.written", "VUID-vkGetMemoryZirconHandlePropertiesFUCHSIA-pMemoryZirconHandleProperties-parameter")
@each(_answered)
def written(found: HandleProperties) -> Judgement:
    """VK_SUCCESS comes with an answer, in memoryTypeBits and nowhere else.

    The driver returns success without an answer, or overwrites sType or pNext.
    """
    if not found.written:
        return Outcome.FAIL, "VK_SUCCESS, and memoryTypeBits was not written"
    if not found.header_kept:
        return Outcome.FAIL, "sType or pNext was changed"
    return Outcome.PASS, "memoryTypeBits was written"


@check(
    "properties.bits-set",
    "memory.adoc, VkMemoryZirconHandlePropertiesFUCHSIA",
    causes=(
        "magma (an old fork of anv): the handle lacks MAP, READ or WRITE.",
        "goldfish (gfxstream): its host does not know the VMO.",
    ),
)
@each(_written)
def bits_set(found: HandleProperties) -> Judgement:
    """At least one memory type takes the VMO.

    No import is possible. The driver may not know the VMO, or lack rights on it.
    """
    bits = found.memory_type_bits
    return holds(bits != 0, f"memoryTypeBits is 0x{bits:x}", "memoryTypeBits is 0x0: no memory type takes this VMO")


@check(
    "properties.bits-in-range",
    "memory.adoc, VkMemoryZirconHandlePropertiesFUCHSIA; VUID-vkAllocateMemory-pAllocateInfo-01714",
)
def bits_in_range(_: Facts, device: Device) -> Iterator[Finding]:
    """memoryTypeBits names only memory types that exist.

    The driver sets bits past memoryTypeCount; a program that takes the highest bit will crash.
    """
    count = len(device.memory.value.types) if device.memory.value is not None else 32
    return (row.judged(partial(_in_range, count)) for row in _written(device))


def _in_range(count: int, found: HandleProperties) -> Judgement:
    beyond = [bit for bit in found.memory_types if bit >= count]
    wrong = f"0x{found.memory_type_bits:x} names type {ranges(beyond)}, and there are {count} types"
    return holds(not beyond, f"all bits are below {count}", wrong)


@check(
    "properties.exporting-type",
    PRACTICE,
    causes=("goldfish (gfxstream) names all DEVICE_LOCAL or all HOST_VISIBLE types, and ignores the exporter's type.",),
)
def exporting_type(_: Facts, device: Device) -> Iterator[Finding]:
    """The memory type that a VMO came from is among those that take it.

    An importer cannot use the type that the exporter chose; check that both mean the same memory.
    """
    for asked, row in zip(device.properties, _asked(device), strict=True):
        found = row.answer.value
        if found is not None and found.written:
            is_there = asked.memory_type in found.memory_types
            says = f"it is {'' if is_there else 'not '}among memoryTypeBits 0x{found.memory_type_bits:x}"
            yield row.found(Outcome.PASS if is_there else Outcome.WARN, says)


@check("properties.duplicate-agrees", "memory.adoc, VkMemoryZirconHandlePropertiesFUCHSIA: the answer is of the VMO")
def duplicate_agrees(_: Facts, device: Device) -> Iterator[Finding]:
    """A duplicate of the handle gets the same answer.

    The driver looks at the handle's number instead of the VMO behind it.
    """
    for row in _asked(device):
        found = row.answer.value
        if found is not None and (found.written or found.duplicate_bits.missing is not None):
            yield row.about(found.duplicate_bits).judged(partial(_agrees, found.memory_type_bits))


def _agrees(bits: int, duplicate_bits: int) -> Judgement:
    return holds(duplicate_bits == bits, f"the duplicate gets 0x{duplicate_bits:x}, the handle 0x{bits:x}")


@check("properties.handle-kept", "memory.adoc: only an import takes the handle")
@each(parts(_answered, lambda found: found.handle_valid))
def handle_kept(is_valid: bool) -> Judgement:
    """Asking does not use up the handle.

    The driver closes a handle that is not its own.
    """
    return holds(is_valid, "the handle is still valid", "the handle is gone after the call")
