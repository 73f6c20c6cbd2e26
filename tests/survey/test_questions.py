# SPDX-License-Identifier: Apache-2.0
"""Questions about generated reports, whose truth is known, give that truth; and SQL agrees with the rules in Python."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import many_reports
import pytest
import reports
from many_reports import Made
from program import Ran, Run

from vkzircon_cli.checks import REGISTRY, Outcome
from vkzircon_cli.diff.compare import compare
from vkzircon_cli.errors import Usage
from vkzircon_cli.model.base import Answer
from vkzircon_cli.model.facts import Identity
from vkzircon_cli.model.queries import INDEX, UUID, match_devices
from vkzircon_cli.render.json import render_json
from vkzircon_cli.report.conditions import FACTS, Seen, judge, parse_condition
from vkzircon_cli.saved.load import read as read_report
from vkzircon_cli.survey import files
from vkzircon_cli.survey.answer import survey
from vkzircon_cli.survey.questions import Asked, moment
from vkzircon_cli.survey.reading import engine, read
from vkzircon_cli.survey.tables import DECLARED, NUMBER, TABLES, column_of

CAPTURES = Path(__file__).parents[1] / "golden" / "captures"
SINCE = "2026-02-15"


@pytest.fixture(name="plan", scope="module")
def _plan() -> list[Made]:
    return many_reports.plan(120, seed=7)


@pytest.fixture(name="tables", scope="module")
def _tables(plan: list[Made], tmp_path_factory: pytest.TempPathFactory) -> str:
    """Export the tables of 120 reports."""
    folder = tmp_path_factory.mktemp("survey")
    many_reports.write(folder / "reports", plan)
    found = survey([str(folder / "reports")], Asked(), folder / "tables")
    assert (found.reports, found.sources.read, found.sources.duplicates) == (120, 120, ())
    return str(folder / "tables")


def test_coverage_is_what_the_generator_made(tables: str, plan: list[Made]) -> None:
    """Each cell counts the runs that met a check, were judged, and failed."""
    found = survey([tables], Asked(by=("driver.name", "driver.version")))
    cells = {(row[0], row[1]): row[2:5] for row in found.rows}
    assert cells == {
        (check, f"{driver} {version}"): numbers
        for (check, driver, version), numbers in many_reports.coverage(plan).items()
    }
    failed: dict[Any, int] = {}
    for check, _, _, _, number, _ in found.rows:
        failed[check] = failed.get(check, 0) + int(number or 0)
    assert list(failed.values()) == sorted(failed.values(), reverse=True), "the worst check comes first"


def test_a_check_that_was_not_judged_is_a_dash(vkzircon: Run, tables: str) -> None:
    """A cell has one dash where a group has no run in which a check was judged."""
    ran = vkzircon("survey", tables, "--by", "driver.name,driver.version", "--format", "html")
    cells = [
        " ".join(re.sub(r"<[^>]+>", " ", cell).split())
        for cell in re.findall(r"<td[^>]*>(.*?)</td>", ran.out, re.DOTALL)
    ]
    assert "-" in cells
    assert "- -" not in cells


def test_changes_are_what_the_generator_made(tables: str, plan: list[Made]) -> None:
    """Each device's last run before a date is compared with its last run after it."""
    found = survey([tables], Asked(since=SINCE))
    changes = {(row[0], row[1], row[-1]) for row in found.rows}
    assert changes == many_reports.changes(plan, moment(SINCE))
    assert {"worse", "better"} <= {row[0] for row in found.rows}


def test_a_device_that_differs_from_all_others_is_an_outlier(tmp_path: Path) -> None:
    """Of four devices with one driver, the one whose check fails is named, with what the others have."""
    usual = [Made(5 * number, f"2026-01-0{number + 1}T00:00:00Z", "1.0", ()) for number in range(3)]
    many_reports.write(tmp_path, [*usual, Made(20, "2026-01-09T00:00:00Z", "1.0", ("extension.listed",))])
    found = survey([str(tmp_path)], Asked(outliers=True))
    rows = [dict(zip(found.columns, row, strict=True)) for row in found.rows]
    assert [(row["what"], row["seen"], row["others_seen"], row["others"]) for row in rows] == [
        ("extension.listed", "fail", "pass", 3)
    ]
    assert "1 device differs" in found.sentence


@pytest.fixture(name="captured", scope="module")
def _captured() -> Iterator[Any]:
    """Read the captures into tables, and yield a function that runs a query over them."""
    with engine() as connection:
        assert len(list(read(connection, files.find([str(CAPTURES)]), {}))) == len(list(CAPTURES.iterdir()))
        yield lambda sql: connection.execute(sql).fetchall()


def _seen() -> Iterator[tuple[Path, Seen, Any]]:
    for path in sorted(CAPTURES.iterdir()):
        report = read_report(path)
        for device in report.devices:
            yield path, Seen(report, device, report.environment.platform, report.emulation.active), report


