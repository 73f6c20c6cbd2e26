# SPDX-License-Identifier: Apache-2.0
"""A library that does all that a process can do costs its own step: it forges no event, and delays none for long.

Not here: a library that stops or ends its parent by a signal. It has the user's rights, as a shell's `kill` has.
"""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from reports import folded

from vkzircon_cli.bindings.dynlib import open_library
from vkzircon_cli.errors import Exit
from vkzircon_cli.model.request import Request
from vkzircon_cli.stream.events import Asker, Event
from vkzircon_cli.worker import supervisor, worker
from vkzircon_cli.worker.protocol import Answered, OnCall
from vkzircon_cli.worker.task import Task

HARMLESS = (
    "print",
    "fork",
    "fork-twin",
    "daemon",
    "daemon-writes",
    "daemon-execs",
    "ignore-signals",
    "read-all",
    "leave-group",
    "eat",
    "elsewhere",
    "no-death",
    "not-dumpable",
    "no-environment",
    "write-zeros",
)
CRASHES = (
    "exit",
    "quick-exit",
    "_exit",
    "_exit-70",
    "_exit-72",
    "_exit-73",
    "abort",
    "divide",
    "overflow",
    "wild-jump",
    "leave-thread",
    "kill-group",
    "close-all",
    "close-pipes",
    "swap-pipes",
)
HANGS = ("print-without-end", "flood", "exec", "ignore-signals-and-hang", "spin", "stop")
LATER = ("no-blocking", "limits", "no-time")  # what they do may show or not, by the size of pipes and files


def _error(code: int) -> Event:
    return {"event": "error", "cause": "forged", "message": "forged", "hint": "", "exit_code": code}


_END = {"event": "end", "step": "instance", "answer": {"value": 7, "missing": None}}
_DONE = {"event": "done"}
FORGED = {
    **{f"error-{code:d}": (_error(code), _DONE) for code in Exit},
    "end": ({"event": "end"},),
    "answer": (_END,),
    "whole": (_END, _DONE),
    "done": (_DONE,),
    "tick": ({"event": "tick"},),
    "again": ({"event": "again"},),
    "header": ({"event": "header"},),
    "message": (_END, {"event": "message", "severity": "error", "text": "forged", "text_hex": None, "own": True}),
    "of-a-task": ([0, {"answer": "forged"}], [0, None]),
}
RAW = {
    "open": "A",
    "deep": "[" * 100_000,
    "number": "1" * 100_000,
    "frame": f"\n{'0' * 32} {len(json.dumps(_END))} {json.dumps(_END)}\n",
}


@pytest.fixture(name="hostile", scope="session")
def _hostile(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Build the library."""
    built = tmp_path_factory.mktemp("hostile") / "libhostile.so"
    source = Path(__file__).with_name("hostile.c")
    subprocess.run(["cc", "-w", "-shared", "-fPIC", "-pthread", "-o", built, source], check=True)
    return str(built)


def _load(library: str) -> int:
    open_library(library)
    return 1


def _probe(library: str, _request: Request, _on_call: OnCall, answered: Answered) -> Iterator[Event]:
    """Load the library in a step, then ask one more."""
    yield from Asker(answered)("instance", "device_count", partial(_load, library))
    yield from Asker(answered)("later", "device_count", lambda: 2)
    yield {"event": "done"}


def _ends(library: str, form: str, text: str = "") -> tuple[list[Event], dict[str, str | None]]:
    """Run the probe; return its events, and the kind of what is missing by step."""
    request = Request(timeout_s=1, environ={"HOSTILE": form, "HOSTILE_TEXT": text})
    began = time.monotonic()
    events = [
        event for event in supervisor.events(lambda: partial(_probe, library), request) if event["event"] != "tick"
    ]
    worker.end_all()
    assert time.monotonic() - began < 10
    folded(events)
    assert "forged" not in json.dumps(events)
    assert {event["event"] for event in events} <= {"begin", "end", "message", "output"}
    answers = {event["step"]: event["answer"] for event in events if event["event"] == "end"}
    for step, answer in answers.items():
        assert answer["value"] in (None, {"instance": 1, "later": 2}[step])
    return events, {step: answer["missing"] and answer["missing"]["kind"] for step, answer in answers.items()}


@pytest.mark.parametrize("form", HARMLESS + CRASHES + HANGS + LATER)
def test_a_hostile_library_costs_its_own_step_alone(hostile: str, form: str) -> None:
    """Its step has an answer, or ends as a crash or at the limit; the step behind it is asked in each case."""
    _, missing = _ends(hostile, form)
    fates = {
        **dict.fromkeys(HARMLESS, (None,)),
        **dict.fromkeys(CRASHES, ("crashed",)),
        **dict.fromkeys(HANGS, ("timed-out",)),
    }
    assert missing["instance"] in fates.get(form, (None, "crashed"))
    assert missing["later"] in ((None,) if form not in LATER else (None, "crashed"))


@pytest.mark.parametrize("name", [*FORGED, *RAW])
def test_no_text_in_every_descriptor_is_an_event(hostile: str, name: str) -> None:
    """Events of the right shape, in their right order, are refused for want of the key, and a message counts them."""
    text = RAW.get(name) or "".join(f"\n{json.dumps(event)}\n" for event in FORGED[name])
    events, missing = _ends(hostile, "write", text)
    assert missing == {"instance": None, "later": None}
    (told,) = (event["text"] for event in events if event["event"] == "message")
    assert told.startswith("The driver or a layer wrote to vkzircon's own pipe. Refused: ")


@pytest.mark.parametrize("form", ["write", "fork-twin", "flood", "exit", "daemon-writes"])
def test_a_task_is_not_deceived(hostile: str, form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No answer is forged or doubled; what wrote to the pipe, or ended the process, has none."""
    monkeypatch.setenv("HOSTILE", form)
    monkeypatch.setenv("HOSTILE_TEXT", '\n[0, {"answer": "forged"}]\n[0, null]\n')
    began = time.monotonic()
    answers, missing = Task(lambda: iter([_load(hostile)]), 1).answers()
    assert time.monotonic() - began < 5
    assert (answers, missing is None) == (([1], True) if form == "fork-twin" else ([], False))


@pytest.mark.parametrize("is_inherited", [False, True])
def test_a_worker_has_no_descriptor_of_ours_but_its_own(hostile: str, tmp_path: Path, is_inherited: bool) -> None:
    """A trace that is being written, and the requests of another worker, cannot be written to.

    Nor can a descriptor that a shell opened, as for `--output /dev/fd/5`.
    """
    trace = tmp_path / "trace"
    with trace.open("wb", buffering=0) as file:
        file.write(b"ours\n")
        os.set_inheritable(file.fileno(), is_inherited)
        worker.start_first(lambda: partial(_probe, hostile))
        other = worker.Worker(lambda: partial(_probe, hostile))
        try:
            _ends(hostile, "write", "theirs\n")
        finally:
            other.end()
    assert trace.read_bytes() == b"ours\n"
