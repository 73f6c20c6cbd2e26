# SPDX-License-Identifier: Apache-2.0
"""From rows to one verdict: what is skipped and why, whose fault it is, and the worst row."""

from dataclasses import replace

import pytest
import reports
from device_changes import (
    CRASHED,
    REFUSED,
    SAME,
    Change,
    facts,
    good_device,
    identity,
    imports,
    no_entry_point,
    pair,
    refused_export,
    rows,
)

from vkzircon_cli.checks import REGISTRY, Outcome, in_order
from vkzircon_cli.checks.registry import GROUPS, PRACTICE, RowResult, fold
from vkzircon_cli.model.base import Answer, Missing, not_asked
from vkzircon_cli.model.facts import (
    Uuids,
)
from vkzircon_cli.model.vmo import (
    Comparison,
    Outlives,
    Refusal,
    RoundTrip,
    Write,
)


def _in_rows(table: str, fact: str, missing: Missing) -> Change:
    return rows(table, **{fact: Answer(None, missing)})


@pytest.mark.parametrize(
    ("id", "table", "fact", "call"),
    [
        ("export.survives-channel", "through_channel", "pair", "zx_channel_create"),
        *((f"stress.{what}", "stress", "stressed", "zx_object_get_info") for what in ("imports", "rounds", "memory")),
    ],
)
def test_what_the_kernel_refuses_is_not_the_drivers_fault(id: str, table: str, fact: str, call: str) -> None:
    """A sandbox may refuse a channel, or the count of handles: the check is skipped, and names the call."""
    bad = _in_rows(table, fact, reports.refused(call, "ZX_ERR_ACCESS_DENIED"))(good_device())
    verdict = REGISTRY[id].verdict(facts(bad), bad)
    assert verdict.outcome is Outcome.SKIP
    assert f"{call} returned ZX_ERR_ACCESS_DENIED" in verdict.sentence


def test_a_command_that_is_not_there_is_blamed_once() -> None:
    """What the hidden command would have done is skipped: extension.entry-points is the one that speaks."""
    hidden = reports.refused("vkGetMemoryZirconHandlePropertiesFUCHSIA", "", "there is no such entry point")
    bad = _in_rows("images", "trip", hidden)(_in_rows("properties", "properties", hidden)(good_device()))
    bad = no_entry_point(bad)
    silent = (Outcome.PASS, Outcome.SKIP)
    told = [check.id for check in in_order() if check.verdict(facts(bad), bad).outcome not in silent]
    assert told == ["extension.entry-points"]


def test_zeros_are_no_uuid() -> None:
    """Two GPUs of a driver that does not fill it in are two GPUs."""
    zero = Answer(Uuids("00000000-0000-0000-0000-000000000000", "1"))
    one, other = (identity(uuids=zero)(good_device(index)) for index in (0, 1))
    assert REGISTRY["device.unique"].verdict(facts(one, other), one).outcome is Outcome.SKIP


def test_a_rule_of_practice_never_fails() -> None:
    """Where no rule demands it, a check warns at most, even if its function finds a failure."""
    good = good_device()
    for check in REGISTRY.values():
        strict = replace(check, judge=lambda *_: [RowResult(Outcome.FAIL, "it is bad")])
        worst = Outcome.WARN if check.rule == PRACTICE else Outcome.FAIL
        assert strict.verdict(facts(good), good).outcome is worst, check.id


def test_a_rule_is_cited_where_it_is_about_the_check() -> None:
    """An import rests on no sentence about exports, and a death by a wrong handle on the one that forbids it."""
    exports, imports = "VUID-VkExportMemoryAllocateInfo-handleTypes-09860", "VK_EXTERNAL_MEMORY_FEATURE_IMPORTABLE_BIT"
    cited = {check.id: (exports in check.rule, imports in check.rule) for check in in_order()}
    assert cited["capabilities.agree-export"] == (True, False)
    assert cited["capabilities.agree-import"] == (False, True)
    assert cited["capabilities.images"] == (True, True)
    assert "validate external handles" in REGISTRY["negative.survives"].rule
    assert "fundamentals.adoc" in REGISTRY["export.fresh-zeros"].text.advice


def test_a_device_without_the_extension_is_a_skip() -> None:
    """A missing extension is one finding, and the rest are skips."""
    bare = reports.without_extension(good_device())
    for check in REGISTRY.values():
        outcome = check.verdict(facts(bare), bare).outcome
        assert outcome is Outcome.SKIP or (outcome is Outcome.PASS and not check.needs_extension), check.id


def test_a_device_that_was_never_asked_is_a_skip() -> None:
    """Facts that stop early are skips: never an exception, never a pass."""
    begin = {"event": "begin", "step": "device0/identity", "fact": "identity", "device": 0, "key": {}}
    facts = reports.folded([begin, {"event": "done"}]).facts
    (device,) = facts.devices
    assert {check.verdict(facts, device).outcome for check in REGISTRY.values()} == {Outcome.SKIP}


