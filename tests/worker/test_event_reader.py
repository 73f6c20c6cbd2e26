# SPDX-License-Identifier: Apache-2.0
"""A worker's pipe: its events are read, and what a driver wrote there is refused."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reports import folded

from vkzircon_cli.errors import CannotAsk, Exit
from vkzircon_cli.model.base import Answer
from vkzircon_cli.model.facts import Device, Extension, Kernel
from vkzircon_cli.model.vmo import Form
from vkzircon_cli.stream.events import Asker, Event, error, to_line
from vkzircon_cli.worker.event_reader import EventReader
from vkzircon_cli.worker.frames import FrameReader, frame
from vkzircon_cli.worker.process import new_key

ASK = Asker()
SELECT = {"event": "select", "devices": [0]}
MESSAGE = {"event": "message", "severity": "error", "text": "\u00e4\U0001f600", "text_hex": None, "own": False, "ms": 1}
DONE = {"event": "done", "ms": 2}
STREAM: list[Event] = [
    *ASK("kernel", "kernel", lambda: Kernel("libzircon.so", "/boot/lib/libzircon.so", Answer(4096))),
    MESSAGE,
    SELECT,
    *ASK("device0/extensions", "extensions", lambda: (Extension("VK_X", 1),), device=0),
    *ASK("device0/export", "exports", lambda: None, device=0, form=Form.PLAIN, memory_type=0, allocation_size=64),
    DONE,
]
BEGIN, END = STREAM[:2]
EXPORT = STREAM[6]
KEY = new_key()
FAILED = error(CannotAsk("no-loader", "No loader.", ""), "no-loader")


def _line(event: Any) -> bytes:
    return to_line(event).strip()


def _read(*lines: bytes) -> tuple[list[Event], int]:
    reader = EventReader(Device, KEY)
    return [event for line in lines for event in reader.events(frame(KEY, line))], reader.refused


def test_events_of_a_worker_are_read_unchanged() -> None:
    """No event of a probe is lost or changed, however the pipe splits it."""
    written = b"".join(frame(KEY, _line(event)) for event in STREAM[:-3])
    for size in (1, 7, len(written)):
        reader = EventReader(Device, KEY)
        parts = [written[at : at + size] for at in range(0, len(written), size)]
        read = [event for part in parts for event in reader.events(part)]
        assert (read, reader.refused) == ([json.loads(_line(event)) for event in STREAM[:-3]], 0)


@pytest.mark.parametrize("code", list(Exit))
def test_an_error_has_an_exit_code_that_an_error_may_have(code: Exit) -> None:
    """An error may come in a step or between two, and never with the code of a pass, of a verdict or of writing."""
    told = {**FAILED, "exit_code": code}
    for before in ([], [BEGIN]):
        read, _ = _read(*map(_line, (*before, told)))
        assert read == [*before, *([told] if code in (2, 4, 5, 70, 129, 130, 143) else [])]


@pytest.mark.parametrize(
    "event",
    [
        {"event": "tick"},
        {"event": "again"},
        {"event": "header"},
        {"event": "output", "text": "", "dropped": 0},
        {"event": ["x"]},
        {"event": None},
        {},
        [0, 5],
        None,
        "begin",
        {**FAILED, "cause": None},
        {**FAILED, "exit_code": "4"},
        {**FAILED, "exit_code": True},
        {"event": "select", "devices": "0"},
        {"event": "select", "devices": [[0]]},
        {**MESSAGE, "text": None},
        {**MESSAGE, "text": "\ud800"},
        {**MESSAGE, "ms": "1"},
        {**MESSAGE, "ms": 10**400},
        {**BEGIN, "step": 5},
        {**BEGIN, "step": ["kernel"]},
        {**BEGIN, "device": "0"},
        {**BEGIN, "fact": "devices"},
        {**BEGIN, "fact": "no-such-fact"},
        {**BEGIN, "fact": "extensions"},
        {**BEGIN, "device": 0, "fact": "index"},
        {**EXPORT, "key": {}},
        {**EXPORT, "key": []},
        {**EXPORT, "key": {**EXPORT["key"], "form": "no-such-form"}},
        END,
    ],
    ids=lambda event: json.dumps(event)[:60],
)
def test_what_is_no_event_of_a_probe_is_refused(event: Any) -> None:
    """Unknown kinds, fields of another type, unknown facts, events at the wrong moment."""
    assert _read(json.dumps(event).encode()) == ([], 1)


@pytest.mark.parametrize(
    "raw", [b"A", b"\xff\xfe{", b"[" * 100_000, b"1" * 100_000, b'{"event": NaN}', b"\xed\xa0\x80"]
)
def test_what_is_no_json_is_refused(raw: bytes) -> None:
    """Neither depth, length nor encoding raises."""
    assert _read(raw) == ([], 1)


@pytest.mark.parametrize(
    "forged",
    [
        {**END, "step": "instance"},
        {**END, "answer": {"value": 5, "missing": None}},
        {**END, "answer": {"value": None, "missing": {"kind": "no-such-kind", "call": "", "result": "", "reason": ""}}},
        {**END, "answer": {}},
        {**BEGIN, "step": "another"},
        MESSAGE,
        SELECT,
        DONE,
    ],
    ids=lambda event: json.dumps(event)[:60],
)
def test_a_step_ends_with_its_own_answer_alone(forged: Event) -> None:
    """No other event is read while the driver is in a step, and the answer that follows counts."""
    assert _read(_line(BEGIN), _line(forged), _line(END)) == ([BEGIN, json.loads(_line(END))], 1)


@pytest.mark.parametrize(
    "forged",
    [
        _line(FAILED),
        frame(new_key(), _line(FAILED)),
        frame(b"", _line(FAILED)),
        frame(KEY[:-1], _line(FAILED)),
        frame(KEY, _line(FAILED)).replace(b" ", b" 0", 1),
        frame(KEY, _line(FAILED)).replace(b"No", b"A ", 1).replace(b"loader", b"load"),
        b"A" + frame(KEY, _line(FAILED))[1:],
    ],
    ids=["bare", "key", "empty", "short", "length", "cut", "begun"],
)
def test_only_a_whole_frame_with_the_key_of_the_worker_is_read(forged: bytes) -> None:
    """An event of the right shape and at the right moment is refused without the key, or with another length."""
    reader = EventReader(Device, KEY)
    assert list(reader.events(forged + b"\n" + frame(KEY, _line(BEGIN)))) == [BEGIN]
    assert reader.refused == 1


@settings(max_examples=300, deadline=None)
@given(st.binary(), st.integers(0, 400), st.integers(1, 64))
def test_bytes_among_the_frames_cost_at_most_the_frame_that_they_hit(junk: bytes, at: int, size: int) -> None:
    """Nothing raises, and each event that is read is the worker's, in its order."""
    texts = [_line(event) for event in STREAM[:4]]
    written = b"".join(frame(KEY, text) for text in texts)
    spoiled = written[:at] + junk + written[at:]
    reader = FrameReader(KEY)
    read = [text for place in range(0, len(spoiled), size) for text in reader.texts(spoiled[place : place + size])]
    assert [text for text in texts if text in read] == read
    assert len(read) >= len(texts) - 1


