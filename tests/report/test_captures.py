# SPDX-License-Identifier: Apache-2.0
"""Real reports, kept: they are read, judged the same, and written the same but for `kind`."""

import json
from pathlib import Path

import pytest

from vkzircon_cli.checks import in_order
from vkzircon_cli.model.facts import Facts
from vkzircon_cli.model.vmo import Form
from vkzircon_cli.render.json import render_json
from vkzircon_cli.report.report import Report
from vkzircon_cli.stream.decoding import decode

FOLDER = Path(__file__).parents[1] / "golden" / "captures"
CAPTURES = sorted(FOLDER.glob("*.json"))


def _values(document: str) -> dict[str, str]:
    """Return the text of each value at the top of *document*."""
    return {key: json.dumps(value) for key, value in json.loads(document).items()}


@pytest.mark.parametrize("capture", CAPTURES, ids=lambda path: path.stem)
def test_a_capture_keeps_its_keys_and_gets_a_kind(capture: Path) -> None:
    """Written anew, a document of schema 1.3, which has no kind, has its keys and values, and `kind` beside them."""
    text = capture.read_text()
    assert _values(render_json(decode(Report, json.loads(text)))) == _values(text) | {"kind": '"report"'}


@pytest.mark.parametrize("capture", CAPTURES, ids=lambda path: path.stem)
def test_a_capture_is_judged_as_it_was(capture: Path) -> None:
    """Its facts come to the same outcomes under today's checks."""
    report: Report = decode(Report, json.loads(capture.read_text()))
    facts = Facts(
        report.loader, report.kernel, report.instance, report.device_count, report.devices, closed=report.closed
    )
    for device in report.devices:
        then = {result.id: result.outcome for result in report.of_device(device.index)}
        assert {check.id: check.verdict(facts, device).outcome for check in in_order() if check.id in then} == then


def test_the_h100_shared_what_the_issue_asks_for() -> None:
    """On NVIDIA's driver memory types 2 and 3 of 5 take host memory: those were exported and came round whole."""
    report: Report = decode(Report, json.loads((FOLDER / "nvidia-h100-emulated.json").read_text()))
    assert report.summary.exit_code == 0
    assert report.emulation.active
    (device,) = report.devices
    assert {export.memory_type for export in device.exports if export.handle.value} == {2, 3}
    assert {export.form for export in device.exports if export.handle.value} == set(Form)
    assert {row.properties.value.memory_type_bits for row in device.properties if row.properties.value} == {0xC}
    assert all(row.round_trip.value for row in device.data)
