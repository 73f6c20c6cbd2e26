# SPDX-License-Identifier: Apache-2.0
"""Does vkGetMemoryZirconHandlePropertiesFUCHSIA answer, and is the answer possible?"""

from collections.abc import Iterator

from vkzircon_cli.checks.export import listed_result, step, subject
from vkzircon_cli.checks.registry import PRACTICE, Finding, Outcome, check, unanswered
from vkzircon_cli.model.facts import Device, Facts
from vkzircon_cli.model.quantities import ranges
from vkzircon_cli.model.vmo import HandleProperties

_CALL = "vkGetMemoryZirconHandlePropertiesFUCHSIA"


def _answers(device: Device) -> Iterator[tuple[str, str, int, HandleProperties]]:
    for row in device.properties:
        if row.properties.value is not None:
            where = step(device, row.memory_type, "properties")
            yield subject(row.memory_type), where, row.memory_type, row.properties.value


@check(
    "properties.succeeds",
    meaning="The properties of an exported VMO can be asked.",
    rule="VUID-vkGetMemoryZirconHandlePropertiesFUCHSIA-zirconHandle-04774; memory.adoc",
    advice="Without an answer nobody may import the VMO (VUID-VkMemoryAllocateInfo-None-04749).",
)
def succeeds(_: Facts, device: Device) -> Iterator[Finding]:
    for row in device.properties:
        name, where = subject(row.memory_type), step(device, row.memory_type, "properties")
        if row.properties.missing is not None:
            yield unanswered(row.properties.missing, name, where)
        else:
            yield Finding(Outcome.PASS, f"{_CALL} answered", name, where)


@check(
    "properties.result-codes",
    meaning="What the call is refused with is a result that it may give.",
    rule=f"memory.adoc, return codes of {_CALL}",
    advice="Programs switch on the listed codes; report the other one to the driver's vendor.",
)
def result_codes(_: Facts, device: Device) -> Iterator[Finding]:
    for row in device.properties:
        where = step(device, row.memory_type, "properties")
        yield listed_result(row.properties.missing, subject(row.memory_type), where)


@check(
    "properties.written",
    meaning="VK_SUCCESS comes with an answer, in memoryTypeBits and nowhere else.",
    rule="VUID-vkGetMemoryZirconHandlePropertiesFUCHSIA-pMemoryZirconHandleProperties-parameter",
    advice="The driver returns success without an answer, or overwrites sType or pNext.",
)
def written(_: Facts, device: Device) -> Iterator[Finding]:
    for name, where, _type, found in _answers(device):
        if not found.written:
            yield Finding(Outcome.FAIL, "VK_SUCCESS, and memoryTypeBits was not written", name, where)
        elif not found.header_kept:
            yield Finding(Outcome.FAIL, "sType or pNext was changed", name, where)
        else:
            yield Finding(Outcome.PASS, "memoryTypeBits was written", name, where)


@check(
    "properties.bits-set",
    meaning="At least one memory type takes the VMO.",
    rule="memory.adoc, VkMemoryZirconHandlePropertiesFUCHSIA",
    advice="No import is possible. The driver may not know the VMO, or lack rights on it.",
)
def bits_set(_: Facts, device: Device) -> Iterator[Finding]:
    for name, where, _type, found in _answers(device):
        if found.written and not found.memory_type_bits:
            yield Finding(Outcome.FAIL, "memoryTypeBits is 0x0: no memory type takes this VMO", name, where)
        elif found.written:
            yield Finding(Outcome.PASS, f"memoryTypeBits is 0x{found.memory_type_bits:x}", name, where)


@check(
    "properties.bits-in-range",
    meaning="memoryTypeBits names only memory types that exist.",
    rule="memory.adoc, VkMemoryZirconHandlePropertiesFUCHSIA; VUID-vkAllocateMemory-pAllocateInfo-01714",
    advice="The driver sets bits past memoryTypeCount; a program that takes the highest bit will crash.",
)
def bits_in_range(_: Facts, device: Device) -> Iterator[Finding]:
    count = len(device.memory.value.types) if device.memory.value is not None else 32
    for name, where, _type, found in _answers(device):
        beyond = [bit for bit in found.memory_types if bit >= count]
        if beyond and found.written:
            says = f"0x{found.memory_type_bits:x} names type {ranges(beyond)}, and there are {count} types"
            yield Finding(Outcome.FAIL, says, name, where)
        elif found.written:
            yield Finding(Outcome.PASS, f"all bits are below {count}", name, where)


@check(
    "properties.exporting-type",
    meaning="The memory type that a VMO came from is among those that take it.",
    rule=PRACTICE,
    advice="An importer cannot use the type that the exporter chose; check that both mean the same memory.",
)
def exporting_type(_: Facts, device: Device) -> Iterator[Finding]:
    for name, where, memory_type, found in _answers(device):
        if found.written:
            there = memory_type in found.memory_types
            says = f"it is {'' if there else 'not '}among memoryTypeBits 0x{found.memory_type_bits:x}"
            yield Finding(Outcome.PASS if there else Outcome.WARN, says, name, where)


@check(
    "properties.duplicate-agrees",
    meaning="A duplicate of the handle gets the same answer.",
    rule="memory.adoc, VkMemoryZirconHandlePropertiesFUCHSIA: the answer is of the VMO",
    advice="The driver looks at the handle's number instead of the VMO behind it.",
)
def duplicate_agrees(_: Facts, device: Device) -> Iterator[Finding]:
    for name, where, _type, found in _answers(device):
        if found.duplicate_bits.missing is not None:
            yield unanswered(found.duplicate_bits.missing, name, where)
        elif found.written:
            agrees = found.duplicate_bits.value == found.memory_type_bits
            says = f"the duplicate gets 0x{found.duplicate_bits.value:x}, the handle 0x{found.memory_type_bits:x}"
            yield Finding(Outcome.PASS if agrees else Outcome.FAIL, says, name, where)


@check(
    "properties.handle-kept",
    meaning="Asking does not use up the handle.",
    rule="memory.adoc: only an import takes the handle",
    advice="The driver closes a handle that is not its own.",
)
def handle_kept(_: Facts, device: Device) -> Iterator[Finding]:
    for name, where, _type, found in _answers(device):
        if found.handle_valid.missing is not None:
            yield unanswered(found.handle_valid.missing, name, where)
        else:
            kept = found.handle_valid.value
            says = "the handle is still valid" if kept else "the handle is gone after the call"
            yield Finding(Outcome.PASS if kept else Outcome.FAIL, says, name, where)
