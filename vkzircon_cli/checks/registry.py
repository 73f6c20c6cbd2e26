# SPDX-License-Identifier: Apache-2.0
"""The registry of checks, their results, and the rule by which results become one verdict.

A check is a small pure function over facts. It yields one `RowResult` for each row (a memory type, a call). The verdict
has the worst outcome, and its sentence names every row that is not good, so that no crash hides a failure. `rows` has
the form of most checks.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path

from vkzircon_cli.model.base import Answer, Missing, MissingKind, record
from vkzircon_cli.model.facts import Device, Facts
from vkzircon_cli.model.glossary import Text, read_glossary
from vkzircon_cli.model.quantities import plural, ranges
from vkzircon_cli.model.queries import offers_extension
from vkzircon_cli.model.spec import EXTENSION
from vkzircon_cli.model.vmo import Handle

PRACTICE = "none: practice"
TEXTS = Path(__file__).with_name("texts.txt")


class Outcome(StrEnum):
    """The outcome of a check, from best to worst."""

    PASS = "pass"
    INFO = "info"
    SKIP = "skip"
    WARN = "warn"
    FAIL = "fail"
    TIMEOUT = "timeout"
    CRASH = "crash"
    ERROR = "error"  # only in a summary: no driver could be queried, or the run was interrupted


SEVERITY = {outcome: rank for rank, outcome in enumerate(Outcome)}
DEATH_OF = {MissingKind.CRASHED: Outcome.CRASH, MissingKind.TIMED_OUT: Outcome.TIMEOUT}
DEATHS = tuple(DEATH_OF.values())
BAD = (Outcome.WARN, Outcome.FAIL, *DEATHS)


@record
class RowResult:
    """One row's outcome: *subject* is the row in words ('' if the check has only one), *step* the step that saw it.

    *kind* names all rows of its kind in words, as "memory types", and *of* is how many there are. *missing* is why
    there is no answer, None if the answer itself was judged. *against_word*: the driver reports that the step does not
    work, so it is not to blame.
    """

    outcome: Outcome
    sentence: str
    subject: str = ""
    step: str = ""
    kind: str = ""
    of: int = 0
    missing: Missing | None = None
    against_word: bool = False


@record
class Verdict:
    """A check's outcome for one device, in one sentence, and the steps and rows that it rests on, the worst first."""

    outcome: Outcome
    sentence: str
    steps: tuple[str, ...]
    rows: tuple[RowResult, ...] = ()

    @property
    def against_word(self) -> bool:
        """Whether the outcome comes only from steps that the driver reports not to work."""
        return bool(self.rows) and all(row.against_word for row in self.rows if row.outcome is self.outcome)


_NOT_REACHED = "an earlier step failed, so this was not tested"
Judge = Callable[[Facts, Device], Iterable[RowResult]]


@record
class Check:
    """A registered check.

    *rule* is the VUID or chapter that it rests on, or `PRACTICE`, which warns at most; *option* is the option that it
    needs, '' if it always runs.
    """

    id: str
    rule: str
    needs_extension: bool
    judge: Judge
    option: str = ""

    @property
    def text(self) -> Text:
        """Return the meaning of the check, the usual causes of a bad outcome, and the advice for one."""
        return read_glossary(TEXTS)[self.id]

    def verdict(self, facts: Facts, device: Device) -> Verdict:
        """Judge *device*."""
        if self.needs_extension and not offers_extension(device):
            return Verdict(Outcome.SKIP, _sentence(_blocked(device)), ())
        results = [self._capped(result) for result in self.judge(facts, device)]
        if results:
            return fold(results, forgives_death=forgives_death(self.id))
        why = _blocked(device) or (f"only run with {self.option}" if self._needs_option(device) else _NOT_REACHED)
        return Verdict(Outcome.SKIP, _sentence(why), ())

    def _needs_option(self, device: Device) -> bool:
        """Whether the facts of the check's option, which have its name, are missing."""
        return bool(self.option) and not getattr(device, self.option.removeprefix("--"))

    def _capped(self, result: RowResult) -> RowResult:
        """Lower a failure that rests on practice alone to a warning."""
        is_too_much = self.rule == PRACTICE and result.outcome is Outcome.FAIL
        return replace(result, outcome=Outcome.WARN) if is_too_much else result


def _blocked(device: Device) -> str:
    """Return why a check has no facts: the first earlier step without an answer, '' if all have one."""
    if device.extensions.missing is not None:
        return f"the device's extensions are not known: {describe(device.extensions.missing)}"
    if not offers_extension(device):
        return f"{EXTENSION} is not offered"
    if not device.external_buffers:
        return f"a dependency of {EXTENSION} is missing"
    if device.opened.missing is not None:
        return f"the device did not open: {describe(device.opened.missing)}"
    if device.imports:
        return ""
    return _no_export([export.handle for export in device.exports])


def _no_export(handles: list[Answer[Handle]]) -> str:
    refused = [handle.missing for handle in handles if handle.missing is not None]
    if not handles:
        return "no memory type can be exported"
    if len(refused) == len(handles):
        return f"nothing was exported: {describe(refused[0])}"
    return "the exported number is not a VMO handle, so it was not used"


