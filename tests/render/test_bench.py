# SPDX-License-Identifier: Apache-2.0
"""The bench on terminal and page, rendered from reports made here: every number, every reason, and no markup."""

import json
import re
import unicodedata
from dataclasses import asdict, replace
from typing import Any

import pytest
import reports
from hypothesis import given, settings
from hypothesis import strategies as st
from pages import Parsed
from rich.cells import cell_len

from vkzircon_cli.checks import Outcome
from vkzircon_cli.model.base import Answer, Missing, MissingKind, not_asked
from vkzircon_cli.model.bench import (
    Bandwidth,
    BenchDevice,
    Choice,
    HandOver,
    Latency,
    Limits,
    Move,
    Moved,
    Place,
    TimedCall,
    Timing,
    Way,
)
from vkzircon_cli.model.facts import Extension
from vkzircon_cli.model.request import Depth
from vkzircon_cli.model.spec import EXTENSION
from vkzircon_cli.model.vmo import Form
from vkzircon_cli.render import RENDERERS, render
from vkzircon_cli.render.bench import render_bench_terminal
from vkzircon_cli.render.charts import Chart, charts, without_number
from vkzircon_cli.render.html import render_html
from vkzircon_cli.render.json import render_json
from vkzircon_cli.render.style import Page, Style, View
from vkzircon_cli.report.bench import BenchReport, headline, make_bench
from vkzircon_cli.stream.decoding import decode
from vkzircon_cli.stream.document import EmulationAsked, make_header
from vkzircon_cli.stream.fold import Fold

SCREEN = Page(80, cuts=True, color=False, ascii=False)
MIB = 1 << 20
REFUSED = Missing(MissingKind.REFUSED, "vkAllocateMemory", "VK_ERROR_UNKNOWN", "")
CRASHED = Missing(MissingKind.CRASHED, "vkQueueSubmit", "SIGSEGV", "killed by SIGSEGV")


