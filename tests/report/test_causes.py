# SPDX-License-Identifier: Apache-2.0
"""The cause of failures is the earliest check of the chain that failed; the others follow from it."""

from dataclasses import replace

import pytest
import reports

from vkzircon_cli.checks import REGISTRY, Outcome, Verdict
from vkzircon_cli.checks.chain import CHAIN, EXPLAINS, Link, explains
from vkzircon_cli.checks.registry import RowResult, fold
from vkzircon_cli.explain import entries
from vkzircon_cli.model.base import Missing, MissingKind
from vkzircon_cli.report.causes import Cause, find_causes

REFUSED = reports.refused("vkAllocateMemory", "VK_ERROR_OUT_OF_DEVICE_MEMORY")
CRASHED = Missing(MissingKind.CRASHED, "vkAllocateMemory", "SIGSEGV", "killed by SIGSEGV")


def _row(
    outcome: Outcome, memory_type: int = 0, missing: Missing | None = None, says: str = "it is wrong"
) -> RowResult:
    return RowResult(outcome, says, f"memory type {memory_type}", "", "memory types", missing=missing)


def _causes(**rows: tuple[RowResult, ...]) -> list[Cause]:
    """Find the causes for the rows of checks, named with two underscores for a dot and one for a hyphen."""
    verdicts = {name.replace("__", ".").replace("_", "-"): fold(list(each)) for name, each in rows.items()}
    return list(find_causes(0, verdicts))


def test_every_check_has_one_place_in_the_chain() -> None:
    """Every check, also a new one, is in `CHAIN` once; `EXPLAINS` names only checks that exist."""
    places = [name for names in CHAIN.values() for name in names]
    assert sorted(places) == sorted(REGISTRY)
    assert set(EXPLAINS) <= set(places)
    assert list(CHAIN) == list(Link)
    for cause, beginnings in EXPLAINS.items():
        for beginning in beginnings:
            assert any(explains(cause, each) for each in REGISTRY if each.startswith(beginning)), (cause, beginning)


def test_the_earliest_link_is_the_cause_and_later_ones_follow() -> None:
    """A refused import fails a dozen checks: one of them is the cause, in any order of the groups."""
    fails = (_row(Outcome.FAIL, missing=REFUSED),)
    (cause,) = _causes(capabilities__agree_import=(_row(Outcome.FAIL),), data__image=fails, import__same_device=fails)
    assert (cause.check, cause.link, cause.what) == ("import.same-device", Link.IMPORT, "VK_ERROR_OUT_OF_DEVICE_MEMORY")
    assert (cause.call, cause.result) == ("vkAllocateMemory", "VK_ERROR_OUT_OF_DEVICE_MEMORY")
    assert cause.follows == ("capabilities.agree-import", "data.image")


def test_memory_types_have_causes_of_their_own() -> None:
    """Type 0 cannot be imported and type 1 cannot be exported: neither explains the other."""
    imports = (_row(Outcome.FAIL, 0, REFUSED), _row(Outcome.PASS, 1))
    exports = (_row(Outcome.PASS, 0), _row(Outcome.FAIL, 1))
    first, second = _causes(import__same_device=imports, export__size=exports)
    assert (first.check, first.where) == ("export.size", ("memory type 1",))
    assert (second.check, second.where) == ("import.same-device", ("memory type 0",))
    assert second.sentence == "Memory type 0: it is wrong."


def test_what_no_link_explains_is_a_cause_of_its_own() -> None:
    """A resizable VMO explains nothing, and a crash in another call is not explained by a failure before it."""
    causes = _causes(
        export__fixed_size=(_row(Outcome.WARN),),
        import__shares=(_row(Outcome.FAIL),),
        data__image=(_row(Outcome.CRASH, missing=CRASHED),),
    )
    assert [cause.check for cause in causes] == ["export.fixed-size", "import.shares", "data.image"]


def test_a_subject_may_name_its_memory_type_last() -> None:
    """A VMO of ours that type 1 refuses does not follow from an import that type 0 refuses."""
    its_own = replace(_row(Outcome.WARN, 1), subject="one page larger (memory type 1)")
    causes = _causes(import__same_device=(_row(Outcome.FAIL, 0, REFUSED),), import__own_vmo=(its_own,))
    assert [cause.check for cause in causes] == ["import.same-device", "import.own-vmo"]


