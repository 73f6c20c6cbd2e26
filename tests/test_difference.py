# SPDX-License-Identifier: Apache-2.0
"""What `compare` calls a difference between two reports, where it puts it, and what it leaves alone."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, get_args, get_origin

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from program import Run as Program
from reports import (
    concluded,
    device,
    emulated,
    good_report,
    handle,
    identity,
    memory,
    refused,
    result,
    round_trip,
    stopped,
    with_devices,
    with_variables,
    without_extension,
)

from vkzircon_cli.answers import Answer
from vkzircon_cli.checks import Outcome
from vkzircon_cli.difference import Area, Difference, Kind, compare
from vkzircon_cli.difference.places import TABLES, Place
from vkzircon_cli.difference.walk import Walk
from vkzircon_cli.events import Message, StepTime, decode
from vkzircon_cli.facts import Device, Extension
from vkzircon_cli.redaction import Redactor, people
from vkzircon_cli.report import CheckResult, Report
from vkzircon_cli.vmo_facts import Export, Form, PairOfHandles, Stress, Stressed
from vkzircon_cli.vocabulary import (
    BUFFER_USAGE_BITS,
    EXTENSION,
    FEATURE_BITS,
    MEMORY_PROPERTY_BITS,
    RIGHT_BITS,
    Version,
    flags,
)

CAPTURES = sorted((Path(__file__).parent / "golden" / "captures").glob("*.json"))
GOOD = good_report()
DEVICE = GOOD.devices[0]


def _with(**changes: Any) -> Report:
    """Make the good report with another device."""
    return with_devices(GOOD, replace(DEVICE, **changes))


def _first_export(**changes: Any) -> Report:
    export = Export(Form.PLAIN, 0, 65536, Answer(handle(0, **changes)))
    return _with(exports=(export, *DEVICE.exports[1:]))


def _fewer_rights() -> Report:
    basic = handle(0).basic.value
    assert basic is not None
    return _first_export(basic=Answer(replace(basic, rights=flags(0xD0EF & ~0x28, RIGHT_BITS))))


def _refused_import() -> Report:
    no = refused("vkAllocateMemory", "VK_ERROR_INVALID_EXTERNAL_HANDLE")
    return _with(imports=tuple(replace(row, imported=Answer(None, no)) for row in DEVICE.imports))


def _no_export() -> Report:
    (buffer,) = DEVICE.external_buffers
    found = buffer.properties.value
    assert found is not None
    return _with(
        external_buffers=(replace(buffer, properties=Answer(replace(found, features=flags(4, FEATURE_BITS)))),)
    )


def _no_entry_point() -> Report:
    opened = DEVICE.opened.value
    assert opened is not None
    first, *others = opened.entry_points
    return _with(opened=Answer(replace(opened, entry_points=(replace(first, resolved=False), *others))))


def _other_bits() -> Report:
    first = DEVICE.properties[0]
    found = first.properties.value
    assert found is not None
    return _with(
        properties=(
            replace(first, properties=Answer(replace(found, memory_type_bits=3, memory_types=(0, 1)))),
            *DEVICE.properties[1:],
        )
    )


def _environment(**changes: Any) -> Report:
    return replace(GOOD, environment=replace(GOOD.environment, **changes))


def _identity(**changes: Any) -> Report:
    return _with(identity=Answer(identity(**changes)))


_WHAT: list[tuple[str, Callable[[], Report], Area, str, str | None, str | None]] = [
    ("name", lambda: _identity(name="Verdant X2"), Area.DEVICE, "name", "Verdant X1", "Verdant X2"),
    ("driver", lambda: _identity(driver_version=Version(2, "")), Area.DEVICE, "driver version", "0x1000002", "0x2"),
    ("info", lambda: _identity(info="release 5"), Area.DEVICE, "driver info", "release 4.2", "release 5"),
    (
        "revision",
        lambda: _with(extensions=Answer((Extension(EXTENSION, 2), Extension("VK_KHR_external_memory", 1)))),
        Area.EXTENSION,
        f"{EXTENSION}: revision",
        "1",
        "2",
    ),
    (
        "not offered",
        lambda: _with(extensions=Answer((Extension("VK_KHR_external_memory", 1),))),
        Area.EXTENSION,
        EXTENSION,
        "revision 1",
        None,
    ),
    (
        "other extension",
        lambda: _with(extensions=Answer((*(DEVICE.extensions.value or ()), Extension("VK_KHR_maintenance1", 2)))),
        Area.DEVICE,
        "other extensions",
        "0",
        "1",
    ),
    (
        "entry point",
        _no_entry_point,
        Area.EXTENSION,
        "entry point vkGetMemoryZirconHandleFUCHSIA: resolved",
        "yes",
        "no",
    ),
    (
        "capability",
        _no_export,
        Area.EXTENSION,
        "buffer capability (TRANSFER_SRC|TRANSFER_DST): features",
        "EXPORTABLE, IMPORTABLE",
        "IMPORTABLE",
    ),
    (
        "heap",
        lambda: _with(memory=Answer(memory(heaps=(8 << 30, 512 << 20)))),
        Area.MEMORY,
        "heap 1: size",
        "256 MiB",
        "512 MiB",
    ),
    (
        "memory type",
        lambda: _with(memory=Answer(memory(types=(1, 7)))),
        Area.MEMORY,
        "memory type 2",
        "heap 0, DEVICE_LOCAL, HOST_VISIBLE, HOST_COHERENT, HOST_CACHED",
        None,
    ),
    (
        "requirements",
        lambda: _with(requirements=()),
        Area.MEMORY,
        "memory requirement (buffer)",
        "64 KiB of memory types 0-2",
        None,
    ),
    (
        "rights",
        _fewer_rights,
        Area.RIGHTS,
        "export (plain) of memory type 0: rights",
        "DUPLICATE, TRANSFER, READ, WRITE, MAP, GET_PROPERTY, SET_PROPERTY, SIGNAL, WAIT, INSPECT",
        "DUPLICATE, TRANSFER, READ, GET_PROPERTY, SET_PROPERTY, SIGNAL, WAIT, INSPECT",
    ),
    (
        "size",
        lambda: _first_export(size=69632),
        Area.SHARING,
        "export (plain) of memory type 0: size and size in ZX_INFO_VMO",
        "64 KiB",
        "68 KiB",
    ),
    (
        "bits",
        _other_bits,
        Area.SHARING,
        "handle properties of memory type 0: memoryTypeBits",
        "0x7 (memory types 0-2)",
        "0x3 (memory types 0-1)",
    ),
    (
        "result",
        _refused_import,
        Area.SHARING,
        "import (same-device plain) of memory types 0-2",
        "imported",
        "vkAllocateMemory answered VK_ERROR_INVALID_EXTERNAL_HANDLE",
    ),
    (
        "handle 0",
        lambda: _first_export(value="0x00000000"),
        Area.SHARING,
        "export (plain) of memory type 0: handle",
        "a handle",
        "0",
    ),
    ("closed", lambda: _with(closed=Answer(None, refused("x", "y"))), Area.DEVICE, "destroying it returned", "yes", ""),
    ("system", lambda: _environment(system="Linux 6.2"), Area.MACHINE, "system", "Linux 6.1.0", "Linux 6.2"),
    (
        "variable",
        lambda: with_variables(GOOD, VK_DRIVER_FILES="/x.json"),
        Area.MACHINE,
        "variable VK_DRIVER_FILES",
        None,
        "/x.json",
    ),
    (
        "tool",
        lambda: replace(GOOD, tool=replace(GOOD.tool, version="9")),
        Area.MACHINE,
        "vkzircon, version",
        "1.0",
        "9",
    ),
    (
        "no loader",
        lambda: replace(GOOD, loader=Answer(None, refused("", "", "there is none"))),
        Area.MACHINE,
        "loader",
        "libvulkan.so.1",
        "there is none",
    ),
    (
        "device count",
        lambda: replace(GOOD, device_count=Answer(None, refused("vkEnumeratePhysicalDevices", "VK_TIMEOUT"))),
        Area.MACHINE,
        "device count",
        "1",
        "vkEnumeratePhysicalDevices answered VK_TIMEOUT",
    ),
]


@pytest.mark.parametrize(("after", "area", "what", "was", "now"), [row[1:] for row in _WHAT], ids=[r[0] for r in _WHAT])
def test_a_change_stands_in_its_area_and_only_there(
    after: Callable[[], Report], area: Area, what: str, was: str | None, now: str | None
) -> None:
    """One thing that changed is one change, in words, with its path; nothing else differs."""
    difference = compare(GOOD, after())
    (change,) = difference.facts
    assert (change.area, change.what, change.before) == (area, what, was)
    assert change.after == now or (now == "" and change.after)
    assert difference.differs
    assert {name: count for name, count in difference.areas.items() if count} == {area: 1}
    assert change.paths[0].startswith("report.")


@pytest.mark.parametrize("after", [row[1] for row in _WHAT], ids=[row[0] for row in _WHAT])
def test_the_other_way_round_is_the_mirror(after: Callable[[], Report]) -> None:
    """Exchanged reports exchange before and after, new and gone, removed and added, and nothing else."""
    swapped = {Kind.NEW: Kind.GONE, Kind.GONE: Kind.NEW}
    forth, back = compare(GOOD, after()), compare(after(), GOOD)
    assert [
        replace(
            change,
            kind=swapped.get(change.kind, change.kind),
            before=change.after,
            after=change.before,
            removed=change.added,
            added=change.removed,
        )
        for change in back.facts
    ] == list(forth.facts)
    assert (back.before, back.after, back.areas) == (forth.after, forth.before, forth.areas)


def _emulated_report() -> Report:
    return emulated(GOOD)


def test_emulated_and_real_differ() -> None:
    """A report of the emulation never passes for one of a driver."""
    changes = {change.what: change.after for change in compare(GOOD, _emulated_report()).facts}
    assert changes["emulation, active"] == "yes"
    assert changes["emulation, settings"] == "persona=strict"


def test_flags_say_what_was_added_and_removed() -> None:
    """Of a flag word the reader is told the bits that differ, in their names."""
    has = DEVICE.memory.value
    assert has is not None
    first, *others = has.types
    other = replace(first, flags=flags(0b110, MEMORY_PROPERTY_BITS))
    (change,) = compare(GOOD, _with(memory=Answer(replace(has, types=(other, *others))))).facts
    assert (change.removed, change.added) == (("DEVICE_LOCAL",), ("HOST_VISIBLE", "HOST_COHERENT"))


def test_what_differs_alike_is_told_once() -> None:
    """One change names all memory types, and has a path for each row."""
    (change,) = compare(GOOD, _refused_import()).facts
    assert change.what.endswith("memory types 0-2")
    assert len(change.paths) == 3


_SAME = [
    GOOD,
    _emulated_report(),
    stopped(GOOD, "No driver.", "Install one."),
    with_devices(GOOD, without_extension(DEVICE)),
    with_devices(GOOD, DEVICE, replace(DEVICE, index=1)),
    with_devices(GOOD, DEVICE, replace(device(1, identity("")), selected=False)),
    with_devices(GOOD),
    *(decode(Report, json.loads(path.read_text())) for path in CAPTURES),
]


@pytest.mark.parametrize("report", _SAME)
def test_a_report_does_not_differ_from_itself(report: Report) -> None:
    """No change of any kind, not even a lesser one."""
    difference = compare(report, report)
    assert not difference.differs
    assert (difference.verdicts, difference.facts, difference.timings.steps) == ((), (), ())


def _volatile(koid: int, value: int, ms: float, resident: int) -> Report:
    """Make a report that differs from others made so in what is chance."""

    def changed(index: int) -> Export:
        made = handle(index)
        basic, info = made.basic.value, made.info.value
        assert basic is not None
        assert info is not None
        return Export(
            Form.PLAIN,
            index,
            65536,
            Answer(
                replace(
                    made,
                    value=f"{value << 2 | 3:#010x}",
                    basic=Answer(replace(basic, koid=str(koid + index))),
                    info=Answer(replace(info, parent_koid=str(koid), committed_bytes=resident)),
                )
            ),
        )

    stress = Stress("imports", 0, Answer(Stressed(4096, koid, koid, resident, resident * 2)))
    report = _with(exports=tuple(map(changed, range(3))), stress=(stress,))
    run = replace(GOOD.run, started=str(koid), duration_ms=ms, steps=(StepTime("loader", ms, ms),))
    checks = (*GOOD.checks, result(Outcome.INFO, "stress.memory", f"{resident} KiB more are resident."))
    return replace(report, run=run, checks=checks)


_numbers = st.integers(1, 1 << 29)
_chance = st.builds(_volatile, _numbers, _numbers, st.floats(0, 1e300), _numbers)


@settings(deadline=None)
@given(_chance, _chance)
def test_chance_is_no_difference(before: Report, after: Report) -> None:
    """Koids, handle values, times and resident memory may be anything."""
    difference = compare(before, after)
    assert not difference.differs
    assert (difference.verdicts, difference.facts) == ((), ())


def _trip(wrong: int) -> Report:
    return _with(data=tuple(replace(row, round_trip=Answer(round_trip(wrong))) for row in DEVICE.data))


@pytest.mark.parametrize(
    ("was", "now", "is_same"), [(60000, 60001, True), (5, 7, True), (0, 1, False), (1, 65536, False)]
)
def test_how_many_bytes_are_wrong_is_chance_but_whether_is_not(was: int, now: int, is_same: bool) -> None:
    """Two garbled buffers are alike; a whole one is not, and few wrong bytes are not most of them."""
    assert compare(_trip(was), _trip(now)).differs is not is_same


_OUTCOMES = [
    (Outcome.PASS, Outcome.FAIL, Kind.WORSE),
    (Outcome.FAIL, Outcome.PASS, Kind.BETTER),
    (Outcome.WARN, Outcome.CRASH, Kind.WORSE),
    (Outcome.TIMEOUT, Outcome.FAIL, Kind.BETTER),
    (Outcome.PASS, Outcome.SKIP, Kind.WORSE),
    (Outcome.SKIP, Outcome.PASS, Kind.BETTER),
    (Outcome.SKIP, Outcome.FAIL, Kind.WORSE),
    (Outcome.FAIL, Outcome.SKIP, Kind.CHANGED),
    (Outcome.PASS, Outcome.INFO, Kind.CHANGED),
]


@pytest.mark.parametrize(("was", "now", "kind"), _OUTCOMES)
def test_a_verdict_is_worse_or_better(was: Outcome, now: Outcome, kind: Kind) -> None:
    """The direction is the reader's: what failed and is not looked at any more is neither."""
    before, after = (replace(GOOD, checks=(result(each, "export.size", "Says."),)) for each in (was, now))
    (change,) = compare(before, after).verdicts
    assert (change.kind, change.id, change.device) == (kind, "export.size", 0)
    assert change.before is not None
    assert change.after is not None
    assert (change.before.outcome, change.after.outcome) == (was, now)