@pytest.mark.parametrize("name", FACTS)
def test_a_fact_is_the_same_in_a_table_and_in_a_condition(captured: Any, name: str) -> None:
    """The SQL of each fact reads from the captures what --require reads."""
    column = column_of(name)
    number = f", {column}{NUMBER}" if FACTS[name].kind == "version" else ""
    rows = {
        file: rest
        for file, *rest in captured(f"SELECT file, {column}{number} FROM devices JOIN reports USING (report)")
    }
    for path, seen, _ in _seen():
        wanted = FACTS[name].read(seen)
        found, *numbers = rows[str(path)]
        if isinstance(wanted, tuple):
            assert numbers == [wanted[0] << 22 | wanted[1] << 12 | wanted[2]]
            found = tuple(map(int, found.split(".")))
        elif isinstance(wanted, frozenset):
            found = frozenset(filter(None, found.split("|")))
        assert found == wanted, path


@pytest.mark.parametrize(
    "text",
    [
        *("export.handle-is-vmo", "device.hardware", "negative.survives"),
        *("device.type=cpu", "device.name!=it's a \\ name", "device.name!='", "driver.version=0.0.1"),
        *("device.name!=nvidia h200", "driver.name=NVIDIA", "device.vendor=0x10de"),
        *("memory.exportable-types>=2", "memory.largest-heap>1G", "memory.types<3", "extension.revision=1"),
        *(f"device.version{sign}1.3" for sign in ("=", "!=", ">=", ">", "<=", "<")),
        *("device.version>=1.4.312", "device.version>1", "loader.version<1.3.240"),
        *(f"vmo.rights{sign}READ|WRITE|MAP" for sign in ("=", "!=", ">=", ">", "<=", "<")),
        "vmo.rights=DUPLICATE|TRANSFER|READ|WRITE|MAP|GET_PROPERTY|SET_PROPERTY|WAIT|INSPECT",
    ],
)
def test_a_condition_chooses_what_require_accepts(captured: Any, text: str) -> None:
    """A device of a capture is chosen by --where if it meets the same --require."""
    chosen = Asked(where=(text,)).chosen
    found = captured(f"SELECT file FROM devices JOIN reports USING (report) WHERE {chosen}")
    condition = parse_condition(text)
    wanted = []
    for path, seen, report in _seen():
        verdicts = {result.id: result for result in report.checks if result.device == seen.device.index}
        if (condition.fact or condition.name in verdicts) and judge(condition, seen, verdicts).outcome is Outcome.PASS:
            wanted.append(str(path))
    assert sorted(file for (file,) in found) == wanted


def _identity(number: int, model: int, has_uuid: bool) -> Identity:
    uuid = f"{number:032x}" if has_uuid else "0" * 32
    dashed = "-".join((uuid[:8], uuid[8:12], uuid[12:16], uuid[16:20], uuid[20:]))
    known = reports.identity(name=f"model {model}", device_id=model)
    return reports.identity(
        name=known.name,
        device_id=model,
        uuids=Answer(type(known.uuids.value)(dashed, dashed)),  # type: ignore[misc]
    )


@pytest.mark.parametrize("seed", range(20))
def test_devices_are_paired_as_in_diff(seed: int) -> None:
    """Runs of two machines are paired as `match_devices` pairs them, but never by the index alone."""
    chance = Random(seed)
    sides = [
        {
            index: _identity(chance.randrange(1, 9) + 9 * index, chance.randrange(2), chance.random() < 0.7)
            for index in range(4)
        }
        for _ in range(2)
    ]
    was, now = ({index: side[index] for index in range(chance.randrange(1, 5))} for side in sides)
    wanted = {pair for pair in match_devices(was, now).items() if pair[1][1] != INDEX}
    with engine() as connection:
        for name, side in (("was", was), ("now", now)):
            started = "2026-01-01T00:00:00Z" if name == "was" else "2026-02-01T00:00:00Z"
            connection.execute(f"INSERT INTO reports (report, started) VALUES ('{name}', '{started}')")
            for index, who in side.items():
                _insert(connection, name, index, who)
        sql = Asked(since="2026-01-15").query
        pairs = connection.execute(sql.partition("SELECT\n  changed.kind")[0] + _PAIRS).fetchall()
    found = {(index, (match, by)) for index, match, by in pairs}
    assert _by_uuid(found) == _by_uuid(wanted)
    # Of equal models `diff` takes the first that is free; both pair equally many, and prefer the same index.
    assert _models(found, was) == _models(wanted, was)
    assert sum(index == match for index, (match, _) in found) >= sum(index == match for index, (match, _) in wanted)


_Pairs = set[tuple[int, tuple[int, str]]]


def _by_uuid(pairs: _Pairs) -> _Pairs:
    return {pair for pair in pairs if pair[1][1] == UUID}


