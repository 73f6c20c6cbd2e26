# SPDX-License-Identifier: Apache-2.0
"""The beginning and the end of every page: emulation, result and hint; the log, the next commands, and redaction.

The first half is content; the second half writes it on a terminal.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from vkzircon_cli.checks import Outcome
from vkzircon_cli.errors import Exit
from vkzircon_cli.model.base import Answer, record
from vkzircon_cli.model.facts import Extension
from vkzircon_cli.model.host import LINUX
from vkzircon_cli.model.quantities import counted
from vkzircon_cli.model.queries import HOST_MEMORY, find_extension
from vkzircon_cli.model.request import DEFAULT_SIZE, MOST_SECONDS
from vkzircon_cli.render.content import Code, Column, Lines, Look, Mark, Table, outcome_mark
from vkzircon_cli.render.style import Advice
from vkzircon_cli.report.stop_reason import NOT_ISOLATED
from vkzircon_cli.stream.document import Document, Run
from vkzircon_cli.stream.events import Culprit
from vkzircon_cli.stream.fold import StepTime

if TYPE_CHECKING:
    from vkzircon_cli.model.queries import AnyDevice
    from vkzircon_cli.render.writer import Sheet
    from vkzircon_cli.report.bench import BenchReport
    from vkzircon_cli.report.matrix import MatrixReport
    from vkzircon_cli.report.redaction import Hidden
    from vkzircon_cli.report.report import Report

    Probed = Report | BenchReport | MatrixReport

NOTHING_HIDDEN = "Nothing had to be hidden: no user or host name, home folder, secret or UUID was found."
_STEPS = (Column("began, ms", right=True), Column("took, ms", right=True), Column("step"))
_SLOWEST = 10
_MOST_LINES = 10
_NO = Mark(outcome_mark(Outcome.FAIL).glyph, "NO", Look.BAD)
_LEAST_TIMEOUT_S, _LONGER = 60, 4
_FATAL = (Exit.CRASHED, Exit.CANNOT_ASK, Exit.OUR_FAULT)

# A command, and its purpose.
Step = tuple[str, str]


@record
class Opening:
    """The first lines of a page.

    *emulated_by* is empty without emulation, *not_isolated* where the probe had a process of its own.
    """

    emulated_by: str
    not_isolated: str
    mark: Mark
    sentence: str
    hint: str
    left_out: tuple[Culprit, ...]


def opening_of(document: Document) -> Opening:
    """Return the first lines of a page about *document*."""
    emulation, error, summary = document.emulation, document.error, document.summary
    settings = f" ({emulation.settings})" if emulation.settings else ""
    return Opening(
        emulated_by=f"{emulation.layer}{settings}" if emulation.active else "",
        not_isolated=next((m.text for m in document.run.messages if m.text.startswith(NOT_ISOLATED)), ""),
        mark=_NO if summary.exit_code == Exit.NOT_OFFERED else outcome_mark(summary.outcome),
        sentence=error.message if error else summary.sentence,
        hint=error.hint if error else "",
        left_out=tuple(culprit for culprit in document.culprits if culprit.left_out),
    )


def hidden_words(hidden: "Iterable[Hidden]") -> str:
    """Return what was hidden and how often, empty if nothing was."""
    return ", ".join(f"{each.what} ({counted(each.count, 'time')})" for each in hidden)


def steps_table(title: str, steps: Sequence[StepTime]) -> Table:
    """Return steps with their times."""
    took = ("never ended" if step.duration_ms is None else f"{step.duration_ms:.1f}" for step in steps)
    rows = ((f"{step.began_ms:.1f}", time, Code(step.step)) for step, time in zip(steps, took, strict=True))
    return Table(title, _STEPS, tuple(rows), names=2, kind="steps")


def slowest(steps: Sequence[StepTime]) -> Table:
    """Return the slowest steps, the slowest first."""
    took = [step for step in steps if step.duration_ms is not None]
    return steps_table("The slowest steps", sorted(took, key=lambda step: -(step.duration_ms or 0))[:_SLOWEST])


def printed(run: Run, most: int | None = None) -> list[Lines]:
    """Return our messages, the loader's, and the printed output, at most *most* different lines of each."""
    shown = []
    for title, lines in (
        ("Messages of vkzircon", [f"{each.severity}: {each.text}" for each in run.messages if each.own]),
        ("Messages of the loader", [f"{each.severity}: {each.text}" for each in run.messages if not each.own]),
        ("Output of driver and layers", run.output.text.expandtabs().split("\n")),
    ):
        if times := tuple(Counter(line.rstrip() for line in lines if line.strip()).items()):
            shown.append(Lines(title, times[:most], len(times[most:]) if most is not None else 0))
    return shown