def test_verdicts_come_worst_first() -> None:
    """What crashed stands before what failed, before what was skipped, before what is better, new or gone."""
    ids = ["skipped", "failed", "better", "crashed", "gone", "reworded"]
    was = [Outcome.PASS, Outcome.PASS, Outcome.FAIL, Outcome.PASS, Outcome.PASS, Outcome.PASS]
    now = [Outcome.SKIP, Outcome.FAIL, Outcome.PASS, Outcome.CRASH, None, Outcome.PASS]
    before = replace(GOOD, checks=tuple(result(each, name, "So.") for each, name in zip(was, ids, strict=True)))
    checks = [result(each, name, "Otherwise.") for each, name in zip(now, ids, strict=True) if each]
    after = replace(GOOD, checks=(*checks, result(Outcome.PASS, "new", "So.")))
    found = [change.id for change in compare(before, after).verdicts]
    assert found == ["crashed", "failed", "skipped", "better", "new", "gone", "reworded"]


def test_other_words_alone_are_no_difference() -> None:
    """A reworded sentence is told, and the exit code stays 0."""
    before, after = (replace(GOOD, checks=(result(Outcome.PASS, "export.size", says),)) for says in ("A.", "B."))
    difference = compare(before, after)
    assert [change.kind for change in difference.verdicts] == [Kind.REWORDED]
    assert not difference.differs


