# SPDX-License-Identifier: Apache-2.0
"""Does vkGetMemoryZirconHandlePropertiesFUCHSIA answer, and is the answer possible?"""

from collections.abc import Iterator
from functools import partial

from vkzircon_cli.checks.registry import PRACTICE, Outcome, RowResult, check
from vkzircon_cli.checks.rows import (
    Judgement,
    Row,
    Rows,
    each,
    holds,
    lists_results,
    parts,
    row_of_type,
    skipping,
    step,
)
from vkzircon_cli.checks.word import denies_import, exported_form
from vkzircon_cli.model.facts import Device, Facts
from vkzircon_cli.model.quantities import ranges
from vkzircon_cli.model.vmo import Form, HandleProperties

_VIRTUAL_GPU = 3
_OWN_VMO = {"own-vmo": "a new VMO", "no-rights": "a handle without rights to a new VMO"}
_CALL = "vkGetMemoryZirconHandlePropertiesFUCHSIA"


def _asked(device: Device) -> Rows[HandleProperties]:
    return [
        row_of_type(device, row.memory_type, "properties", row.properties, _worth(device, row.memory_type))
        for row in device.properties
    ]


def _worth(device: Device, memory_type: int, worth: Outcome = Outcome.FAIL) -> Outcome:
    """Return what it is *worth* that no memory type takes the VMO: nothing where the driver denies imports of it."""
    return Outcome.INFO if denies_import(device, exported_form(device, memory_type)) else worth


def _answered(device: Device) -> Rows[HandleProperties]:
    return [row for row in _asked(device) if row.answer.value is not None]


def _written(device: Device) -> Rows[HandleProperties]:
    return [row for row in _asked(device) if row.answer.value is not None and row.answer.value.written]


@check("properties.succeeds", "VUID-vkGetMemoryZirconHandlePropertiesFUCHSIA-zirconHandle-04774; memory.adoc")
@each(_asked)
def succeeds(_: HandleProperties) -> Judgement:
    return Outcome.PASS, f"{_CALL} answered"


check("properties.result-codes", f"memory.adoc, return codes of {_CALL}")(lists_results(_asked))


@check("properties.written", "VUID-vkGetMemoryZirconHandlePropertiesFUCHSIA-pMemoryZirconHandleProperties-parameter")
@each(_answered)
def written(found: HandleProperties) -> Judgement:
    if not found.written:
        return Outcome.FAIL, "VK_SUCCESS, and memoryTypeBits was not written"
    if not found.header_kept:
        return Outcome.FAIL, "sType or pNext was changed"
    return Outcome.PASS, "memoryTypeBits was written"


@check("properties.bits-set", "memory.adoc, VkMemoryZirconHandlePropertiesFUCHSIA")
def bits_set(_: Facts, device: Device) -> Iterator[RowResult]:
    return (row.judged(partial(_takes, row.refused)) for row in _written(device))


def _takes(worth: Outcome, found: HandleProperties) -> Judgement:
    bits = found.memory_type_bits
    return holds(bits != 0, f"memoryTypeBits is 0x{bits:x}", "memoryTypeBits is 0x0: no memory type takes it", worth)


@check(
    "properties.bits-in-range",
    "memory.adoc, VkMemoryZirconHandlePropertiesFUCHSIA; VUID-vkAllocateMemory-pAllocateInfo-01714",
)
def bits_in_range(_: Facts, device: Device) -> Iterator[RowResult]:
    count = len(device.memory.value.types) if device.memory.value is not None else 32
    return (row.judged(partial(_in_range, count)) for row in _written(device))


def _in_range(count: int, found: HandleProperties) -> Judgement:
    beyond = [bit for bit in found.memory_types if bit >= count]
    wrong = f"0x{found.memory_type_bits:x} names type {ranges(beyond)}, and there are {count} types"
    return holds(not beyond, f"all bits are below {count}", wrong)


@check("properties.exporting-type", PRACTICE)
def exporting_type(_: Facts, device: Device) -> Iterator[RowResult]:
    for asked, row in zip(device.properties, _asked(device), strict=True):
        found = row.answer.value
        if found is not None and found.written:
            is_there = asked.memory_type in found.memory_types
            says = f"it is {'' if is_there else 'not '}among memoryTypeBits 0x{found.memory_type_bits:x}"
            yield row.found(Outcome.PASS if is_there else _worth(device, asked.memory_type, Outcome.WARN), says)


@check("properties.duplicate-agrees", "memory.adoc, VkMemoryZirconHandlePropertiesFUCHSIA: the answer is of the VMO")
def duplicate_agrees(_: Facts, device: Device) -> Iterator[RowResult]:
    for row in _asked(device):
        found = row.answer.value
        if found is not None and (found.written or found.duplicate_bits.missing is not None):
            yield row.about(found.duplicate_bits).judged(partial(_agrees, found.memory_type_bits))


def _agrees(bits: int, duplicate_bits: int) -> Judgement:
    return holds(duplicate_bits == bits, f"the duplicate gets 0x{duplicate_bits:x}, the handle 0x{bits:x}")


def _own_vmo(device: Device) -> Rows[int]:
    """Return the answers for a VMO of our own; Fuchsia's test does not ask virtual GPUs."""
    is_virtual = device.identity.value is not None and device.identity.value.type.value == _VIRTUAL_GPU
    worth = Outcome.INFO if is_virtual or denies_import(device, Form.PLAIN) else Outcome.WARN
    return [
        skipping(Row(_OWN_VMO[row.what], step(device, f"properties.{row.what}"), row.bits, worth), "zx_vmo_create")
        for row in device.own_vmo_properties
    ]


@check("properties.own-vmo", PRACTICE)
def own_vmo(_: Facts, device: Device) -> Iterator[RowResult]:
    for row in _own_vmo(device):
        yield row.judged(partial(_expected, row))


def _expected(row: Row[int], bits: int) -> Judgement:
    return holds(
        (bits != 0) is (row.subject == _OWN_VMO["own-vmo"]), f"memoryTypeBits is 0x{bits:x}", worth=row.refused
    )


@check("properties.handle-kept", "memory.adoc: only an import takes the handle")
@each(parts(_answered, lambda found: found.handle_valid))
def handle_kept(is_valid: bool) -> Judgement:
    return holds(is_valid, "the handle is still valid", "the handle is gone after the call")
