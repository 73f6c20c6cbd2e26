# SPDX-License-Identifier: Apache-2.0
"""Can an exported VMO be imported?"""

from collections.abc import Iterator

from vkzircon_cli.checks.export import listed_result, step, subject
from vkzircon_cli.checks.registry import Finding, Outcome, check, unanswered
from vkzircon_cli.facts import Device, Facts


@check(
    "import.result-codes",
    meaning="What an import is refused with is a result that vkAllocateMemory may give.",
    rule="memory.adoc, return codes of vkAllocateMemory",
    advice="Programs switch on the listed codes; report the other one to the driver's vendor.",
)
def result_codes(_: Facts, device: Device) -> Iterator[Finding]:
    for row in device.imports:
        where = step(device, row.memory_type, f"import.{row.kind}")
        yield listed_result(row.imported.missing, subject(row.memory_type), where)


@check(
    "import.same-device",
    meaning="The device that exported a VMO imports it and binds a buffer to it.",
    rule="memory.adoc, VkImportMemoryZirconHandleInfoFUCHSIA",
    advice="With memory to spare, 'out of memory' means a wrong memory type, or a VMO that the driver does not know.",
)
def same_device(_: Facts, device: Device) -> Iterator[Finding]:
    for row in device.imports:
        name, where = subject(row.memory_type), step(device, row.memory_type, f"import.{row.kind}")
        if row.imported.value is None:
            yield unanswered(row.imported.missing, name, where)  # type: ignore[arg-type]
        else:
            found = row.imported.value
            yield Finding(
                Outcome.PASS, f"imported {found.allocation_size} bytes as memory type {found.memory_type}", name, where
            )