def test_no_step_begins_twice_and_nothing_follows_an_error_but_the_end() -> None:
    """An answer is final, and so is an error."""
    assert _read(*map(_line, (BEGIN, END, BEGIN)))[1] == 1
    assert _read(*map(_line, (FAILED, BEGIN, FAILED, DONE))) == ([FAILED, DONE], 2)


def test_what_is_not_declared_does_not_pass() -> None:
    """An event keeps the declared fields only."""
    (event,), refused = _read(
        b'{"event": "select", "devices": [0], "more": NaN, "deep": %s}' % (b"[" * 500 + b"]" * 500)
    )
    assert (event, refused) == (SELECT, 0)


def test_a_line_without_end_is_bounded_and_costs_itself_only() -> None:
    """A line that is too long is dropped up to its end; the event behind it is read."""
    reader, part = EventReader(Device, KEY), b"A" * (1 << 20)
    for _ in range(40):
        assert list(reader.events(part)) == []
        assert len(reader._frames._rest) <= 17 << 20
    assert list(reader.events(b"A\n" + frame(KEY, _line(BEGIN)))) == [BEGIN]
    assert reader.refused == 1


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["end", "begin", "error"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def _changed(value: Any, data: st.DataObject) -> Any:
    """Replace a value somewhere in *value*."""
    if isinstance(value, dict | list) and value and data.draw(st.integers(0, 4)):
        places = sorted(value) if isinstance(value, dict) else range(len(value))
        place = data.draw(st.sampled_from(places))
        copy: Any = dict(value) if isinstance(value, dict) else list(value)
        copy[place] = _changed(value[place], data)
        return copy
    return data.draw(_JSON)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_events_that_are_read_can_be_folded_and_written(data: st.DataObject) -> None:
    """No event that is read from a changed stream makes the fold or the trace raise."""
    stream = [json.loads(_line(event)) for event in STREAM]
    at = data.draw(st.integers(0, len(stream) - 1))
    stream[at] = _changed(stream[at], data)
    read, _ = _read(*(json.dumps(event).encode() for event in stream))
    folded(read)
    for event in read:
        to_line(event)