def test_a_run_that_had_nobody_to_ask_differs() -> None:
    """An error is a change of the whole report, with its message."""
    difference = compare(GOOD, stopped(GOOD, "No driver.", "Install one."))
    first = difference.verdicts[0]
    assert (first.device, first.id) == (None, "conclusion")
    assert first.after is not None
    assert first.after.sentence == "No driver."


def test_another_conclusion_is_never_silent() -> None:
    """Also where no check and no fact tells why, the two ends differ."""
    difference = compare(GOOD, concluded(GOOD, Outcome.FAIL, "It failed.", 1))
    assert difference.differs
    assert [change.id for change in difference.verdicts] == ["conclusion"]


def _two(first: Device, second: Device) -> Report:
    return with_devices(GOOD, first, second)


def _uuid(of: Device, uuid: str) -> Device:
    who = of.identity.value
    assert who is not None
    assert who.uuids.value is not None
    return replace(of, identity=Answer(replace(who, uuids=Answer(replace(who.uuids.value, device_uuid=uuid)))))


def _matched(difference: Difference) -> list[tuple[int | None, int | None, str | None]]:
    return [(pair.before, pair.after, pair.matched_by) for pair in difference.devices]


def test_devices_are_matched_by_uuid_then_name_then_index() -> None:
    """A device that moved or was renamed is still itself; one without any trace of it is told as gone and new."""
    a, b = _uuid(device(0, identity("A")), "a" * 8), _uuid(device(1, identity("B")), "b" * 8)
    moved = _two(_uuid(device(0, identity("B")), "b" * 8), _uuid(device(1, identity("A")), "a" * 8))
    assert _matched(compare(_two(a, b), moved)) == [(0, 1, "UUID"), (1, 0, "UUID")]
    driver_changed = _two(_uuid(a, "c" * 8), _uuid(b, "d" * 8))
    assert _matched(compare(_two(a, b), driver_changed)) == [(0, 0, "name"), (1, 1, "name")]
    other = with_devices(GOOD, _uuid(device(0, identity("C")), "e" * 8))
    assert _matched(compare(_two(a, b), other)) == [(0, 0, "index"), (1, None, None)]