def test_a_refused_extension_list_is_one_failure() -> None:
    """Only extension.listed speaks of it; the rest say what is not known, and skip."""
    bad = replace(good_device(), extensions=Answer(None, reports.refused("vkX", "VK_ERROR_UNKNOWN")))
    outcomes = {check.id: check.verdict(facts(bad), bad).outcome for check in REGISTRY.values()}
    assert [name for name, outcome in outcomes.items() if outcome is Outcome.FAIL] == ["extension.listed"]
    for check in REGISTRY.values():
        assert outcomes[check.id] in (Outcome.FAIL, Outcome.SKIP) or not check.needs_extension, check.id


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda d: replace(d, external_buffers=()), "A dependency of VK_FUCHSIA_external_memory is missing."),
        (lambda d: replace(d, opened=Answer(None, REFUSED)), "The device did not open: vkAllocateMemory returned"),
        (lambda d: replace(d, exports=(), imports=()), "No memory type can be exported."),
        (
            lambda d: replace(
                d, imports=(), exports=tuple(replace(e, handle=Answer(None, REFUSED)) for e in d.exports)
            ),
            "Nothing was exported: vkAllocateMemory returned VK_ERROR_OUT_OF_DEVICE_MEMORY.",
        ),
        (lambda d: replace(d, imports=()), "The exported number is not a VMO handle"),
    ],
)
def test_a_check_that_has_nothing_to_look_at_says_why(change: Change, reason: str) -> None:
    """The first thing on the way that was not there is the reason of the skip."""
    bare = change(replace(good_device(), outlives=()))
    verdict = REGISTRY["export.outlives"].verdict(facts(bare), bare)
    assert verdict.outcome is Outcome.SKIP
    assert verdict.sentence.startswith(reason)


@pytest.mark.parametrize(
    ("rows", "reason"), [(0, "Only run with --negative."), (1, "An earlier step failed, so this was not tested.")]
)
def test_an_option_is_asked_for_only_where_it_was_not_given(rows: int, reason: str) -> None:
    """The option was given although the wrong inputs could not be tried, for example after a lost device."""
    untried = tuple(replace(row, refusal=not_asked("lost")) for row in good_device().negative[:rows])
    device = replace(good_device(), negative=untried)
    assert REGISTRY["negative.handle-kept"].verdict(facts(device), device).sentence == reason


def test_a_second_handle_that_is_none_fails() -> None:
    """A driver that fails to duplicate gives 0 at the second get: goldfish, and VK_SUCCESS all the same."""
    zero = reports.handle(0, value="0x00000000", valid=Answer(False))
    bad = pair("two_gets", second=zero, seen=Answer(None, REFUSED))(good_device())
    verdict = REGISTRY["export.handle-given"].verdict(facts(bad), bad)
    assert (verdict.outcome, verdict.steps) == (Outcome.FAIL, ("device0/type0/export.two-gets",))


def test_one_vmo_for_two_allocations_fails() -> None:
    """Equal koids are one object, also where its bytes cannot be looked at."""
    unreadable: Answer[Comparison] = Answer(None, reports.refused("zx_vmo_read", "ZX_ERR_BAD_STATE"))
    bad = pair("two_exports", second=reports.handle(0), seen=unreadable)(good_device())
    assert REGISTRY["export.two-exports-apart"].verdict(facts(bad), bad).outcome is Outcome.FAIL


def test_bytes_seen_by_their_writer_alone_are_nothing_shared() -> None:
    """What is read through the allocation that was written is no round trip."""
    nowhere: Answer[Comparison] = not_asked("no")
    trip = RoundTrip(64, Answer(SAME), nowhere, nowhere, nowhere)
    rows = tuple(replace(row, round_trip=Answer(trip)) for row in good_device().data if row.write is Write.HOST_MAP)
    alone = replace(good_device(), data=rows)
    assert REGISTRY["data.host-write"].verdict(facts(alone), alone).outcome is Outcome.SKIP


@pytest.mark.parametrize("call", ["vkCreateBuffer", "vkBindBufferMemory", "vkGetMemoryZirconHandleFUCHSIA"])
def test_what_is_refused_beside_an_import_is_no_broken_promise(call: str) -> None:
    """Only the importing allocation says whether imports work."""
    bad = imports(reports.refused(call, "VK_ERROR_OUT_OF_HOST_MEMORY"))(good_device())
    assert REGISTRY["capabilities.agree-import"].verdict(facts(bad), bad).outcome is Outcome.SKIP


def test_a_crashed_export_is_a_crash() -> None:
    """A step that took the driver down is a crash in the checks that rest on it, named with call and signal."""
    bad = refused_export(CRASHED)(good_device())
    verdict = REGISTRY["export.memory-type"].verdict(facts(bad), bad)
    assert (verdict.outcome, verdict.sentence) == (Outcome.CRASH, "Memory type 0: the driver crashed in vkX (SIGSEGV).")


