# SPDX-License-Identifier: Apache-2.0
"""Compares two reports: verdicts, facts of the machine, facts of each device, and times."""

from collections.abc import Iterator
from dataclasses import fields

from vkzircon_cli.checks.registry import describe
from vkzircon_cli.diff import model
from vkzircon_cli.diff.differ import Differ, Mismatch, group_mismatches
from vkzircon_cli.diff.labels import FactPath
from vkzircon_cli.diff.model import Area, ChangeKind, Difference, FactChange
from vkzircon_cli.diff.runs import DevicePair, compare_times, compare_verdicts, pair_devices
from vkzircon_cli.model.facts import Device
from vkzircon_cli.model.queries import dependency_leg, display_name
from vkzircon_cli.report.report import Report

# Compared on their own, or different in every two runs.
_ELSEWHERE = ("schema_version", "summary", "error", "device_count", "devices", "checks", "run")
# A device that one run did not select has only an identity there.
_OF_SELECTED = tuple(field.name for field in fields(Device) if field.name not in ("index", "selected", "identity"))
_ORDER = list(Area)


def compare(before: Report, after: Report) -> Difference:
    """Return what differs; times, koids, handle values and resident memory make no difference."""
    pairs = pair_devices(before.devices, after.devices)
    verdicts = compare_verdicts(before, after, pairs)
    facts = sorted(_facts(before, after, pairs), key=lambda change: _ORDER.index(change.area))
    areas = {str(area): sum(change.area is area for change in facts) for area in Area}
    areas[Area.VERDICTS] = sum(change.kind is not ChangeKind.REWORDED for change in verdicts)
    return Difference(
        schema_version=model.DIFFERENCE_SCHEMA_VERSION,
        differs=any(areas.values()),
        areas=areas,
        before=_side(before),
        after=_side(after),
        devices=tuple(_paired(pair) for pair in pairs),
        verdicts=verdicts,
        facts=tuple(facts),
        timings=compare_times(before.run, after.run, pairs),
    )


def _side(report: Report) -> model.Side:
    return model.Side(
        outcome=report.summary.outcome,
        sentence=report.error.message if report.error else report.summary.sentence,
        exit_code=report.summary.exit_code,
        started=report.run.started,
        tool_version=report.tool.version,
        schema_version=report.schema_version,
        emulated=report.emulation.active,
        devices=tuple(display_name(device.identity.value) for device in report.devices),
    )


def _paired(pair: DevicePair) -> model.PairedDevice:
    name = next(display_name(device.identity.value) for device in (pair.after, pair.before) if device)
    was, now = (device.index if device else None for device in (pair.before, pair.after))
    return model.PairedDevice(name, was, now, pair.matched_by)


def _facts(before: Report, after: Report, pairs: list[DevicePair]) -> Iterator[FactChange]:
    differ = Differ(same_version=before.schema_version == after.schema_version)
    yield from group_mismatches(_of_machine(differ, before, after))
    for number, pair in enumerate(pairs):
        yield from group_mismatches(_of_device(differ, before, after, number, pair))


def _of_machine(differ: Differ, before: Report, after: Report) -> Iterator[Mismatch]:
    root = FactPath("report", None)
    yield from differ.records(before, after, root, leave=_ELSEWHERE)
    if before.schema_version != after.schema_version:
        path = root.into(Report, "schema_version")
        yield Mismatch(path, ChangeKind.CHANGED, before.schema_version, after.schema_version)
    counts = before.device_count, after.device_count
    if any(count.missing for count in counts) and counts[0] != counts[1]:
        was, now = (describe(count.missing) if count.missing else str(count.value) for count in counts)
        yield Mismatch(root.into(Report, "device_count"), ChangeKind.CHANGED, was, now)


def _of_device(differ: Differ, before: Report, after: Report, number: int, pair: DevicePair) -> Iterator[Mismatch]:
    known = pair.before or pair.after
    if known is None:
        return
    path = FactPath(f"report.devices[{known.index}]", number)
    if pair.before is None or pair.after is None:
        name = display_name(known.identity.value)
        was, now = (name, None) if pair.before else (None, name)
        here = path.labelled(f"device {known.index}", Area.DEVICE)
        yield Mismatch(here, ChangeKind.GONE if pair.before else ChangeKind.NEW, was, now)
        return
    if not (pair.before.selected and pair.after.selected):
        yield from differ.records(pair.before, pair.after, path, leave=_OF_SELECTED)
        return
    yield from differ.records(pair.before, pair.after, path)
    legs = _leg(before, pair.before), _leg(after, pair.after)
    if legs[0] != legs[1]:
        yield Mismatch(path.labelled("dependencies", Area.EXTENSION), ChangeKind.CHANGED, *legs)


def _leg(report: Report, device: Device) -> str:
    instance, who, extensions = report.instance.value, device.identity.value, device.extensions.value
    if instance is None or who is None or extensions is None:
        return "not known"
    return dependency_leg(instance, who, extensions) or "not there"
