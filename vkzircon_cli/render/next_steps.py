# SPDX-License-Identifier: Apache-2.0
"""What to do next: one or two commands that fit the outcome."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from vkzircon_cli.checks import Outcome
from vkzircon_cli.errors import Exit
from vkzircon_cli.model.host import LINUX
from vkzircon_cli.report.report import Report

if TYPE_CHECKING:
    from vkzircon_cli.report.bench import BenchReport
    from vkzircon_cli.report.matrix import MatrixReport

# A command, and its purpose.
Step = tuple[str, str]


def emulating(report: "Report | BenchReport | MatrixReport", command: str) -> Iterator[Step]:
    """Yield *command* with emulation, where the extension is not offered and can be emulated."""
    missing = report.summary.exit_code == Exit.NOT_OFFERED
    if missing and report.environment.platform == LINUX and not report.emulation.active:
        yield f"{command} --emulate", "the same with the extension emulated by vkzircon's own layer"


def steps_after(report: Report, verbose: bool) -> Iterator[Step]:
    """Yield the commands that help after *report*."""
    again = _command(report)
    code = report.summary.exit_code
    yield from emulating(report, f"vkzircon{_choices(report)}")
    if code == Exit.NOT_OFFERED:
        yield "vkzircon doctor", "why the extension is not there, and what to do about it"
    if code in (Exit.FAILED, Exit.CRASHED, Exit.OUR_FAULT):
        yield _command(report, " bundle"), "one zip with all results for a bug report, names and UUIDs hidden"
    if code == Exit.OK:
        yield f"{again} --format json > report.json", "all results in one file, for scripts"
    if report.summary.outcome is Outcome.TIMEOUT:
        yield f"{again} --timeout 60", "more time for each step, in case the driver is only slow"
    elif code in (Exit.OK, Exit.FAILED, Exit.CRASHED) and not verbose:
        yield f"{again} --verbose", "every check, the time of each step, and everything that the driver printed"


def _command(report: Report, command: str = "") -> str:
    return f"vkzircon{command}{report.emulation.options}{_choices(report)}"


def _choices(report: Report) -> str:
    selected = [device.index for device in report.devices if device.selected]
    chosen = f" --device {selected[0]}" if len(selected) == 1 < len(report.devices) else ""
    stress = any(device.stress for device in report.devices)
    negative = any(device.negative for device in report.devices)
    return f"{chosen}{' --stress' if stress else ''}{' --negative' if negative else ''}"