def test_a_uuid_of_zeros_is_nobodys() -> None:
    """Devices of a driver that fills in no UUID are matched by their names."""
    none = "00000000-0000-0000-0000-000000000000"
    a, b = (_uuid(device(index, identity(name)), none) for index, name in enumerate("AB"))
    swapped = _two(replace(b, index=0), replace(a, index=1))
    assert _matched(compare(_two(a, b), swapped)) == [(0, 1, "name"), (1, 0, "name")]


def test_a_device_in_one_report_only_is_said_and_no_more() -> None:
    """Its facts and verdicts are not listed one by one."""
    extra = _uuid(device(1, identity("Other")), "f" * 8)
    checks = (*GOOD.checks, result(Outcome.FAIL, "export.size", "No.", device=1))
    difference = compare(GOOD, replace(_two(DEVICE, extra), checks=checks))
    (change,) = difference.facts
    assert (change.area, change.kind, change.what, change.after) == (Area.DEVICE, Kind.NEW, "device 1", "Other")
    assert difference.verdicts == ()


def test_a_device_that_was_not_selected_is_only_compared_by_who_it_is() -> None:
    """What was not asked is no change of the device."""
    unasked = replace(without_extension(DEVICE), selected=False)
    difference = compare(GOOD, replace(with_devices(GOOD, unasked), checks=()))
    assert [change.what for change in difference.facts] == ["selected"]
    assert difference.verdicts == ()


