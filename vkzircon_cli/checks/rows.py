# SPDX-License-Identifier: Apache-2.0
"""The form that most checks have: a table of answers, one row each, and one question about each answer.

A row without an answer is judged alike everywhere, so such a check consists only of its question and its sentence.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any, Generic, TypeVar

from vkzircon_cli.checks.registry import DEATH_OF, DEATHS, Judge, Outcome, RowResult, describe
from vkzircon_cli.checks.word import denial
from vkzircon_cli.model.base import NEVER_REACHED, Answer, MissingKind, record
from vkzircon_cli.model.facts import Device, ExternalImage, Facts
from vkzircon_cli.model.spec import ENTRY_POINTS, LISTED_RESULTS
from vkzircon_cli.model.vmo import Comparison, Image

T = TypeVar("T")
U = TypeVar("U")
Judgement = tuple[Outcome, str]

_OUTCOMES = {MissingKind.NOT_ASKED: Outcome.SKIP, **DEATH_OF}
# The outcomes of a step that the driver reports not to work.
_AGAINST_WORD = {
    Outcome.WARN: Outcome.INFO,
    Outcome.FAIL: Outcome.INFO,
    Outcome.TIMEOUT: Outcome.WARN,
    Outcome.CRASH: Outcome.WARN,
}


@record
class Row(Generic[T]):
    """One row: its *subject* in words, its *step*, the answer, and *refused*, the outcome if the driver refused it.

    *denial* is the driver's report that the step does not work, '' if there is none: the driver may then refuse the
    step, and a crash is only a warning. *kind* names all rows of its kind in words.
    """

    subject: str
    step: str
    answer: Answer[T]
    refused: Outcome = Outcome.FAIL
    denial: str = ""
    kind: str = ""

    def judged(self, judge: Callable[[T], Judgement]) -> RowResult:
        """Return the result of *judge* on the answer, or the result that there is no answer."""
        return self.unanswered() if self.answer.value is None else self.found(*judge(self.answer.value))

    def unanswered(self) -> RowResult:
        """Return the result that there is no answer, with the reason."""
        missing = self.answer.missing or NEVER_REACHED
        # extension.entry-points reports a command that is not there; the checks that need it are skipped.
        refused = Outcome.SKIP if missing.call in ENTRY_POINTS and not missing.result else self.refused
        outcome, sentence = _OUTCOMES.get(missing.kind, refused), describe(missing)
        if against_word := bool(self.denial) and outcome in _AGAINST_WORD:
            sentence += f" in a step that need not work: {self.denial}" if outcome in DEATHS else ""
            outcome = _AGAINST_WORD[outcome]
        return replace(self.found(outcome, sentence), missing=missing, against_word=against_word)

    def found(self, outcome: Outcome, sentence: str) -> RowResult:
        """Return a result about this row."""
        return RowResult(outcome, sentence, self.subject, self.step, self.kind)

    def about(self, answer: Answer[U], refused: Outcome = Outcome.FAIL) -> "Row[U]":
        """Return the same row with another answer, usually a part of this one."""
        return Row(self.subject, self.step, answer, refused, self.denial, self.kind)

    def part(self, part: Callable[[T], Answer[U]], refused: Outcome = Outcome.FAIL) -> "Row[U]":
        """Return the same row with a part of its answer; a row without an answer stays without one."""
        value = self.answer.value
        if value is None:
            return self.about(Answer(None, self.answer.missing), self.refused)
        return self.about(part(value), refused)


Rows = Iterable[Row[T]]


def each(rows: Callable[[Device], Rows[T]]) -> Callable[[Callable[[T], Judgement]], Judge]:
    """Make a check of a function that judges one answer of *rows*."""

    def decorate(judge: Callable[[T], Judgement]) -> Judge:
        return lambda _, device: [row.judged(judge) for row in rows(device)]

    return decorate


def once(read: Callable[[Facts], T]) -> Callable[[Facts], T]:
    """Return *read*, which runs once for all checks of the same facts: a trace may have thousands of devices."""
    last: list[tuple[Facts, T]] = []

    def answered(facts: Facts) -> T:
        if not last or last[0][0] is not facts:
            last[:] = [(facts, read(facts))]
        return last[0][1]

    return answered


def step(device: Device, name: str) -> str:
    """Return the id of a step that concerns the whole device."""
    return f"device{device.index}/{name}"


def row_of_type(
    device: Device, memory_type: int, name: str, answer: Answer[T], refused: Outcome = Outcome.FAIL
) -> Row[T]:
    """Return the row of a memory type, in the step *name*."""
    subject, asked = f"memory type {memory_type}", step(device, f"type{memory_type}/{name}")
    return Row(subject, asked, answer, refused, denial(device, memory_type, name), "memory types")


def row_of_image(device: Device, image: ExternalImage | Image, answer: Answer[T], suffix: str = "") -> Row[T]:
    """Return the row of an image's tiling and format."""
    name = f"image/{image.tiling}.{image.format.name.lower()}{suffix}"
    return Row(f"{image.tiling} {image.format.name}", step(device, name), answer, kind="images")


