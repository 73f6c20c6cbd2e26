# SPDX-License-Identifier: Apache-2.0
"""The schema is that of the documents: what is written is valid, and what is not so is refused with its path."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import reports
from jsonschema import Draft202012Validator
from program import Run, schema_errors

from vkzircon_cli.model.base import Answer
from vkzircon_cli.model.request import DocumentKind
from vkzircon_cli.render.json import render_json
from vkzircon_cli.report.report import Report
from vkzircon_cli.saved.kinds import SHAPES
from vkzircon_cli.saved.load import read
from vkzircon_cli.saved.schema import NotOfThisShape, parse, schema_of

LARGEST = (1 << 64) - 1


@pytest.mark.parametrize("kind", list(DocumentKind))
def test_python_without_docstrings_writes_the_same_schema(vkzircon: Run, kind: DocumentKind) -> None:
    """PYTHONOPTIMIZE=2 drops docstrings, which are the descriptions."""
    ran = vkzircon("schema", kind, PYTHONOPTIMIZE="2", VKZIRCON_LIBVULKAN="/nonexistent/libvulkan.so")
    assert ran.json == vkzircon("schema", kind).json


@pytest.mark.parametrize("kind", list(DocumentKind))
def test_a_schema_is_one_of_2020_12(vkzircon: Run, kind: DocumentKind) -> None:
    """`schema` needs no Vulkan, and prints what the dialect's own schema takes."""
    ran = vkzircon("schema", kind, VKZIRCON_LIBVULKAN="/nonexistent/libvulkan.so")
    assert (ran.code, ran.err) == (0, "")
    schema = json.loads(ran.out)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    Draft202012Validator.check_schema(schema)


def test_every_key_is_asked_for(vkzircon: Run) -> None:
    """No part of the schema leaves a key out of what is required, so that documents have them all."""
    schema = json.loads(vkzircon("schema").out)
    for part in (schema, *schema["$defs"].values()):
        if "properties" in part:
            assert part["required"] == list(part["properties"])


def _keys(value: Any) -> Any:
    """Return the skeleton of a document: which keys each object has, in order."""
    if isinstance(value, dict):
        return {key: _keys(item) for key, item in value.items()}
    return [_keys(item) for item in value] if isinstance(value, list) else None


def test_sizes_past_a_double_have_a_string_beside() -> None:
    """At 2^53 and above the exact number stands as a string too; the keys are the same for any number."""
    small, large = (
        replace(reports.good_report(), devices=(reports.device(has=reports.memory(heaps=(size,))),))
        for size in (1 << 30, LARGEST)
    )
    documents = [json.loads(render_json(report)) for report in (small, large)]
    heaps = [document["devices"][0]["memory"]["value"]["heaps"][0] for document in documents]
    assert [heap["size_exact"] for heap in heaps] == [None, str(LARGEST)]
    assert list(heaps[0]) == ["index", "size", "size_exact", "flags"]
    assert _keys(documents[0]) == _keys(documents[1])
    assert f'"size": {LARGEST},' in render_json(large)
    for document in documents:
        assert not list(schema_errors(document))


def test_an_answer_of_64_bits_has_its_string_beside_it() -> None:
    """What may go unanswered keeps its two keys; the exact number is its neighbour."""
    who = reports.identity(max_memory_allocation_size=Answer(1 << 53))
    document = json.loads(render_json(who))
    assert document["max_memory_allocation_size"] == {"value": 1 << 53, "missing": None}
    assert document["max_memory_allocation_size_exact"] == str(1 << 53)
    assert json.loads(render_json(reports.identity()))["max_memory_allocation_size_exact"] is None


def test_no_other_number_passes_a_double() -> None:
    """Of a real H100's report no number needs a neighbour that it does not have."""
    capture = Path(__file__).parents[1] / "golden" / "captures" / "nvidia-h200-emulated.json"

    def numbers(value: Any, path: str = "") -> None:
        if isinstance(value, dict):
            for key, item in value.items():
                assert not isinstance(item, int) or item < 1 << 53 or f"{key}_exact" in value, f"{path}.{key}"
                numbers(item, f"{path}.{key}")
        elif isinstance(value, list):
            for item in value:
                numbers(item, path)

    numbers(json.loads(capture.read_text()))