def test_what_was_redacted_is_no_difference() -> None:
    """A report and what a stranger gets of it do not differ, whatever was hidden."""
    report = with_variables(GOOD, VK_DRIVER_FILES="/home/jdoe/x.json:/home/other/y.json")
    hidden = Redactor(people()).facts(report)
    assert "jdoe" not in str(hidden)
    difference = compare(report, hidden)
    assert not difference.differs, difference.facts
    elsewhere = with_variables(GOOD, VK_DRIVER_FILES="/home/jdoe/z.json:/home/other/y.json")
    assert compare(elsewhere, hidden).differs


@dataclass(frozen=True, slots=True)
class _Record:
    """A record to whose type a newer schema added *later*."""

    size: int
    later: int | None = None


@pytest.mark.parametrize(("same_version", "found"), [(True, 1), (False, 0)])
def test_a_field_that_one_schema_does_not_have_is_not_invented(same_version: bool, found: int) -> None:
    """Between two versions a default may stand for nothing; within one it is a value."""
    walk = Walk(same_version=same_version)
    place = Place("report", None)
    assert len(list(walk.records(_Record(1), _Record(1, 2), place))) == found
    assert len(list(walk.records(_Record(1, 1), _Record(1, 2), place))) == 1


def test_times_are_told_and_make_no_difference() -> None:
    """The steps whose time changed most, the ratio after over before; small changes are noise."""
    steps = (
        StepTime("slower", 0, 10.0),
        StepTime("noise", 0, 0.1),
        StepTime("same", 0, 100.0),
        StepTime("no", 0, None),
    )
    later = (StepTime("slower", 0, 40.0), StepTime("noise", 0, 0.9), StepTime("same", 0, 101.0), StepTime("no", 0, 5.0))
    before, after = (replace(GOOD, run=replace(GOOD.run, steps=each)) for each in (steps, later))
    difference = compare(before, after)
    assert not difference.differs
    assert [(step.step, step.ratio) for step in difference.timings.steps] == [("slower", 4.0)]


