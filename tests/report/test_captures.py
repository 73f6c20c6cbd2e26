# SPDX-License-Identifier: Apache-2.0
"""Real reports, kept: they are read, judged the same, and written the same but for `kind`."""

import json
from pathlib import Path
from typing import Any

import pytest

from vkzircon_cli.checks import in_order
from vkzircon_cli.model.facts import Facts
from vkzircon_cli.model.vmo import Form
from vkzircon_cli.render.json import render_json
from vkzircon_cli.report.report import Report
from vkzircon_cli.stream.decoding import decode

FOLDER = Path(__file__).parents[1] / "golden" / "captures"
CAPTURES = sorted(FOLDER.glob("*.json"))


@pytest.mark.parametrize("capture", CAPTURES, ids=lambda path: path.stem)
def test_a_capture_comes_back_as_it_was(capture: Path) -> None:
    """No key was lost since a real machine wrote this document, which had no `kind`; later facts are not missed."""
    then = json.loads(capture.read_text())
    now = json.loads(render_json(decode(Report, then)))
    assert now["kind"] == "report"
    assert _cut(now, then) == then
    for key, value in then.items():  # the documents of an older version had another order at the top
        assert json.dumps(_cut(now[key], value)) == json.dumps(value)


def _cut(now: Any, then: Any) -> Any:
    """Return what *now* has of the keys that *then* has."""
    if isinstance(then, dict):
        return {key: _cut(value, then[key]) for key, value in now.items() if key in then}
    if isinstance(then, list):
        return [_cut(*both) for both in zip(now, then, strict=True)]
    return now


@pytest.mark.parametrize("capture", CAPTURES, ids=lambda path: path.stem)
def test_a_capture_is_judged_as_it_was(capture: Path) -> None:
    """Its facts come to the same outcomes under today's checks."""
    report: Report = decode(Report, json.loads(capture.read_text()))
    facts = Facts(
        report.loader, report.kernel, report.instance, report.device_count, report.devices, closed=report.closed
    )
    for device, results in report.of_devices():
        # Of hardware, an emulated run has nothing to say since schema 1.6.
        then = {each.id: each.outcome for each in results if each.id != "device.hardware"}
        assert {check.id: check.verdict(facts, device).outcome for check in in_order() if check.id in then} == then


def test_the_h200_shared_what_the_issue_asks_for() -> None:
    """On NVIDIA's driver memory types 2 and 3 of 5 take host memory: those were exported and came round whole."""
    report: Report = decode(Report, json.loads((FOLDER / "nvidia-h200-emulated.json").read_text()))
    assert report.summary.exit_code == 0
    assert report.emulation.active
    (device,) = report.devices
    assert {export.memory_type for export in device.exports if export.handle.value} == {2, 3}
    assert {export.form for export in device.exports if export.handle.value} == set(Form)
    assert {row.properties.value.memory_type_bits for row in device.properties if row.properties.value} == {0xC}
    assert all(row.round_trip.value for row in device.data)
