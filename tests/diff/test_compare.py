# SPDX-License-Identifier: Apache-2.0
"""Which facts make two reports differ, in which area, and which never do."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from program import Ran
from program import Run as Program
from reports import (
    altered,
    emulated,
    good_report,
    handle,
    identity,
    memory,
    refused,
    with_variables,
)

from vkzircon_cli.checks import Outcome
from vkzircon_cli.diff import Area, ChangeKind, compare
from vkzircon_cli.model.base import Answer, Missing, MissingKind
from vkzircon_cli.model.facts import Extension
from vkzircon_cli.model.spec import (
    BUFFER_USAGE_BITS,
    EXTENSION,
    FEATURE_BITS,
    MEMORY_PROPERTY_BITS,
    RIGHT_BITS,
    Version,
    flags,
)
from vkzircon_cli.model.vmo import Export, Form
from vkzircon_cli.render.difference import headline
from vkzircon_cli.report.report import Report
from vkzircon_cli.stream.decoding import decode

_CRASH = Missing(MissingKind.CRASHED, "vkFreeMemory", "SIGSEGV", "the process was killed by SIGSEGV")
_LOST = Missing(MissingKind.CRASHED, "vkFreeMemory", "", "the connection to the agent ended")
GOOD = good_report()
DEVICE = GOOD.devices[0]


def _first_export(**changes: Any) -> Report:
    export = Export(Form.PLAIN, 0, 65536, Answer(handle(0, **changes)))
    return altered(exports=(export, *DEVICE.exports[1:]))


def _fewer_rights() -> Report:
    basic = handle(0).basic.value
    assert basic is not None
    return _first_export(basic=Answer(replace(basic, rights=flags(0xD0EF & ~0x28, RIGHT_BITS))))


def _refused_import() -> Report:
    no = refused("vkAllocateMemory", "VK_ERROR_INVALID_EXTERNAL_HANDLE")
    return altered(imports=tuple(replace(row, imported=Answer(None, no)) for row in DEVICE.imports))


def _no_export() -> Report:
    (buffer,) = DEVICE.external_buffers
    found = buffer.properties.value
    assert found is not None
    return altered(
        external_buffers=(replace(buffer, properties=Answer(replace(found, features=flags(4, FEATURE_BITS)))),)
    )


def _no_entry_point() -> Report:
    opened = DEVICE.opened.value
    assert opened is not None
    first, *others = opened.entry_points
    return altered(opened=Answer(replace(opened, entry_points=(replace(first, resolved=False), *others))))


def _other_bits() -> Report:
    first = DEVICE.properties[0]
    found = first.properties.value
    assert found is not None
    return altered(
        properties=(
            replace(first, properties=Answer(replace(found, memory_type_bits=3, memory_types=(0, 1)))),
            *DEVICE.properties[1:],
        )
    )


def _environment(**changes: Any) -> Report:
    return replace(GOOD, environment=replace(GOOD.environment, **changes))


def _identity(**changes: Any) -> Report:
    return altered(identity=Answer(identity(**changes)))


_WHAT: list[tuple[str, Callable[[], Report], Area, str, str | None, str | None]] = [
    ("name", lambda: _identity(name="Verdant X2"), Area.DEVICE, "name", "Verdant X1", "Verdant X2"),
    ("driver", lambda: _identity(driver_version=Version(2, "")), Area.DEVICE, "driver version", "0x1000002", "0x2"),
    ("info", lambda: _identity(info="release 5"), Area.DEVICE, "driver info", "release 4.2", "release 5"),
    (
        "revision",
        lambda: altered(extensions=Answer((Extension(EXTENSION, 2), Extension("VK_KHR_external_memory", 1)))),
        Area.EXTENSION,
        f"{EXTENSION}: revision",
        "1",
        "2",
    ),
    (
        "not offered",
        lambda: altered(extensions=Answer((Extension("VK_KHR_external_memory", 1),))),
        Area.EXTENSION,
        EXTENSION,
        "revision 1",
        None,
    ),
    (
        "other extension",
        lambda: altered(extensions=Answer((*(DEVICE.extensions.value or ()), Extension("VK_KHR_maintenance1", 2)))),
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
        lambda: altered(memory=Answer(memory(heaps=(8 << 30, 512 << 20)))),
        Area.MEMORY,
        "heap 1: size",
        "256 MiB",
        "512 MiB",
    ),
    (
        "memory type",
        lambda: altered(memory=Answer(memory(types=(1, 7)))),
        Area.MEMORY,
        "memory type 2",
        "heap 0, DEVICE_LOCAL, HOST_VISIBLE, HOST_COHERENT, HOST_CACHED",
        None,
    ),
    (
        "requirements",
        lambda: altered(requirements=()),
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
        "vkAllocateMemory returned VK_ERROR_INVALID_EXTERNAL_HANDLE",
    ),
    (
        "handle 0",
        lambda: _first_export(value="0x00000000"),
        Area.SHARING,
        "export (plain) of memory type 0: handle",
        "a handle",
        "0",
    ),
    (
        "closed",
        lambda: altered(closed=Answer(None, refused("x", "y"))),
        Area.DEVICE,
        "vkDestroyDevice returned",
        "yes",
        "",
    ),
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
        "vkEnumeratePhysicalDevices returned VK_TIMEOUT",
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
    swapped = {ChangeKind.NEW: ChangeKind.GONE, ChangeKind.GONE: ChangeKind.NEW}
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


def test_emulated_and_real_differ() -> None:
    """A report of the emulation never passes for one of a driver."""
    changes = {change.what: change.after for change in compare(GOOD, emulated(GOOD)).facts}
    assert changes["emulation, active"] == "yes"
    assert changes["emulation, settings"] == "persona=strict"


def test_where_an_agent_called_the_driver_makes_no_difference() -> None:
    """What another place causes is listed in an area that does not count; the variables there still count."""
    loader = GOOD.loader.value
    assert loader is not None
    there = replace(GOOD.environment, agent="ssh board agent", system="Fuchsia 1", machine="aarch64", isolated=False)
    moved = replace(GOOD, environment=there, loader=Answer(replace(loader, path="/pkg/lib/libvulkan.so")))
    found = compare(GOOD, moved)
    assert (found.differs, set(found.areas.values())) == (False, {0})
    assert {change.what for change in found.facts} == {"agent", "system", "machine", "isolated", "loader, path"}
    assert {change.area for change in found.facts} == {Area.PLACE}
    assert headline(found) == "Nothing differs but where the driver was called."
    with_variable = compare(GOOD, with_variables(moved, VK_DRIVER_FILES="/x.json"))
    assert {name for name, count in with_variable.areas.items() if count} == {Area.MACHINE}


def test_how_a_process_ended_counts_only_where_it_is_known() -> None:
    """Behind a connection, a crash in the same call is the same crash; one in another call is not."""

    def crashed(missing: Missing) -> Report:
        return replace(GOOD, closed=Answer(None, missing))

    assert compare(crashed(_CRASH), crashed(_LOST)).facts == ()
    assert compare(crashed(_LOST), crashed(_CRASH)).facts == ()
    assert compare(crashed(_CRASH), crashed(replace(_CRASH, result="SIGABRT", reason="x"))).facts
    assert compare(crashed(_CRASH), crashed(replace(_LOST, call="vkMapMemory"))).facts


def test_flags_say_what_was_added_and_removed() -> None:
    """A changed flag word lists the names of the bits that differ."""
    has = DEVICE.memory.value
    assert has is not None
    first, *others = has.types
    other = replace(first, flags=flags(0b110, MEMORY_PROPERTY_BITS))
    (change,) = compare(GOOD, altered(memory=Answer(replace(has, types=(other, *others))))).facts
    assert (change.removed, change.added) == (("DEVICE_LOCAL",), ("HOST_VISIBLE", "HOST_COHERENT"))


def test_what_differs_in_the_same_way_is_one_change() -> None:
    """One change names all memory types, and has a path for each row."""
    (change,) = compare(GOOD, _refused_import()).facts
    assert change.what.endswith("memory types 0-2")
    assert len(change.paths) == 3


def _usage(bits: int) -> Any:
    return replace(DEVICE.external_buffers[0], usage=flags(bits, BUFFER_USAGE_BITS))


def test_a_row_more_is_one_change() -> None:
    """A row that came in between leaves the others alone."""
    before = altered(external_buffers=(_usage(1), _usage(4)))
    (change,) = compare(before, altered(external_buffers=(_usage(1), _usage(2), _usage(4)))).facts
    assert (change.kind, change.what) == (ChangeKind.NEW, "buffer capability (TRANSFER_DST)")


def _read(ran: Ran) -> Report:
    report: Report = decode(Report, json.loads(ran.out))
    return report


def test_two_runs_on_one_machine_do_not_differ(emulated: Program) -> None:
    """What varies from run to run makes no difference."""
    first, second = (_read(emulated("--format", "json", "--stress", "--negative")) for _ in range(2))
    difference = compare(first, second)
    assert not difference.differs, difference.facts
    assert difference.verdicts == ()


def test_a_driver_that_gives_zero_handles_shows(emulated: Program) -> None:
    """The verdicts that fail are the worst changes, what follows from them was skipped, and no right is invented."""
    good = _read(emulated("--format", "json"))
    zero = _read(emulated("--format", "json", "--fault", "export-zero"))
    difference = compare(good, zero)
    failed = {c.id for c in difference.verdicts if c.after and c.after.outcome is Outcome.FAIL}
    assert failed == {"export.handle-given", "export.handle-is-vmo"}
    assert {change.id for change in difference.verdicts[:2]} == failed
    assert {change.kind for change in difference.verdicts} == {ChangeKind.WORSE, ChangeKind.REWORDED}
    assert (difference.areas[Area.RIGHTS], difference.areas[Area.MEMORY]) == (0, 0)
    assert "handle: a handle -> 0" in [
        f"{c.what.rpartition(': ')[2]}: {c.before} -> {c.after}" for c in difference.facts
    ]


def test_a_cause_takes_what_follows_into_its_row(emulated: Program, vkzircon: Program, tmp_path: Path) -> None:
    """One refused call is one row among the verdicts, whichever report has it; JSON names the cause of each."""
    for name, options in {"good": (), "bad": ("--fault", "refuse-import")}.items():
        emulated("check", *options, "-o", str(tmp_path / f"{name}.json"))
    for order, word in (("good bad", "worse"), ("bad good", "better")):
        files = [str(tmp_path / f"{name}.json") for name in order.split()]
        text = vkzircon("diff", *files).out
        assert len(re.findall(rf"{word}  import[.]same-device; this also affects [0-9]+ other checks", text)) == 1
        assert f"{word}  data.gpu-fill" not in text
        changes = {change["id"]: change for change in vkzircon("diff", *files, "--format", "json").json["verdicts"]}
        assert (changes["data.gpu-fill"]["cause"], changes["import.same-device"]["cause"]) == ("import.same-device", "")