def test_a_time_that_is_no_number_is_left_out() -> None:
    """JSON has no infinity, though a file may say 1e999."""
    endless = replace(GOOD, run=replace(GOOD.run, duration_ms=float("inf"), steps=(StepTime("loader", 0, 1e999),)))
    timings = compare(endless, GOOD).timings
    assert (timings.before_ms, timings.steps) == (None, ())


def _row_types(shape: Any) -> Iterator[type]:
    """Find the types of all rows of tables in a type."""
    inner = get_args(shape)
    if get_origin(shape) is tuple and is_dataclass(inner[0]):
        yield inner[0]  # type: ignore[misc]
    for each in (*inner, *([f.type for f in fields(shape)] if is_dataclass(shape) else ())):
        yield from _row_types(each)


def test_every_table_has_a_key() -> None:
    """Rows are matched by what they are about, so that one more row is not a change of all that follow."""
    elsewhere = {Device, CheckResult, StepTime, Message}  # matched by UUID, id and step; messages are chance
    assert set(_row_types(Report)) - elsewhere == {*TABLES, PairOfHandles}


def _usage(bits: int) -> Any:
    return replace(DEVICE.external_buffers[0], usage=flags(bits, BUFFER_USAGE_BITS))


def test_a_row_more_is_one_change() -> None:
    """A row that came in between leaves the others alone."""
    before = _with(external_buffers=(_usage(1), _usage(4)))
    (change,) = compare(before, _with(external_buffers=(_usage(1), _usage(2), _usage(4)))).facts
    assert (change.kind, change.what) == (Kind.NEW, "buffer capability (TRANSFER_DST)")


def _saved(folder: Path, name: str, ran: Any) -> Report:
    (folder / name).write_text(ran.out)
    report: Report = decode(Report, json.loads(ran.out))
    return report


@pytest.mark.parametrize("options", [(), ("--stress", "--negative")], ids=["plain", "everything"])
def test_two_runs_on_one_machine_do_not_differ(emulated: Program, tmp_path: Path, options: tuple[str, ...]) -> None:
    """Whatever changes from run to run is none of our business."""
    first, second = (_saved(tmp_path, name, emulated("--format", "json", *options)) for name in "ab")
    difference = compare(first, second)
    assert not difference.differs, difference.facts
    assert difference.verdicts == ()


def test_a_driver_that_gives_zero_handles_shows(emulated: Program, tmp_path: Path) -> None:
    """The verdicts that fail are the worst changes, what follows from them was skipped, and no right is invented."""
    good = _saved(tmp_path, "good", emulated("--format", "json"))
    zero = _saved(tmp_path, "zero", emulated("--format", "json", "--fault", "export-zero"))
    difference = compare(good, zero)
    failed = {c.id for c in difference.verdicts if c.after and c.after.outcome is Outcome.FAIL}
    assert failed == {"export.handle-given", "export.handle-is-vmo"}
    assert {change.id for change in difference.verdicts[:2]} == failed
    assert {change.kind for change in difference.verdicts} == {Kind.WORSE, Kind.REWORDED}
    assert (difference.areas[Area.RIGHTS], difference.areas[Area.MEMORY]) == (0, 0)
    assert "handle: a handle -> 0" in [
        f"{c.what.rpartition(': ')[2]}: {c.before} -> {c.after}" for c in difference.facts
    ]