def _timing(median_ns: int, rounds: int = 1000) -> Timing:
    return Timing(rounds, median_ns, 2 * median_ns if rounds >= 100 else None, median_ns // 2)


def _hand_overs() -> tuple[HandOver, ...]:
    return (
        HandOver(MIB, Way.VMO, Answer(_timing(10_000))),
        HandOver(MIB, Way.COPY, Answer(_timing(20_000))),
        HandOver(64 * MIB, Way.VMO, Answer(_timing(100_000))),
        HandOver(64 * MIB, Way.COPY, Answer(_timing(21_000_000, 12))),
        HandOver(1 << 30, Way.VMO, not_asked("two of 1 GiB would be more than a quarter of heap 0, 2 GiB")),
        HandOver(1 << 30, Way.COPY, not_asked("two of 1 GiB would be more than a quarter of heap 0, 2 GiB")),
    )


def _device(name: str = "Verdant X1", hand_overs: tuple[HandOver, ...] | None = None) -> BenchDevice:
    calls = {call: Answer(_timing(500 * (1 + place))) for place, call in enumerate(TimedCall)}
    moves = {
        (move, place): Answer(Moved(64 * MIB, _timing(5_000_000, 60), 13 << 30)) for move in Move for place in Place
    }
    return BenchDevice(
        index=0,
        selected=True,
        identity=Answer(reports.identity(name)),
        extensions=Answer((Extension(EXTENSION, 1),)),
        memory=Answer(reports.memory()),
        limits=Answer(Limits(0, 2 << 30, None, None, 2 << 30, 512 * MIB, "a quarter of heap 0, 2 GiB")),
        opened=Answer(reports.device().opened.value),
        choice=Answer(Choice(Form.PLAIN, 0, 0, 65536)),
        overhead=Answer(_timing(290)),
        latencies=tuple(
            Latency(call, Answer(None, REFUSED) if call is TimedCall.IMPORT else timed) for call, timed in calls.items()
        ),
        bandwidths=tuple(
            Bandwidth(move, place, Answer(None, CRASHED) if move is Move.GPU_COPY else found)
            for (move, place), found in moves.items()
        ),
        hand_overs=_hand_overs() if hand_overs is None else hand_overs,
        closed=Answer(True),
    )


def _bench(*devices: BenchDevice) -> BenchReport:
    """Sum up devices as an emulated run does."""
    report = reports.emulated(reports.good_report())
    header = make_header(Depth.BENCH, report.environment, EmulationAsked(True, "persona=strict"), "now")
    assert report.instance.value is not None
    instance = replace(report.instance.value, is_emulated=True)
    fold = Fold()
    fold.add({"event": "header", **asdict(header)})
    for step, fact, value in (("instance", "instance", asdict(instance)), ("devices", "device_count", 1)):
        fold.add({"event": "begin", "step": step, "fact": fact, "device": None, "key": {}})
        fold.add({"event": "end", "step": step, "answer": {"value": value, "missing": None}})
    fold.add({"event": "done"})
    return make_bench(fold.transcript(), devices, 10.0)


def _text(bench: BenchReport, page: Page = SCREEN, verbose: bool = False) -> str:
    return render_bench_terminal(bench, page, verbose)


def _chart(title: str, device: BenchDevice | None = None) -> Chart:
    return next(chart for chart in charts(device or _device()) if chart.title.startswith(title))


def test_the_summary_is_the_largest_size_that_went_both_ways() -> None:
    """A crash counts more, and nothing shared is a failure that says why."""
    good = replace(_device(), bandwidths=())
    assert _bench(good).summary.sentence == (
        "Verdant X1: sharing 64 MiB takes 100 µs, copying it 21.0 ms (210x slower)."
    )
    assert (_bench(good).summary.outcome, _bench(good).exit_code) == (Outcome.PASS, 0)
    assert (_bench(_device()).summary.outcome, _bench(_device()).exit_code) == (Outcome.CRASH, 5)
    refused = tuple(replace(row, timed=Answer(None, REFUSED)) for row in _hand_overs() if row.way is Way.VMO)
    none = _bench(replace(good, hand_overs=refused))
    assert (none.summary.outcome, none.exit_code) == (Outcome.FAIL, 1)
    assert "no buffer was shared, since vkAllocateMemory returned VK_ERROR_UNKNOWN" in none.summary.sentence
    without = _bench(replace(good, extensions=Answer(()), hand_overs=()))
    assert (without.summary.outcome, without.exit_code) == (Outcome.SKIP, 3)
    assert without.measured == ()


def test_the_counts_are_of_measurements() -> None:
    """Calls, moves and both ways of each size."""
    assert _bench(_device()).summary.counts == {"measured": 7 + 4 + 4, "not-measured": 1 + 2 + 2}


def test_sharing_that_takes_longer_is_said_so() -> None:
    """A ratio below 1 in a headline would be read the wrong way round."""
    (saving, *_) = _bench(_device()).savings
    assert headline(saving) == "sharing 1 MiB takes 10.0 µs, copying it 20.0 µs (2.00x slower)"
    slow = replace(saving, share_ns=40_000, ratio=0.5)
    assert headline(slow) == "copying 1 MiB takes 20.0 µs, sharing it 40.0 µs (2.00x slower)"


def test_bars_are_longer_for_longer_times() -> None:
    """On one scale for all of a chart, and none without a number."""
    bars = _chart("A whole buffer").bars
    fractions = [bar.fraction for bar in bars if bar.fraction is not None]
    assert fractions == sorted(fractions)
    assert len(fractions) == 4
    assert all(bar.p99 is None or bar.fraction is None or bar.p99 > bar.fraction for bar in bars)
    assert [bar.cells[-1] for bar in bars if bar.cells] == ["", "2.00", "", "210"]
    assert "from 1.00 µs to 100 ms" in _chart("A whole buffer").scale


def test_the_overhead_names_the_caller() -> None:
    """Behind an agent, Python makes no calls to the driver."""
    bench = _bench(_device())
    through = replace(bench, environment=replace(bench.environment, agent="ssh board agent"))
    assert "the time that Python and the clock add to each call" in " ".join(_text(bench).split())
    assert "the time that the agent and the clock add to each call" in " ".join(_text(through).split())


def test_every_row_has_as_many_cells_as_headers() -> None:
    """So that a number stands below what it is."""
    for chart in charts(_device()):
        for bar in chart.bars:
            assert bar.missing is not None or len(bar.cells) == len(chart.headers) - 1


def test_what_has_no_number_stands_once_with_its_reason() -> None:
    """Rows that lack it for the same reason stand together."""
    labels = {each.mark.word: each.of for each in without_number(charts(_device()))}
    assert labels["refused"] == ("import",)
    assert labels["crash"] == ("GPU copies into ordinary", "GPU copies into VMO")
    text = " ".join(_text(_bench(_device())).split())
    assert "refused import: vkAllocateMemory returned VK_ERROR_UNKNOWN" in text
    assert "crash GPU copies into ordinary, GPU copies into VMO: the driver crashed in vkQueueSubmit" in text
    assert "skip 1 GiB by VMO, 1 GiB by copy: two of 1 GiB would be more than a quarter of heap 0" in text


def test_a_device_that_never_opened_has_no_charts() -> None:
    """The reason stands where the numbers would."""
    missing: Answer[Any] = Answer(None, replace(REFUSED, call="vkCreateDevice"))
    device = replace(
        _device(), opened=missing, choice=missing, limits=missing, latencies=(), bandwidths=(), hand_overs=()
    )
    bench = _bench(device)
    assert list(charts(device)) == []
    for text in (_text(bench), render_html(bench, View.REPORT, None)):
        assert "vkCreateDevice returned VK_ERROR_UNKNOWN" in " ".join(text.split())


@pytest.mark.parametrize("width", [20, 40, 60, 80, 140])
def test_no_line_is_wider_than_the_screen(width: int) -> None:
    """80 columns hold the tables; below that they are lists with the same words."""
    text = _text(_bench(_device()), replace(SCREEN, width=width), verbose=True)
    assert max(map(cell_len, text.splitlines())) <= width
    assert "210" in text
    assert bool(re.search("rounds +median +p99 +least", text)) == (width >= 80)


def test_color_and_ascii_change_no_word() -> None:
    """Colour decorates; a stream without our glyphs gets the same bars in plain characters."""
    colored = _text(_bench(_device()), replace(SCREEN, color=True))
    assert re.sub(r"\x1b\[[0-9;]*m", "", colored) == _text(_bench(_device()))
    plain = _text(_bench(_device()), replace(SCREEN, ascii=True))
    assert plain.isascii()
    assert "####" in plain
    assert "100 us" in plain


def test_json_comes_back_as_it_was() -> None:
    """The document is the dataclass, and nothing is lost in it."""
    bench = _bench(_device())
    assert decode(BenchReport, json.loads(render_json(bench))) == bench


def _page(name: str) -> Parsed:
    return Parsed(render_html(_bench(_device(name)), View.REPORT, ()))


def test_the_page_is_sound() -> None:
    """Well formed, one h1, ids unique, pictures named for who cannot look, no script, nothing loaded."""
    parsed = _page("Verdant X1")
    assert not parsed.misfits
    tags = [tag for tag, _ in parsed.tags]
    assert tags.count("h1") == 1
    assert "script" not in tags
    ids = parsed.values("id")
    assert len(ids) == len(set(ids))
    assert set(" ".join(parsed.values("aria-labelledby")).split()) <= set(ids)
    for words in ("64 MiB by copy", "210 times as long", "shows nothing of a driver's own", "VK_ERROR_UNKNOWN"):
        assert words in parsed.text


hostile = st.text(st.characters() | st.sampled_from("<>&\"'`={}% \n\x00\u202e"), max_size=40)


@settings(deadline=None, max_examples=30)
@given(hostile, st.integers(20, 100))
def test_no_name_breaks_a_page(name: str, width: int) -> None:
    """Any name of a device: nothing raises, nothing becomes markup and no control character gets through."""
    bench = _bench(_device(name))
    for each in RENDERERS["bench"]:
        text = render(bench, Style(View.REPORT, each, verbose=True), replace(SCREEN, width=width))
        assert not {c for c in text if unicodedata.category(c) in ("Cc", "Cf")} - {"\n"}
    assert max(map(cell_len, _text(bench, replace(SCREEN, width=width)).splitlines())) <= width
    assert frozenset(_page(name).tags) == frozenset(_page("x").tags)