@pytest.mark.parametrize(
    ("path", "wrong", "said"),
    [
        (
            ("devices", 0, "memory", "value", "types", 2, "flags"),
            7,
            "devices[0].memory.value.types[2].flags: expected an",
        ),
        (
            ("devices", 0, "memory", "value", "heaps", 1, "size"),
            "big",
            "devices[0].memory.value.heaps[1].size: expected integer",
        ),
        (("devices", 0, "memory", "value", "heaps", 1, "size"), -1, "greater than or equal to 0"),
        (("devices", 0, "memory", "value", "heaps", 1, "size"), LARGEST + 1, f"less than or equal to {LARGEST}"),
        (("devices", 0, "identity", "value", "name"), None, "devices[0].identity.value.name: expected a string"),
        (("devices", 0, "selected"), 1, "devices[0].selected: expected true or false"),
        (("devices",), {}, "devices: expected an array"),
        (("checks", 1, "outcome"), "good", "checks[1].outcome: input should be 'pass'"),
        (("run", "duration_ms"), "1", "run.duration_ms: expected a number"),
        (("run", "duration_ms"), 10**400, "run.duration_ms: input should be a finite number"),
        (("summary", "exit_code"), 99, "summary.exit_code: 99 is not an exit code"),
        (("summary", "exit_code"), 1.5, "summary.exit_code: expected integer"),
    ],
)
def test_an_error_names_its_path(
    vkzircon: Run, tmp_path: Path, path: tuple[str | int, ...], wrong: Any, said: str
) -> None:
    """A report with one wrong value is exit 2, and the sentence leads to it."""
    document = json.loads(render_json(reports.good_report()))
    place = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = wrong
    file = tmp_path / "report.json"
    file.write_text(json.dumps(document))
    ran = vkzircon("show", str(file))
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err
    assert ran.err.count("\n") == 1


def test_a_missing_key_is_named() -> None:
    """So is how many more there are."""
    document = json.loads(render_json(reports.good_report()))
    del document["devices"][0]["memory"]["value"]["types"][1]["heap_index"]
    with pytest.raises(NotOfThisShape, match=r"^devices\[0\].memory.value.types\[1\].heap_index is missing$"):
        parse(Report, json.dumps(document))
    del document["checks"][0]["id"]
    with pytest.raises(NotOfThisShape, match=r"\(and 1 more\)$"):
        parse(Report, json.dumps(document))


def test_keys_of_a_newer_minor_version_are_passed_over(tmp_path: Path) -> None:
    """What this version does not know changes nothing of what it does."""
    report = reports.good_report()
    document = json.loads(render_json(report)) | {"schema_version": "1.99", "weather": "fine"}
    document["devices"][0]["colour"] = {"value": "green"}
    file = tmp_path / "report.json"
    file.write_text(json.dumps(document))
    assert read(file) == replace(report, schema_version="1.99")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_a_report_that_a_shell_re_encoded_is_read(tmp_path: Path, encoding: str) -> None:
    """Redirections on some systems write UTF-16, or put a mark in front."""
    file = tmp_path / "report.json"
    file.write_bytes(render_json(reports.good_report()).encode(encoding))
    assert read(file) == reports.good_report()


def test_a_change_of_a_dataclass_changes_the_schema() -> None:
    """It is derived: a field that has another type has another schema."""
    schema = schema_of(SHAPES[DocumentKind.REPORT], "")
    assert schema["$defs"]["Heap"]["properties"]["size"] == {
        "maximum": LARGEST,
        "minimum": 0,
        "title": "Size",
        "type": "integer",
    }
    assert schema["$defs"]["StepTime"]["properties"]["duration_ms"]["anyOf"] == [{"type": "number"}, {"type": "null"}]
