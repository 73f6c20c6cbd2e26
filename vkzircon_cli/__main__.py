# SPDX-License-Identifier: Apache-2.0
"""The program's entry: starts the probe's worker early, runs the command line, maps exceptions to an exit code.

The top of this module imports little, because Python's own signal handlers are in force until `main` runs. The code
after it imports as little as possible, so that the worker is forked early.
"""

import gc
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NoReturn

from vkzircon_cli.worker import interrupt, own_end

_ANSWERED_BY_TYPER = {"--help", "-h", "--version"}
_COMPLETE_VARIABLE = "_VKZIRCON_COMPLETE"
_TRACE_VARIABLE = "VKZIRCON_TRACEBACK"


def main() -> NoReturn:
    """Run the command line of this process and exit."""
    interrupt.hold()
    # Almost all objects stay until the end. Garbage collection at the usual rate takes a twentieth of the start time.
    gc.set_threshold(500_000)
    arguments = sys.argv[1:]
    try:
        code = _run_with_worker(arguments) if _asks_the_driver(arguments) else run(arguments)
    except KeyboardInterrupt:
        code = 130  # Exit.INTERRUPTED, which is not imported yet
    except Exception as error:  # noqa: BLE001 - the modules that say more could not be imported
        code = _last_resort(error)
    # No output of ours is buffered, and a driver that hangs in a thread would block the interpreter's own exit.
    os._exit(own_end.status(interrupt.exit_code(code)))


def _last_resort(error: BaseException) -> int:
    """Say what happened, with nothing that must be imported; return 70, the value of Exit.OUR_FAULT."""
    if os.environ.get(_TRACE_VARIABLE):
        sys.excepthook(type(error), error, error.__traceback__)
    said = " ".join(f"{type(error).__name__}: {error}".split())
    with suppress(OSError):
        os.write(2, f"vkzircon: A fault of vkzircon's own: {ascii(said)[1:-1]}.\n".encode())
    return 70


def _asks_the_driver(arguments: Sequence[str]) -> bool:
    """Whether a command line that is not parsed yet certainly has a command that queries the driver."""
    if _COMPLETE_VARIABLE in os.environ or _ANSWERED_BY_TYPER.intersection(arguments):
        return False
    if not arguments or arguments[0].startswith("-"):
        return True
    from vkzircon_cli.cli.command_table import COMMANDS

    return arguments[0] in COMMANDS and COMMANDS[arguments[0]].depth is not None


def _run_with_worker(arguments: Sequence[str]) -> int:
    # Loaded before the fork, once for both processes: that saves 8 ms of a processor, and delays neither.
    import vkzircon_cli.model.request  # noqa: F401
    from vkzircon_cli.worker import worker

    try:
        worker.start_early(_load_probe)
        return run(arguments)
    finally:
        worker.end_all()


def _load_probe() -> Any:
    from vkzircon_cli.probe import probe  # in the worker only: 30 ms, with the binding

    return probe


def run(arguments: Sequence[str]) -> int:
    """Run a command line and return its exit code. A fatal error is one sentence on standard error, no traceback."""
    # Imported after the worker's fork: the worker loads its own modules during these 50 ms.
    from vkzircon_cli import errors, output
    from vkzircon_cli.model.base import BadValue

    try:
        from vkzircon_cli.cli import app

        return app.run(arguments)
    except output.PipeClosed:
        return errors.Exit.PIPE_CLOSED
    except errors.Stop as ended:
        stop = ended
    except BadValue as bad:
        stop = errors.Usage(bad.message, bad.hint)
    except ImportError as error:
        stop = errors.missing_package(error)
    except (KeyboardInterrupt, Exception) as error:
        if interrupt.is_interruption(error):
            if heard := interrupt.signal_heard():
                output.say(f"vkzircon: Interrupted by {heard.name} before a whole result was written.")
            return errors.Exit.INTERRUPTED
        if os.environ.get(_TRACE_VARIABLE):
            raise
        wanted = f"the command line and the trace that {_TRACE_VARIABLE}=1 prints"
        stop = errors.refused_call(error) or errors.OurFault(error, wanted)
    output.say(f"vkzircon: {stop.message} {stop.hint}".rstrip())
    return stop.exit_code


if __name__ == "__main__":
    main()
