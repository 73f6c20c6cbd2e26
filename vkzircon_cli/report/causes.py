# SPDX-License-Identifier: Apache-2.0
"""The causes of failures and warnings: the earliest failed checks, and the checks that fail because of them."""

from collections.abc import Iterator, Mapping

from vkzircon_cli.checks import REGISTRY, SEVERITY, Outcome, Verdict, forgives_death
from vkzircon_cli.checks.chain import Link, explains, is_judged, link_of, place_of, what_happened
from vkzircon_cli.checks.registry import BAD, DEATH_OF, RowResult, sentence_of
from vkzircon_cli.model.base import HUNG_EARLIER, Missing, MissingKind, record
from vkzircon_cli.model.glossary import Text


@record
class Cause:
    """Why a check does not pass, and the later checks that do not pass for the same reason.

    *where* are the memory types, images or calls, none if it is the whole device; *call* and *result* are the call that
    was refused, crashed or hung, '' where an answer was judged; *what* is a word of `vkzircon explain`: a result, or
    crash, timeout, wrong-bytes ...; *outcome* is the worst of all these checks; *sentence* is the first thing that went
    wrong, and *also* is what else did in the same check; *follows* are the ids of the other checks, in the order of the
    chain.
    """

    device: int
    check: str
    link: Link
    outcome: Outcome
    where: tuple[str, ...]
    call: str
    result: str
    what: str
    sentence: str
    also: tuple[str, ...]
    rule: str
    means: str
    advice: str
    follows: tuple[str, ...]


class _Found:
    """A cause while its rows are collected: its check, its rows, and the checks that follow."""

    def __init__(self, check: str, row: RowResult) -> None:
        self.check, self.rows, self.what = check, [row], what_happened(check, row)
        self.worst, self.follows = row.outcome, dict[str, Outcome]()

    def takes(self, check: str, row: RowResult) -> bool:
        """Add *row* of a check if it is the same failure or follows from this one; return whether it was added."""
        if check == self.check and what_happened(check, row) == self.what:
            self.rows.append(row)
        elif self._explains(check, row):
            self.follows[check] = max(self.follows.get(check, row.outcome), row.outcome, key=SEVERITY.__getitem__)
        else:
            return False
        self.worst = max(self.worst, row.outcome, key=SEVERITY.__getitem__)
        return True

    def begin_at(self, verdicts: Mapping[str, Verdict]) -> None:
        """Move a hang to the earliest check that was not tried because of it: the hung call is not made again."""
        missing = self.rows[0].missing
        if missing is None or missing.kind is not MissingKind.TIMED_OUT:
            return
        why = f"{missing.call} {HUNG_EARLIER}"
        left_out = (
            name for name, said in verdicts.items() if any(r.missing and r.missing.reason == why for r in said.rows)
        )
        first = min(left_out, key=place_of, default=self.check)
        if place_of(first) < place_of(self.check):
            self.follows = {self.check: self.worst, **{k: v for k, v in self.follows.items() if k != first}}
            self.check = first

    def _explains(self, check: str, row: RowResult) -> bool:
        if self._is_same_refusal(row.missing):
            return row.outcome is not Outcome.SKIP
        # A note is shown on its own, and a crash in another call is a cause of its own.
        if row.outcome not in (Outcome.WARN, Outcome.FAIL):
            return False
        # Wrong bytes are no reason to refuse a call, and nothing is one to take a wrong input.
        if self.what == "wrong-bytes" and not is_judged(row):
            return False
        if row.outcome is Outcome.FAIL and forgives_death(check):
            return False
        return explains(self.check, check) and any(_meet(each.subject, row.subject) for each in self.rows)

    def _is_same_refusal(self, missing: Missing | None) -> bool:
        mine = self.rows[0].missing
        if missing is None or mine is None:
            return False
        # The call in which the second process crashed or hung is not known.
        return missing == mine or (not missing.call and missing.kind is mine.kind and missing.kind in DEATH_OF)


def _meet(subject: str, other: str) -> bool:
    """Whether two rows can be about the same memory: they cannot if they name different memory types."""
    mine, its = _type_of(subject), _type_of(other)
    return not mine or not its or mine == its


def _type_of(subject: str) -> str:
    """Return the memory type that *subject* names, as in "one page larger (memory type 1)", '' if none."""
    _, named, number = subject.rpartition("memory type ")
    return number.rstrip(")") if named else ""


def find_causes(device: int, verdicts: Mapping[str, Verdict]) -> Iterator[Cause]:
    """Yield the causes of all failures and warnings among a device's *verdicts*, the earliest in the chain first."""
    found: list[_Found] = []
    for check in sorted(verdicts, key=place_of):
        for row in verdicts[check].rows:
            taken = any(cause.takes(check, row) for cause in found)
            if not taken and row.outcome in BAD:
                found.append(_Found(check, row))
    for cause in found:
        cause.begin_at(verdicts)
    return (_cause(device, cause) for cause in found)


def _cause(device: int, found: _Found) -> Cause:
    row = found.rows[0]
    what = what_happened(found.check, row)
    sentences = dict.fromkeys(each.sentence for each in found.rows)
    first, *also = (sentence_of([each for each in found.rows if each.sentence == one]) for one in sentences)
    if row.outcome is Outcome.WARN and found.worst is not Outcome.WARN:
        # The check itself only warns, but another fails for this reason.
        failed = next(name for name, outcome in found.follows.items() if outcome is found.worst)
        first = f"{first.removesuffix('.')}, so {failed} fails."
    return Cause(
        device=device,
        check=found.check,
        link=link_of(found.check),
        outcome=found.worst,
        where=tuple(dict.fromkeys(each.subject for each in found.rows if each.subject)),
        call=row.missing.call if row.missing else "",
        result=row.missing.result if row.missing else "",
        what=what,
        sentence=first,
        also=tuple(also),
        rule=REGISTRY[found.check].rule,
        means=_text_of(what).meaning,
        advice=advice_for(found.check, row),
        follows=tuple(found.follows),
    )


def advice_for(check: str, row: RowResult) -> str:
    """Return the advice for what happened: the check's own for an answer that it judged, else that of the result.

    No advice fits a step that the driver reports not to work.
    """
    if row.against_word:
        return ""
    return REGISTRY[check].text.advice if is_judged(row) else _text_of(what_happened(check, row)).advice


def _text_of(what: str) -> Text:
    from vkzircon_cli.explain.entries import text_of  # 1.4 ms, only where something is wrong

    return text_of(what)
