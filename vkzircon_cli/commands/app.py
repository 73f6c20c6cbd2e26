# SPDX-License-Identifier: Apache-2.0
"""The application that the commands belong to."""

from typing import Any

import typer
from typer.core import TyperGroup

from vkzircon_cli.options import Version

EPILOG = (
    "Exit codes: 0 nothing failed; 1 a check failed, a condition was not met, or two reports differ; 2 usage; 3 no "
    "chosen device offers the extension; 4 could not ask: no loader, driver, device or permission; 5 the driver "
    "crashed or hung; 6 the result could not be written; 70 a fault of vkzircon's own; 130 interrupted; 141 the reader "
    "closed the pipe."
)


class _ReportByDefault(TyperGroup):
    """A group in which options without a command are the options of `report`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        own = ("--help", "-h", "--version")
        leading = args[0] if args else ""
        # Completion asks with no arguments at all and wants the commands, not the options of one of them.
        is_bare = not args and not ctx.resilient_parsing
        if is_bare or (leading.startswith("-") and leading not in own):
            args = ["report", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    name="vkzircon",
    cls=_ReportByDefault,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
    epilog=EPILOG,
)


@app.callback()
def _root(version: Version = False) -> None:
    """Find out whether this device shares Vulkan memory as a Zircon VMO, whether that works, and if not, why.

    Without a command: report.
    """
