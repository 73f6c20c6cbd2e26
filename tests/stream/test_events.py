# SPDX-License-Identifier: Apache-2.0
"""The event stream: what is written is what is folded, and a stream that stops anywhere still folds."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reports import folded

from vkzircon_cli.errors import CannotAsk, NotAsked, Refused
from vkzircon_cli.model.base import NEVER_REACHED, Answer, Missing, MissingKind, not_asked
from vkzircon_cli.model.facts import Extension, Kernel
from vkzircon_cli.model.vmo import Export, Form, Handle
from vkzircon_cli.stream.decoding import decode
from vkzircon_cli.stream.events import Asker, Event, ended, error, to_line

ASK = Asker()
KERNEL = Kernel("libzircon.so", "/boot/lib/libzircon.so", Answer(4096))
HANDLE = Handle("0x00000013", True, Answer(True), *(not_asked("no") for _ in range(4)))


def _stream() -> Iterator[Event]:
    yield from ASK("kernel", "kernel", lambda: KERNEL)
    yield from ASK("device0/extensions", "extensions", lambda: (Extension("VK_X", 1),), device=0)
    key: dict[str, Any] = {"form": Form.PLAIN, "memory_type": 2, "allocation_size": 64}
    yield from ASK("device0/type2/export.plain", "exports", lambda: HANDLE, device=0, **key)
    yield {"event": "select", "devices": [0]}
    yield {"event": "message", "severity": "error", "text": "\x1b[31m"}
    yield {"event": "done"}


def _written() -> list[bytes]:
    return [to_line(event) for event in _stream()]


def test_a_stream_folds_into_the_facts_that_it_was_made_of() -> None:
    """Scalars and rows come back equal, after JSON."""
    transcript = folded(json.loads(line) for line in _written())
    assert transcript.facts.kernel == Answer(KERNEL)
    (device,) = transcript.facts.devices
    assert device.extensions == Answer((Extension("VK_X", 1),))
    assert device.exports == (Export(Form.PLAIN, 2, 64, Answer(HANDLE)),)
    assert device.selected
    assert transcript.messages[0].text == "\x1b[31m"


def test_every_event_is_one_line_of_ascii() -> None:
    """No event holds a raw line break or anything but ASCII."""
    for line in _written():
        assert line.isascii()
        assert line.count(b"\n") == 1


@pytest.mark.parametrize("count", range(10))
def test_a_stream_that_stops_after_any_event_folds(count: int) -> None:
    """What was answered is there; the step that a stream stops in is named; the rest is never reached."""
    transcript = folded(json.loads(line) for line in _written()[:count])
    kernel = transcript.facts.kernel
    in_the_step = Missing(MissingKind.CRASHED, "", "", "the trace stops in this step")
    assert kernel == [Answer(None, NEVER_REACHED), Answer(None, in_the_step), Answer(KERNEL)][min(count, 2)]
    assert transcript.stopped_in == {1: "kernel", 3: "device0/extensions", 5: "device0/type2/export.plain"}.get(count)
    assert transcript.is_cut == (count < len(_written()))
    assert transcript.facts.loader.missing == NEVER_REACHED


def test_a_crash_stands_where_the_answer_would() -> None:
    """The end that a parent writes for its dead child becomes the row's missing answer."""
    *_, begin = list(_stream())[:5]
    missing = Missing(MissingKind.CRASHED, "vkAllocateMemory", "SIGSEGV", "killed by SIGSEGV")
    transcript = folded([begin, ended(begin["step"], missing)])
    assert transcript.facts.devices[0].exports == (Export(Form.PLAIN, 2, 64, Answer(None, missing)),)


def test_refusals_are_answers_and_faults_of_ours_are_not() -> None:
    """Only what says no, or was not asked, becomes data; any other exception is a bug and gets out."""

    def refuse() -> int:
        raise Refused("vkX", "VK_ERROR_UNKNOWN")

    def leave() -> int:
        raise NotAsked("why")

    def fail() -> int:
        raise ZeroDivisionError

    assert folded(ASK("a", "closed", refuse)).facts.closed.missing == Missing(
        MissingKind.REFUSED, "vkX", "VK_ERROR_UNKNOWN", ""
    )
    assert folded(ASK("a", "closed", leave)).facts.closed.missing == Missing(MissingKind.NOT_ASKED, "", "", "why")
    with pytest.raises(ZeroDivisionError):
        list(ASK("a", "closed", fail))


def test_what_stopped_the_probe_comes_through() -> None:
    """A failure keeps its cause, sentence, hint and exit code on its way through the pipe."""
    stop = CannotAsk("no-loader", "No loader.", "Install one.")
    failure = folded([json.loads(to_line(error(stop, stop.cause)))]).failure
    assert failure is not None
    assert (failure.cause, failure.message, failure.hint, failure.exit_code) == (
        "no-loader",
        "No loader.",
        "Install one.",
        4,
    )


@given(st.text(), st.integers(min_value=0, max_value=2**64 - 1))
def test_decoding_undoes_encoding(text: str, number: int) -> None:
    """Strings and 64-bit numbers survive JSON, inside answers and tuples."""
    value = Answer((Extension(text, number),))
    line = to_line({"event": "x", "value": {"value": [{"name": text, "revision": number}], "missing": None}})
    assert decode(Answer[tuple[Extension, ...]], json.loads(line)["value"]) == value


@pytest.mark.parametrize(
    ("refused", "said"),
    [
        (Refused("vkX", "VK_ERROR_DEVICE_LOST"), "vkX returned VK_ERROR_DEVICE_LOST"),
        (Refused("vkX", "", "there is no such entry point"), "vkX: there is no such entry point"),
    ],
)
def test_a_refusal_says_the_result_or_why_there_is_none(refused: Refused, said: str) -> None:
    """A call that the driver does not have gave no result, and none is spoken of."""
    assert refused.said == said