def _sentence(text: str) -> str:
    return sentence_case(text) + "."


REGISTRY: dict[str, Check] = {}
GROUPS = ("extension", "device", "capabilities", "export", "properties", "import", "data", "stress", "negative")


def in_order() -> list[Check]:
    """Return every check, group by group, in the order of reports."""
    return sorted(REGISTRY.values(), key=lambda check: GROUPS.index(check.id.partition(".")[0]))


def check(id: str, rule: str, *, needs_extension: bool = True, option: str = "") -> Callable[[Judge], Judge]:
    """Register the decorated function under a dotted *id*, which is public and never changes; `TEXTS` explains it."""

    def register(judge: Judge) -> Judge:
        REGISTRY[id] = Check(id, rule, needs_extension, judge, option)
        return judge

    return register


def forgives_death(id: str) -> bool:
    """Whether a check sends wrong inputs: a driver's crash on one is reported, and does not fail the run."""
    return id.startswith("negative.")


def fold(results: Sequence[RowResult], *, forgives_death: bool = False) -> Verdict:
    """Make one verdict of *results*, at least one; a skipped row never hides another.

    The worst row decides the outcome; a check that *forgives death* ranks a failure above a crash. The sentence names
    each row that is not good, the worst first.
    """

    def rank(result: RowResult) -> tuple[bool, int]:
        return forgives_death and result.outcome is Outcome.FAIL, SEVERITY[result.outcome]

    tested = [result for result in results if result.outcome is not Outcome.SKIP] or results
    worst = max(tested, key=rank).outcome
    rows = [result for result in tested if result.outcome is worst or result.outcome in BAD]
    rows.sort(key=rank, reverse=True)
    steps = tuple(dict.fromkeys(row.step for row in rows if row.step))
    every = _by_kind(results)
    rows = [replace(row, of=len(every.get(row.kind, ()))) for row in rows]
    return Verdict(worst, sentence_of(rows), steps, tuple(rows))


def _by_kind(rows: Iterable[RowResult]) -> dict[str, list[str]]:
    """Return the subjects of *rows* by their kind, each once."""
    subjects: dict[str, dict[str, None]] = {}
    for row in rows:
        if row.subject:
            subjects.setdefault(row.kind, {})[row.subject] = None
    return {kind: list(of) for kind, of in subjects.items()}


def sentence_of(rows: Sequence[RowResult]) -> str:
    """Return each sentence of *rows* once, with its subjects in front."""
    counts = {row.kind: row.of for row in rows}
    said = []
    for sentence in dict.fromkeys(row.sentence for row in rows):
        named = _by_kind(row for row in rows if row.sentence == sentence)
        subjects = ", ".join(_joined(of, kind, counts[kind]) for kind, of in named.items())
        said.append(_sentence(f"{subjects}: {sentence}" if subjects else sentence))
    return " ".join(said)


def sentence_case(text: str) -> str:
    """Capitalize a sentence, but not a name that begins it (vkX, zx_x, sType)."""
    is_name = text.startswith(("vk", "zx_")) or text[1:2].isupper()
    return text if is_name else text[:1].upper() + text[1:]


def uncapitalized(sentence: str) -> str:
    """Return *sentence* without its capital, to continue another sentence; a name in capitals keeps them."""
    return sentence if sentence[1:2].isupper() else sentence[:1].lower() + sentence[1:]


def _joined(subjects: list[str], kind: str, count: int) -> str:
    """Join subjects: "all 3 memory types" if they are all *count* of their *kind*, else "memory types 1-3"."""
    if kind and len(subjects) == count > 1:
        return f"all {count} {kind}".replace("all 2 ", "both ")
    heads = {subject.rpartition(" ")[0] for subject in subjects}
    numbers = [subject.rpartition(" ")[2] for subject in subjects]
    if len(subjects) == 1 or len(heads) > 1 or not all(number.isdigit() for number in numbers):
        return ", ".join(subjects)
    return f"{plural(heads.pop())} {ranges(sorted(int(number) for number in numbers))}"


def _who(call: str) -> str:
    """Return what dies in *call*: not the driver, if the kernel handles the call or the loader answers it itself."""
    return "process" if call.startswith("zx_") or call == "vkEnumerateInstanceVersion" else "driver"


def describe(missing: Missing) -> str:
    """Format a missing answer, without a full stop."""
    where = f" in {missing.call}" if missing.call else ""
    if missing.kind is MissingKind.CRASHED:
        return f"the {_who(missing.call)} crashed{where} ({missing.result or missing.reason})"
    if missing.kind is MissingKind.TIMED_OUT:
        return f"the {_who(missing.call)} hung{where} ({missing.reason})"
    if missing.result == "VK_SUCCESS":
        return f"{missing.call} returned VK_SUCCESS, but {missing.reason}"
    if missing.result:
        why = f" ({missing.reason})" if missing.reason else ""
        return f"{missing.call} returned {missing.result}{why}"
    return f"{missing.call}: {missing.reason}" if missing.call else missing.reason