def test_a_vmo_that_the_host_cannot_read_is_a_skip() -> None:
    """ZX_ERR_BAD_STATE means that the VMO is not CACHED: it does not apply, and is no failure."""
    missing: Answer[Comparison] = Answer(None, reports.refused("zx_vmo_read", "ZX_ERR_BAD_STATE"))
    bad = replace(good_device(), outlives=(Outlives(0, missing),))
    assert REGISTRY["export.outlives"].verdict(facts(bad), bad).outcome is Outcome.SKIP


def test_the_worst_row_gives_the_verdict() -> None:
    """Rows with the same sentence are told together; a skipped row hides neither a pass nor a failure."""
    rows = [
        RowResult(Outcome.PASS, "it is good", "memory type 0", "a"),
        RowResult(Outcome.SKIP, "it was left out", "memory type 1", "b"),
        RowResult(Outcome.FAIL, "it is bad", "memory type 2", "c"),
        RowResult(Outcome.FAIL, "it is bad", "memory type 3", "d"),
        RowResult(Outcome.FAIL, "it is worse", "vkX", "e"),
    ]
    verdict = fold(rows)
    assert verdict.outcome is Outcome.FAIL
    assert verdict.sentence == "Memory types 2-3: it is bad. vkX: it is worse."
    assert verdict.steps == ("c", "d", "e")
    assert fold(rows[:2]).outcome is Outcome.PASS
    assert fold(rows[1:2]).outcome is Outcome.SKIP


def test_no_row_that_is_not_good_is_hidden_by_a_worse_one() -> None:
    """A crash outranks a failure, and a failure a warning: each is told, the worst first, with its steps."""
    rows = [
        RowResult(Outcome.WARN, "it is odd", "memory type 0", "a"),
        RowResult(Outcome.FAIL, "it is bad", "memory type 1", "b"),
        RowResult(Outcome.INFO, "it is good to know", "memory type 2", "c"),
        RowResult(Outcome.CRASH, "it died", "memory type 3", "d"),
    ]
    verdict = fold(rows)
    assert verdict.outcome is Outcome.CRASH
    assert verdict.sentence == "Memory type 3: it died. Memory type 1: it is bad. Memory type 0: it is odd."
    assert verdict.steps == ("d", "b", "a")


def test_every_wrong_input_that_is_not_refused_rightly_is_told() -> None:
    """An import that succeeds fails the check, another error than the listed one warns, and neither hides the other."""
    (of_import, *_) = (row for row in good_device().negative if row.call == "vkAllocateMemory")
    odd = replace(of_import, what="zero", refusal=Answer(Refusal("VK_ERROR_MEMORY_MAP_FAILED", None)))
    taken = replace(of_import, what="event", refusal=Answer(Refusal("VK_SUCCESS", None)))
    died = replace(of_import, what="closed", refusal=Answer(None, CRASHED))
    said = "Zero: refused with VK_ERROR_MEMORY_MAP_FAILED, not with VK_ERROR_INVALID_EXTERNAL_HANDLE."
    only_odd = replace(good_device(), negative=(of_import, odd))
    verdict = REGISTRY["negative.import-refused"].verdict(facts(only_odd), only_odd)
    assert (verdict.outcome, verdict.sentence) == (Outcome.WARN, said)
    bad = replace(good_device(), negative=(odd, died, taken, of_import))
    verdict = REGISTRY["negative.import-refused"].verdict(facts(bad), bad)
    assert verdict.outcome is Outcome.FAIL
    assert verdict.sentence == f"Event: the import succeeded. Closed: the driver crashed in vkX (SIGSEGV). {said}"
    assert len(verdict.steps) == 3


def test_dying_of_a_wrong_input_hides_no_failure() -> None:
    """A wrong input that is taken fails the check, though the driver died of another; a death alone is a crash."""
    (of_import, *_) = (row for row in good_device().negative if row.call == "vkAllocateMemory")
    died = replace(of_import, what="zero", refusal=Answer(None, CRASHED))
    taken = replace(of_import, what="too-large", refusal=Answer(Refusal("VK_SUCCESS", None)))
    bad = replace(good_device(), negative=(died, taken))
    verdict = REGISTRY["negative.import-refused"].verdict(facts(bad), bad)
    assert verdict.outcome is Outcome.FAIL
    assert verdict.sentence == "Too-large: the import succeeded. Zero: the driver crashed in vkX (SIGSEGV)."
    only_died = replace(bad, negative=(died,))
    assert REGISTRY["negative.import-refused"].verdict(facts(only_died), only_died).outcome is Outcome.CRASH


def test_ids_are_dotted_and_told_in_the_readers_order() -> None:
    """Groups come in the order in which a reader wants to know, and every id belongs to one."""
    groups = [check.id.partition(".")[0] for check in in_order()]
    assert groups == sorted(groups, key=GROUPS.index)
    assert len(in_order()) == len(REGISTRY)