@pytest.mark.parametrize(
    ("cause", "other", "row"),
    [
        ("export.size", "export.fixed-size", _row(Outcome.WARN)),
        ("export.two-gets-share", "import.small", _row(Outcome.FAIL, missing=REFUSED)),
        ("export.two-gets-distinct", "import.releases-handle", _row(Outcome.FAIL)),
        ("properties.bits-set", "properties.handle-kept", _row(Outcome.FAIL)),
        ("import.releases-handle", "stress.memory", _row(Outcome.WARN)),
        ("import.same-device", "negative.import-refused", _row(Outcome.FAIL)),
        ("import.shares", "data.size", _row(Outcome.WARN)),
        ("import.shares", "import.second-process", _row(Outcome.FAIL, missing=REFUSED)),
        ("import.shares", "data.gpu-fill", _row(Outcome.FAIL, missing=REFUSED)),
        ("capabilities.well-formed", "capabilities.offered", _row(Outcome.WARN)),
    ],
)
def test_a_second_fault_is_told_beside_the_first(cause: str, other: str, row: RowResult) -> None:
    """Two faults at once are two causes: the earlier link hides no failure that it cannot bring about."""
    found = find_causes(0, {cause: fold([_row(Outcome.FAIL)]), other: fold([row])})
    assert {each.check for each in found} == {cause, other}


def test_a_cause_tells_each_row_of_its_check() -> None:
    """A driver takes one wrong handle and refuses another with a wrong error: the sentence has the first, also both."""
    taken, refused = _row(Outcome.FAIL, 0, says="it succeeded"), _row(Outcome.WARN, 1, says="the error is wrong")
    (cause,) = _causes(negative__import_refused=(refused, taken))
    assert (cause.sentence, cause.also) == ("Memory type 0: it succeeded.", ("Memory type 1: the error is wrong.",))


def test_bytes_that_do_not_arrive_are_one_cause() -> None:
    """Without import.shares, the first check of bytes explains the others."""
    fails = (_row(Outcome.FAIL),)
    (cause,) = _causes(data__gpu_fill=fails, data__host_write=fails, import__second_process=fails)
    assert (cause.check, cause.follows) == ("data.host-write", ("data.gpu-fill", "import.second-process"))


def test_one_crash_is_one_cause_in_every_check_that_met_it() -> None:
    """The same call crashed for the same reason; the outcome is the worst of all checks that follow."""
    died = (_row(Outcome.CRASH, missing=CRASHED),)
    (cause,) = _causes(
        export__result_codes=died, export__memory_type=died, export__form=(_row(Outcome.WARN, missing=CRASHED),)
    )
    assert (cause.check, cause.what, cause.outcome) == ("export.memory-type", "crash", Outcome.CRASH)
    assert cause.follows == ("export.result-codes", "export.form")


def test_a_warning_that_explains_a_failure_is_as_bad() -> None:
    """A handle without rights only warns. That no memory type takes it fails, and the two are one finding."""
    (cause,) = _causes(export__rights=(_row(Outcome.WARN),), properties__bits_set=(_row(Outcome.FAIL),))
    assert (cause.check, cause.what, cause.outcome) == ("export.rights", "missing-right", Outcome.FAIL)


def test_a_note_about_the_same_refusal_follows_and_no_other() -> None:
    """Notes and skips never make a cause."""
    noted = (_row(Outcome.INFO, missing=REFUSED),)
    (cause,) = _causes(import__same_device=(_row(Outcome.FAIL, missing=REFUSED),), import__own_vmo=noted)
    assert cause.follows == ("import.own-vmo",)
    assert not _causes(import__own_vmo=noted, import__twice=(_row(Outcome.SKIP),))


@pytest.mark.parametrize(
    ("missing", "words"),
    [(None, "Make the import map"), (REFUSED, "For an import, check"), (CRASHED, "vkzircon bundle")],
)
def test_advice_belongs_to_what_happened(missing: Missing | None, words: str) -> None:
    """A check's own advice is for an answer that it judged; a refusal and a crash have theirs."""
    outcome = Outcome.CRASH if missing is CRASHED else Outcome.FAIL
    (cause,) = _causes(import__shares=(_row(outcome, missing=missing),))
    assert words in cause.advice
    assert cause.means


def test_nothing_is_advised_against_the_drivers_word() -> None:
    """If a driver reports that a step does not work, it may do anything in it."""
    row = replace(_row(Outcome.WARN, missing=CRASHED), against_word=True)
    (cause,) = _causes(import__same_device=(row,))
    assert cause.advice == ""


def test_everything_that_can_happen_is_explained() -> None:
    """The word of a cause is one of `vkzircon explain`."""
    words = {each.word for each in (*entries.results(), *entries.of_file(entries.Group.OUTCOME, "outcomes"))}
    for name in REGISTRY:
        for row in (_row(Outcome.FAIL), _row(Outcome.FAIL, missing=REFUSED), _row(Outcome.CRASH, missing=CRASHED)):
            (cause,) = find_causes(0, {name: Verdict(row.outcome, "", (), (row,))})
            assert cause.what in words
