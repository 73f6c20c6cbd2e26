# SPDX-License-Identifier: Apache-2.0
"""The probe in a thread of this process, where no worker can be forked: on Fuchsia, or where the system refuses it.

A step that hangs, or calls exit(), ends the run with what was learned. A step that dies otherwise ends the process.
"""

import queue
import threading
import time
from collections.abc import Generator

from vkzircon_cli.model.base import Missing, MissingKind
from vkzircon_cli.model.request import Request
from vkzircon_cli.report.stop_reason import NOT_ISOLATED
from vkzircon_cli.stream.events import Event
from vkzircon_cli.worker import process
from vkzircon_cli.worker.capture import OwnOutput
from vkzircon_cli.worker.isolation import NoProcess, missing_in_time
from vkzircon_cli.worker.last_resort import watch_exit
from vkzircon_cli.worker.protocol import LoadProbe
from vkzircon_cli.worker.run_probe import probe_events
from vkzircon_cli.worker.supervisor import end_of

_TICK_S = 0.2


def events(load: LoadProbe, request: Request) -> Generator[Event, None, None]:
    """Probe in a thread and listen in this one, as `supervisor.events` does.

    The thread waits until each event is taken: what a trace holds of a step is written before the step can crash.

    Raises:
        NoProcess: the system refuses a thread too.
    """
    made: queue.Queue[Event] = queue.Queue(maxsize=1)
    calls = [""]

    def ask() -> None:
        for event in probe_events(load, request, lambda name: calls.__setitem__(0, name), {}):
            made.put(event)
            made.join()

    has_called_exit = watch_exit()
    with OwnOutput() as printed:
        try:
            threading.Thread(target=ask, daemon=True).start()
        except RuntimeError as refused:  # a thread counts as a process where their number is limited
            raise NoProcess("No process and no thread", process.refusal() or str(refused)) from refused
        if why := process.refusal():
            text = f"{NOT_ISOLATED} ({why}), so the driver runs in vkzircon's own process: a crash ends both."
            yield {"event": "message", "severity": "warning", "text": text}
        step, event = None, {"event": ""}
        while event["event"] != "done":
            deadline = time.monotonic() + request.timeout_s
            is_over = False
            while (taken := _take(made)) is None and not (is_over := has_called_exit()) and time.monotonic() < deadline:
                printed.drain()
                yield {"event": "tick"}
            if taken is None:
                exited = Missing(MissingKind.CRASHED, calls[0], "", "it called exit")
                yield end_of(step, exited if is_over else missing_in_time(request.timeout_s, calls[0]))
                break
            event = taken
            step = {"begin": event.get("step"), "end": None}.get(event["event"], step)
            if event["event"] != "done":
                yield event
            made.task_done()
        printed.drain()
    yield printed.capture.event()


def _take(made: "queue.Queue[Event]") -> Event | None:
    try:
        return made.get(timeout=_TICK_S)
    except queue.Empty:
        return None
