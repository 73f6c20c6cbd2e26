# SPDX-License-Identifier: Apache-2.0
"""The outermost level: every way to end becomes an exit code and at most a sentence, never a traceback."""

import os
import sys
from collections.abc import Sequence

from vkzircon_cli import output
from vkzircon_cli.errors import Exit, Stop, missing_package
from vkzircon_cli.model.base import BadValue
from vkzircon_cli.worker import interrupt

_TRACE_VARIABLE = "VKZIRCON_TRACEBACK"


def run() -> int:
    """Run the command line of this process and return its exit code."""
    try:
        return _run(sys.argv[1:])
    except KeyboardInterrupt:
        return _interrupted()
    except output.PipeClosed:
        return Exit.PIPE_CLOSED
    except (Stop, BadValue) as ended:
        output.say(f"vkzircon: {ended.message} {ended.hint}".rstrip())
        return ended.exit_code if isinstance(ended, Stop) else Exit.USAGE
    except ImportError as error:
        stop = missing_package(error)
        output.say(f"vkzircon: {stop.message} {stop.hint}")
        return stop.exit_code
    except Exception as error:
        if os.environ.get(_TRACE_VARIABLE):
            raise
        return _unforeseen(error)


def _run(arguments: Sequence[str]) -> int:
    from vkzircon_cli.cli import main

    return main.run(arguments)


def _interrupted() -> Exit:
    """Say that a signal left no result; `interrupt.exit_code` knows which code that is."""
    if (heard := interrupt.signal_heard()) is not None:
        output.say(f"vkzircon: Interrupted by {heard.name} before a whole result was written.")
    return Exit.INTERRUPTED


def _unforeseen(error: Exception) -> Exit:
    if interrupt.is_interruption(error):
        return _interrupted()
    output.say(f"vkzircon: {_describe(error)}")
    return Exit.OUR_FAULT


def _describe(error: Exception) -> str:
    what = " ".join(f"{type(error).__name__}: {error}".split())[:300]
    return (
        f"A fault of vkzircon's own: {what}. Please report it with the command line and the trace that "
        f"{_TRACE_VARIABLE}=1 prints."
    )
