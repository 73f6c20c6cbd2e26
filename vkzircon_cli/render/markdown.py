# SPDX-License-Identifier: Apache-2.0
"""The report and the difference for an issue tracker: the verdict first, long parts folded."""

from collections.abc import Iterator, Sequence

from vkzircon_cli.diff import Difference, Side
from vkzircon_cli.model.facts import Device
from vkzircon_cli.model.quantities import counted
from vkzircon_cli.model.queries import device_name
from vkzircon_cli.render import markdown_writer as writer
from vkzircon_cli.render.check_results import Finding, checks_table, counts_of, device_checks, problems
from vkzircon_cli.render.content import Field, why_missing
from vkzircon_cli.render.difference import ChangeRow, Part, headline, parts, times_table, times_words
from vkzircon_cli.render.fields import extension_field, extension_fields, identity_fields, machine_fields
from vkzircon_cli.render.frame import opening_of, printed, steps_table
from vkzircon_cli.render.shared_memory import heap_table, notes, type_table, ways
from vkzircon_cli.render.style import View
from vkzircon_cli.report.redaction import Hidden
from vkzircon_cli.report.report import Report


def render_markdown(report: Report, view: View, hidden: Sequence[Hidden] | None) -> str:
    """Write *report*; the foot says what was *hidden*."""
    return writer.write_page(_opening(report), _sections(report, view), hidden)


def _opening(report: Report) -> str:
    opening = opening_of(report)
    lines = [f"### {opening.mark.word}: {writer.prose(opening.sentence)}"]
    if opening.emulated_by:
        lines[:0] = [f"**EMULATED RUN** by {writer.prose(opening.emulated_by, 2 * writer.MOST_OF_A_CELL)}", ""]
    if opening.hint:
        lines += ["", writer.prose(opening.hint)]
    for culprit in opening.left_out:
        lines += ["", f"**LEFT OUT** {writer.prose(culprit.sentence)}"]
    return "\n".join(lines) + "\n"


def _sections(report: Report, view: View) -> Iterator[writer.Section]:
    """Yield the sections, the most important first."""
    bad = [line for found in problems(report) for line in _problem(report, found)]
    if bad:
        yield writer.Section("What failed or warned", (), bad, is_folded=False)
    yield writer.fields_section("", _overview(report), is_folded=False)
    for device in report.devices:
        if view is View.REPORT and device.selected:
            yield from _device(report, device)
    if view is not View.DEVICES:
        for of, _, results in device_checks(report):
            yield writer.table_section(checks_table(f"All checks{of}: {counts_of(results)}", results))
    yield writer.fields_section("Machine", machine_fields(report))
    yield from map(writer.lines_section, printed(report.run))
    if view is View.REPORT and report.run.steps:
        yield writer.table_section(steps_table(f"Steps: {report.run.duration_ms:.0f} ms in all", report.run.steps))


def _problem(report: Report, found: Finding) -> Iterator[str]:
    of = f" (device {found.device})" if len(report.devices) > 1 else ""
    yield f"- **{found.outcome.upper()}** {writer.code(found.id)}{of}: {writer.prose(found.sentence)}"
    yield from (f"  - {name}: {writer.prose(words)}" for name, words in found.details)


def _overview(report: Report) -> Iterator[Field]:
    """Yield what a reader wants to know first."""
    for device in report.devices:
        unselected = "" if device.selected else " (not selected)"
        yield Field(f"device {device.index}", (f"{device_name(device)}{unselected}",))
        if device.selected and device.identity.value:
            yield from (Field(each.label, each.values[:1]) for each in identity_fields(device) if not each.detail)
            yield extension_field(report, device)
    yield from (Field(each.label, each.values[:1]) for each in machine_fields(report) if not each.detail)
    yield Field("vkzircon", (f"{report.tool.version}, {report.run.started}",))


def _device(report: Report, device: Device) -> Iterator[writer.Section]:
    of = f" (device {device.index})" if len(report.devices) > 1 else ""
    details = [*identity_fields(device), *extension_fields(report, device)]
    if memory := device.memory.value:
        for table in (type_table(device), heap_table(memory.heaps)):
            yield writer.table_section(table, of)
    else:
        details.append(Field("memory", (why_missing(device.memory.missing),)))
    yield writer.fields_section(f"Details{of}", (*details, *notes(device), *ways(device)))


_MOST_OF_A_SENTENCE = 500
_UNFOLDED = 12  # a part with more rows is folded
_HEADERS = ("", "before", "after")


def render_difference_markdown(difference: Difference, hidden: Sequence[Hidden] | None = None) -> str:
    """Write *difference*; the foot says what was *hidden*."""
    sides = zip(("result", "devices", "by", "started"), _side(difference.before), _side(difference.after), strict=True)
    opening = f"### {writer.prose(headline(difference))}\n\n{writer.table(_HEADERS, list(sides))}"
    times = writer.table_section(times_table(difference.timings))
    times = writer.Section(times.title, (times_words(difference.timings), "", *times.head), times.rows)
    return writer.write_page(opening, (*map(_section, parts(difference)), times), hidden)


def _side(side: Side) -> tuple[str, str, str, str]:
    said = writer.prose(side.sentence, _MOST_OF_A_SENTENCE)
    return (
        f"{'EMULATED RUN. ' * side.emulated}**{side.outcome.upper()}**, exit code {side.exit_code}. {said}",
        writer.prose(", ".join(side.devices) or "none", _MOST_OF_A_SENTENCE),
        f"vkzircon {writer.code(side.tool_version, 40)}, schema {writer.code(side.schema_version, 40)}",
        writer.code(side.started, 40),
    )


def _section(part: Part) -> writer.Section:
    is_folded = len(part.rows) > _UNFOLDED
    title = f"{part.title}: {counted(len(part.rows), 'row')}" if is_folded else part.title
    note = ("", writer.prose(part.note)) if part.note else ()
    if not part.rows:
        return writer.Section(title, note[1:], (), is_folded=False)
    return writer.rows_section(title, _HEADERS, map(_cells, part.rows), tail=note, is_folded=is_folded)


def _cells(row: ChangeRow) -> list[str]:
    word = f"**{row.word}** " if row.word else ""
    is_id = row.word and " " not in row.subject
    subject = word + (writer.code if is_id else writer.prose)(row.subject, writer.MOST_OF_A_CELL)
    # Of a set only the members that the other side lacks are shown, which are not the whole set.
    only = "only here: " if row.is_set else ""
    sides = (row.before, row.after)
    return [subject, *("" if each is None else only + writer.prose(each, writer.MOST_OF_A_CELL) for each in sides)]