def emulating(report: "Probed", command: str, advice: Advice) -> Iterator[Step]:
    """Yield *command* with emulation if the extension is not offered but can be emulated."""
    missing = report.summary.exit_code == Exit.NOT_OFFERED
    can_help = advice.emulates and report.environment.platform == LINUX and any(map(_can_emulate, report.devices))
    if missing and can_help and not report.emulation.active:
        yield f"{command} --emulate{report.environment.options}", "run again with the extension emulated"


def _can_emulate(device: "AnyDevice") -> bool:
    """Whether a device was queried and has what the emulation needs, as far as its extensions are known."""
    listed: Answer[tuple[Extension, ...]] | None = getattr(device, "extensions", None)  # a matrix does not ask for them
    known = listed.value if listed is not None else None
    return device.selected and (known is None or find_extension(known, HOST_MEMORY) is not None)


def _sizes(report: "Report") -> set[int]:
    """Return the sizes of the round trips: one at most, that of --size."""
    trips = (row.round_trip.value for device in report.devices for row in device.data)
    return {trip.size for trip in trips if trip is not None}


def _longer(report: "Report") -> int:
    """Return a --timeout, in seconds, of four times the longest step, and at least a minute."""
    longest = max((step.duration_ms or 0 for step in report.run.steps), default=0)
    return max(_LEAST_TIMEOUT_S, _LONGER * round(longest / 1000))


def steps_after(report: "Report", verbose: bool, advice: Advice) -> Iterator[Step]:
    """Yield the commands that help after *report*."""
    if not advice.probes:
        return
    selected = [device.index for device in report.devices if device.selected]
    choices = f" --device {selected[0]}" if len(selected) == 1 < len(report.devices) else ""
    choices += "".join(f" --size {size}" for size in _sizes(report) - {DEFAULT_SIZE})
    choices += " --stress" if any(device.stress for device in report.devices) else ""
    choices += " --negative" if any(device.negative for device in report.devices) else ""
    options = f"{report.options}{choices}"
    code = report.summary.exit_code
    yield from emulating(report, f"vkzircon{choices}", advice)
    if code == Exit.NOT_OFFERED:
        yield f"vkzircon doctor{report.options}", "find out why the extension is missing"
    if code in (Exit.FAILED, Exit.CRASHED, Exit.OUR_FAULT):
        yield f"vkzircon bundle{options}", "write one file for a bug report"
    if report.summary.outcome is Outcome.TIMEOUT and (longer := _longer(report)) <= MOST_SECONDS:
        yield f"vkzircon{options} --timeout {longer}", "allow more time, if the driver is only slow"
    elif code in (Exit.OK, Exit.FAILED, Exit.CRASHED) and not verbose:
        yield f"vkzircon{options} --verbose", "show every check and step"


def write_circumstances(sheet: "Sheet", opening: Opening) -> None:
    """Write whether a run is emulated, and whether the probe had no process of its own."""
    if opening.emulated_by:
        sheet.prose(sheet.text(f"EMULATED RUN: {opening.emulated_by}", "bold magenta"))
    if opening.not_isolated:
        sheet.item(sheet.text("! NOT ISOLATED  ", "yellow"), opening.not_isolated)


def write_opening(sheet: "Sheet", document: Document, *, with_result: bool = True) -> None:
    """Write the circumstances, the result with a hint, and the manifests left out so that others could be asked."""
    opening = opening_of(document)
    write_circumstances(sheet, opening)
    if with_result:
        write_result(sheet, opening)
    for culprit in opening.left_out:
        label = sheet.text("! LEFT OUT  ", "yellow")
        sheet.item(label, culprit.sentence)
        if culprit.command:
            sheet.value(culprit.command, indent=label.cell_len)


def write_result(sheet: "Sheet", opening: Opening) -> None:
    """Write the answer, with a hint if there is one."""
    label = sheet.mark(opening.mark)
    sheet.item(label, sheet.text(opening.sentence, "bold"))
    if opening.hint:
        sheet.prose(opening.hint, indent=label.cell_len)


def write_log(sheet: "Sheet", document: Document, verbose: bool, *, is_bad: bool) -> None:
    """Write the steps if *verbose*, and the printed lines if *verbose* or *is_bad*."""
    if verbose and document.run.steps:
        sheet.heading(f"Steps ({document.run.duration_ms:.0f} ms in all)")
        sheet.table(steps_table("Steps", document.run.steps))
    if verbose or is_bad:
        write_printed(sheet, document, verbose)


def write_printed(sheet: "Sheet", document: Document, verbose: bool) -> None:
    """Write the loader's messages and the printed output."""
    for lines in printed(document.run, None if verbose else _MOST_LINES):
        sheet.lines(lines)
    if document.run.output.dropped:
        sheet.prose(f"{document.run.output.dropped} more bytes were not kept.", indent=2)


def finished(sheet: "Sheet", document: "Probed", verbose: bool, steps: Iterable[Step]) -> str:
    """Return the page with the log and what to do next at its end."""
    write_log(sheet, document, verbose, is_bad=document.exit_code in _FATAL)
    sheet.commands(steps)
    return sheet.finish()
