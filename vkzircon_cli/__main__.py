# SPDX-License-Identifier: Apache-2.0
"""The program's entry. It imports little, so that signals are handled as early as possible."""

import gc
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from vkzircon_cli.cli.commands import COMMANDS
from vkzircon_cli.worker import interrupt

_COMPLETE_VARIABLE = "_VKZIRCON_COMPLETE"


def main() -> NoReturn:
    """Run the command line of this process and leave."""
    # What is imported stays to the end: looking through it for garbage, as often as usual, is a twentieth of the start.
    gc.set_threshold(500_000)
    interrupt.hold()
    try:
        code = _run_with_child() if _asks_vulkan(sys.argv[1:]) else _run()
    except KeyboardInterrupt:
        code = 130  # Exit.INTERRUPTED, which is not imported yet
    # Nothing of ours is buffered, and a driver that hangs in a thread would hang the interpreter's own way out.
    os._exit(interrupt.exit_code(code))


def _asks_vulkan(arguments: Sequence[str]) -> bool:
    """Tell whether a command line, which nobody has read yet, is sure to be of a command that asks the driver."""
    if _COMPLETE_VARIABLE in os.environ or {"--help", "-h", "--version"}.intersection(arguments):
        return False
    if not arguments or arguments[0].startswith("-"):
        return True
    return arguments[0] in COMMANDS and COMMANDS[arguments[0]].depth is not None


def _run_with_child() -> int:
    from vkzircon_cli.worker import worker

    try:
        worker.start_early()
        return _run()
    finally:
        worker.end_all()


def _run() -> int:
    from vkzircon_cli.cli.outermost import run

    return run()


if __name__ == "__main__":
    main()
