# SPDX-License-Identifier: Apache-2.0
"""What to do next: one or two commands that fit the outcome."""

from collections.abc import Iterator

from vkzircon_cli.checks import Outcome
from vkzircon_cli.errors import Exit
from vkzircon_cli.model.host import LINUX
from vkzircon_cli.render.writer import Sheet
from vkzircon_cli.report.report import Report

Step = tuple[str, str]


def write_next_steps(sheet: Sheet, report: Report, verbose: bool) -> None:
    """Write the commands, each with what it is for."""
    steps = list(_steps(report, verbose))
    if steps:
        sheet.heading("Next")
    for command, purpose in steps:
        sheet.value(sheet.text(command, "bold"), indent=2)
        sheet.prose(purpose, indent=4)


def _steps(report: Report, verbose: bool) -> Iterator[Step]:
    again = _command(report, report.emulation.options)
    code = report.summary.exit_code
    if code == Exit.NOT_OFFERED and report.environment.platform == LINUX and not report.emulation.active:
        yield _command(report, " --emulate"), "the same with the extension emulated by a layer of vkzircon's own"
    if code == Exit.NOT_OFFERED:
        yield "vkzircon doctor", "why the extension is not there, and what to do about it"
    if code in (Exit.FAILED, Exit.CRASHED, Exit.OUR_FAULT):
        yield _bundle(report), "everything that was seen in one zip, names and UUIDs hidden: for the bug report"
    if code == Exit.OK:
        yield f"{again} --format json > report.json", "everything that was seen, in one file for scripts and others"
    if report.summary.outcome is Outcome.TIMEOUT:
        yield f"{again} --timeout 60", "gives a driver that is only slow more time for each step"
    elif code in (Exit.OK, Exit.FAILED, Exit.CRASHED) and not verbose:
        yield f"{again} --verbose", "every check, each step's time, and all that the driver printed"


def _command(report: Report, emulate: str) -> str:
    selected = [device.index for device in report.devices if device.selected]
    chosen = f" --device {selected[0]}" if len(selected) == 1 < len(report.devices) else ""
    return f"vkzircon{emulate}{chosen}{_more(report)}"


def _bundle(report: Report) -> str:
    command, _, options = _command(report, report.emulation.options).partition(" ")
    return f"{command} bundle {options}".rstrip()


def _more(report: Report) -> str:
    stress = any(device.stress for device in report.devices)
    negative = any(device.negative for device in report.devices)
    return f"{' --stress' if stress else ''}{' --negative' if negative else ''}"