def parts(
    rows: Callable[[Device], Rows[T]], part: Callable[[T], Answer[U]], refused: Outcome = Outcome.FAIL
) -> Callable[[Device], Rows[U]]:
    """Return the rows of a part of each answer."""
    return lambda device: [row.part(part, refused) for row in rows(device)]


def skipping(row: Row[T], call: str) -> Row[T]:
    """Return the row, skipped if *call* was refused: the kernel refused it, not the driver."""
    missing = row.answer.missing
    return row.about(row.answer, Outcome.SKIP if missing is not None and missing.call == call else row.refused)


# Results of reading a VMO that prove nothing about its bytes: it is not CACHED (zx_vmo_read), it can be resized
# (zx_vmar_map), or it is smaller than the bytes, which export.size judges.
_DOES_NOT_APPLY = ("ZX_ERR_BAD_STATE", "ZX_ERR_NOT_SUPPORTED", "ZX_ERR_OUT_OF_RANGE")


def comparing(row: Row[Comparison]) -> Row[Comparison]:
    """Return the row of a comparison, which is skipped if the VMO cannot be read."""
    missing = row.answer.missing
    does_not_apply = missing is not None and missing.result in _DOES_NOT_APPLY
    return row.about(row.answer, Outcome.SKIP if does_not_apply else Outcome.FAIL)


def comparisons(
    rows: Callable[[Device], Rows[T]], part: Callable[[T], Answer[Comparison]]
) -> Callable[[Device], Rows[Comparison]]:
    """Return the rows of a comparison in each answer."""

    def compared(device: Device) -> Iterator[Row[Comparison]]:
        for row in rows(device):
            yield row.part(part) if row.answer.value is None else comparing(row.part(part))

    return compared


def holds(good: bool, right: str, wrong: str = "", worth: Outcome = Outcome.FAIL) -> Judgement:
    """Judge a condition: *right* is the sentence if it holds, *wrong* the one if not, by default the same."""
    return (Outcome.PASS, right) if good else (worth, wrong or right)


def bytes_are(seen: Comparison, right: str, wrong: str, worth: Outcome = Outcome.FAIL) -> Judgement:
    """Judge a comparison: *right* is the sentence if all bytes match, *wrong* continues "N of M bytes"."""
    return holds(not seen.wrong, right, f"{seen.wrong} of {seen.count} bytes {wrong}", worth)


def lists_results(rows: Callable[[Device], Rows[Any]]) -> Judge:
    """Make the check that a refused call returned a result that vk.xml lists for it."""
    return lambda _, device: [_listed(row) for row in rows(device)]


def _listed(row: Row[Any]) -> RowResult:
    missing = row.answer.missing
    if missing is None:
        return row.found(Outcome.PASS, "VK_SUCCESS")
    if missing.kind is not MissingKind.REFUSED or missing.call not in LISTED_RESULTS or not missing.result:
        return row.about(row.answer, Outcome.SKIP).unanswered()
    says = f"{missing.call} returned {missing.result}"
    if missing.result in ("VK_SUCCESS", *LISTED_RESULTS[missing.call]):
        return row.found(Outcome.PASS, says)
    return row.found(Outcome.WARN, f"{says}, which is not listed for it")