def _models(pairs: _Pairs, of: dict[int, Identity]) -> list[str]:
    return sorted(of[index].name for index, _ in pairs)


_PAIRS = """
SELECT was.device, now.device, now.matched_by FROM was JOIN now ON now.pair = was.pair
"""


def _insert(connection: Any, report: str, index: int, who: Identity) -> None:
    uuid = who.uuids.value.device_uuid if who.uuids.value else ""
    known = uuid if uuid.strip("0-") else None
    values = (report, index, True, known, who.name, known or f"{who.name} {index}")
    columns = "report, device, selected, device_uuid, device_model, device_key"
    connection.execute(f"INSERT INTO devices ({columns}) VALUES (?, ?, ?, ?, ?, ?)", values)


def test_a_verdict_changes_as_in_diff(tmp_path: Path) -> None:
    """Each pair of outcomes is worse, better or changed as `diff` has it; so is a check that one side lacks."""
    outcomes = [outcome for outcome in Outcome if outcome is not Outcome.ERROR]
    pairs = [(was, now) for was in outcomes for now in outcomes]
    # A check that was skipped without its option is no change.
    ids = sorted(REGISTRY, key=lambda check: not REGISTRY[check].option)[: len(pairs)]
    before, after = (
        _report(started, [(check, pair[side]) for check, pair in zip(ids, pairs, strict=True)])
        for side, started in enumerate(("2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"))
    )
    for name, report in (("a", before), ("b", after)):
        (tmp_path / f"{name}.json").write_text(render_json(report), "utf-8")
    found = survey([str(tmp_path)], Asked(since="2026-01-15"))
    kinds = {row[1]: row[0] for row in found.rows}
    assert kinds == {change.id: change.kind for change in compare(before, after).verdicts if change.device is not None}


def _report(started: str, verdicts: Sequence[tuple[str, Outcome]]) -> Any:
    good = reports.good_report()
    usual = good.checks[0]
    checks = tuple(
        replace(usual, id=check, outcome=outcome, sentence=f"It needs {REGISTRY[check].option}.")
        for check, outcome in verdicts
    )
    return replace(good, checks=checks, causes=(), run=replace(good.run, started=started))


def test_every_declared_field_is_one_of_a_report() -> None:
    """What the engine reads is in the JSON of a report, under the same names."""
    with engine() as connection:
        empty = connection.sql(f"SELECT {', '.join(f'NULL::{of} AS {name}' for name, of in DECLARED.items())}")
        types = list(zip(empty.columns, empty.types, strict=True))
    document = json.loads((CAPTURES / "nvidia-h200-emulated.json").read_text())
    document["environment"]["agent"] = None  # since schema version 1.6
    assert not [path for name, of in types for path in _lacking(name, of, [document[name]])]


def _lacking(path: str, of: Any, values: list[Any]) -> Iterator[str]:
    """Yield the fields of a type that none of the values has."""
    for name, child in of.children if of.id in ("struct", "list") else ():
        if of.id == "list":
            yield from _lacking(path, child, [item for value in values for item in value])
        elif not (below := [value[name] for value in values if name in value]):
            yield f"{path}.{name}"
        else:
            yield from _lacking(f"{path}.{name}", child, [value for value in below if value is not None])


def test_every_table_and_column_has_a_meaning(tables: str) -> None:
    """The exported tables have the declared columns, and the month by which they are divided."""
    for name, table in TABLES.items():
        found = survey([tables], Asked(sql=f"SELECT * FROM {name} LIMIT 1"))
        assert list(found.columns) == [*(column.name for column in table.columns), "month"]
        assert all(column.meaning for column in table.columns)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (Asked(by=("driver.nam",)), "no fact named"),
        (Asked(since="yesterday"), "is not a date"),
        (Asked(until="2026-01-01"), "needs --since"),
        (Asked(since="2026-01-01", outliers=True), "one question"),
        (Asked(since="2026-01-01", baseline="platform=linux"), "one question"),
        (Asked(outliers=True, by=("driver.name",)), "belongs to the table of coverage"),
        (Asked(sql="SELECT 1", where=("platform=linux",)), "does not change a query"),
    ],
)
def test_options_that_do_not_fit_are_refused(asked: Asked, said: str) -> None:
    """A wrong question is refused before anything is read."""
    with pytest.raises(Usage, match=said):
        survey(["/nonexistent"], asked)


def test_the_query_is_printed_as_it_runs(vkzircon: Run, tables: str) -> None:
    """--print-sql needs no reports; what it prints gives the same rows through --sql."""
    printed: Ran = vkzircon("survey", "--by", "driver.name", "--where", "device.type!=cpu", "--print-sql")
    assert (printed.code, printed.err) == (0, "")
    rows = [
        vkzircon("survey", tables, "--format", "json", *options).json["rows"]
        for options in (("--by", "driver.name", "--where", "device.type!=cpu"), ("--sql", printed.out))
    ]
    assert rows[0] == rows[1] != []
