# SPDX-License-Identifier: Apache-2.0
"""Does repeating leave anything behind?"""

from collections.abc import Iterator

from vkzircon_cli.checks.export import step
from vkzircon_cli.checks.registry import PRACTICE, Finding, Outcome, check, unanswered
from vkzircon_cli.model.facts import Device, Facts
from vkzircon_cli.model.vmo import Stress

_MOST_GROWTH = 4 << 20  # of resident memory, which an allocator may take for reasons of its own


def _judged(device: Device, what: str) -> Iterator[Finding]:
    for row in device.stress:
        if row.what == what:
            where = step(device, row.memory_type, f"stress.{what}")
            if row.stressed.value is None:
                yield unanswered(row.stressed.missing, "", where)  # type: ignore[arg-type]
            else:
                yield _handles(row, where)


def _handles(row: Stress, where: str) -> Finding:
    found = row.stressed.value
    if found is None or found.handles_after == found.handles_before:
        return Finding(Outcome.PASS, f"{found.rounds if found else 0} times, and no handle more is open", "", where)
    grown = found.handles_after - found.handles_before
    outcome = Outcome.FAIL if abs(grown) >= max(1, found.rounds // 2) else Outcome.INFO
    return Finding(outcome, f"{grown:+} handles are open after {found.rounds} times", "", where)


@check(
    "stress.imports",
    meaning="A VMO can be imported 4096 times in turn, and no handle stays open.",
    rule="memory.adoc: a successful import transfers the handle to the implementation",
    advice="The driver runs out of something, or keeps a handle of every import.",
    option="--stress",
)
def imports(_: Facts, device: Device) -> Iterator[Finding]:
    yield from _judged(device, "imports")


@check(
    "stress.rounds",
    meaning="Exporting, importing and freeing again and again leaves no handle open.",
    rule="memory.adoc, vkFreeMemory",
    advice="The driver keeps a handle of every export or import.",
    option="--stress",
)
def rounds(_: Facts, device: Device) -> Iterator[Finding]:
    yield from _judged(device, "rounds")


@check(
    "stress.memory",
    meaning="Repeating does not make the process larger.",
    rule=PRACTICE,
    advice="The driver may leak memory; the slope over more rounds tells it from a cache.",
    option="--stress",
)
def memory(_: Facts, device: Device) -> Iterator[Finding]:
    for row in device.stress:
        where = step(device, row.memory_type, f"stress.{row.what}")
        if row.stressed.value is None:
            yield unanswered(row.stressed.missing, row.what, where, Outcome.INFO)  # type: ignore[arg-type]
            continue
        grown = row.stressed.value.resident_after - row.stressed.value.resident_before
        outcome = Outcome.INFO if grown > _MOST_GROWTH else Outcome.PASS
        says = f"{grown >> 10} KiB more are resident" if outcome is Outcome.INFO else "the process did not grow"
        yield Finding(outcome, says, row.what, where)
