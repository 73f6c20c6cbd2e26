# SPDX-License-Identifier: Apache-2.0
"""The program's entry. It imports little, so that Ctrl-C finds somebody to take it as early as can be."""

import os
from typing import NoReturn


def main() -> NoReturn:
    """Run the command line of this process and leave."""
    try:
        from vkzircon_cli.outermost import run

        code = run()
    except KeyboardInterrupt:
        code = 130  # Exit.INTERRUPTED, which is not imported yet
    # Nothing of ours is buffered, and a driver that hangs in a thread would hang the interpreter's own way out.
    os._exit(code)


if __name__ == "__main__":
    main()
