# SPDX-License-Identifier: Apache-2.0
"""`show` renders what was captured elsewhere in any format, without Vulkan, as if it had been made here."""

import json
import resource
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from program import PROGRAM, Run, environment

from vkzircon_cli.errors import Usage
from vkzircon_cli.render import RENDERERS, render
from vkzircon_cli.render.style import FOR_STRANGERS, Advice, Format, Page, Style, View
from vkzircon_cli.saved.load import read
from vkzircon_cli.stream.document import SCHEMA_VERSION

NO_VULKAN = {"VKZIRCON_LIBVULKAN": "/nonexistent/libvulkan.so"}
CAPTURES = sorted((Path(__file__).parents[1] / "golden" / "captures").glob("*.json"))


def _has(shown: Any, captured: Any) -> bool:
    """Whether everything *captured* is *shown*; a newer program shows more keys."""
    if isinstance(captured, dict):
        return all(key in shown and _has(shown[key], value) for key, value in captured.items())
    if isinstance(captured, list):
        return len(shown) == len(captured) and all(map(_has, shown, captured))
    return bool(shown == captured)


@pytest.mark.parametrize("capture", CAPTURES, ids=lambda path: path.stem)
def test_every_capture_is_shown(vkzircon: Run, capture: Path) -> None:
    """The exit code is that of the report, and JSON has what was captured."""
    ran = vkzircon("show", str(capture), "--format", "json", **NO_VULKAN)
    assert ran.code == read(capture).exit_code
    captured = json.loads(capture.read_text())
    assert _has(ran.json, captured | {"kind": "report", "schema_version": SCHEMA_VERSION})


@pytest.mark.parametrize("format", list(RENDERERS["report"]))
def test_every_format_is_shown(vkzircon: Run, format: Format) -> None:
    """The same renderer writes the same bytes as it would have there, but for what is hidden from strangers."""
    ran = vkzircon("show", str(CAPTURES[0]), "--format", format, **NO_VULKAN)
    report = read(CAPTURES[0])
    assert ran.code == report.exit_code
    assert len(ran.out) > 500
    if format not in FOR_STRANGERS:
        page = Page(80, cuts=False, color=False, ascii=False)
        shown = replace(report, schema_version=SCHEMA_VERSION)
        assert ran.out == render(shown, Style(View.REPORT, format, advice=Advice(probes=False)), page)
    assert "\nNext\n" not in ran.out


@pytest.mark.parametrize("arguments", [(), ("--fault", "segfault-in-export"), ("--persona", "goldfish", "--negative")])
def test_a_trace_and_the_report_made_of_it_are_one(
    emulated: Run, vkzircon: Run, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    """The same run, once from its own events and once through its JSON report, comes to the same in every format."""
    code = emulated(*arguments, "--format", "trace", "--output", "trace").code
    assert vkzircon("show", "trace", "--format", "json", "--output", "report.json", **NO_VULKAN).code == code
    from_trace, from_report = read(tmp_path / "trace"), read(tmp_path / "report.json")
    assert from_trace.exit_code == code
    assert from_trace == from_report


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"VkPhysicalDeviceProperties": {"apiVersion": 4206830}}', "is JSON, but not a report of vkzircon"),
        (b'{"schema_version": "2.0", "devices": []}', "has schema version 2.0; this vkzircon reads 1."),
        (b'{"schema_version": 99, "devices": []}', "has schema version 99; this vkzircon reads 1."),
        (b'{"schema_version": true}', "is JSON, but not a report"),
        (b'{"schema_version": 1}', "not a report of vkzircon"),
        (b'{"event": "header", "schema_version": "1.1", "x": ' + b'{"a":' * 900 + b"1" + b"}" * 901, "do not fit"),
        (b'{"a":' * 20000 + b"1" + b"}" * 20000, "nested too deeply for a report"),
        (b'{"schema_version": "1.1", "x": 1e999}', "1e999, an infinite number, is not JSON"),
        (b"PK\x03\x04\xff\xfe\x00", "is a zip, as vkzircon bundle writes them"),
        (b"<html></html>", "is not JSON: Expecting value at line 1, column 1"),
        (b'{"schema_version": "1.2", "savings": []}', "is not a complete bench: tool is missing"),
        (b'{"schema_version": "1.1", "handle_type": {}}', "is not a complete matrix"),
        (b'{"schema_version": "1.4", "kind": "doctor"}', "is a diagnosis, not a report"),
        (b'{"schema_version": "\x1b[31m9"}', "is not JSON"),
        (b'{"schema_version": "\\u001b[31m9"}', "has schema version \\x1b[31m9"),
        (b"", "is empty"),
        (b'{"event":"header","schema_vers', "is a trace that was cut off in its first line, so it contains no step"),
        (b'{"event": "header", "schema_vers', "is a trace that was cut off in its first line, so it contains no step"),
        (b"[1, 2]", "not a report of vkzircon"),
        (b'{"a": NaN}', "NaN"),
        (b'{"schema_version": "1.0"}', "not a complete report"),
        (b'\xff\xfe{"a": 1}', "is not JSON"),
        (
            b'foreign\n{"event": "header", "schema_version": "2.0"}\n{"event": "done"}\n',
            "has schema version 2.0; this vkzircon reads 1.",
        ),
        (b'{"event": "header", "schema_version": "1.1"}\n{"event": "end", "step": "x"}\n{"event": "done"}\n', "line 2"),
        (b'{"event": "header", "schema_version": "1.1"}\n{"event": "done"}\n', "do not fit together"),
        # Two runs, which a shell's >> may write into one file: a pass must not replace the failure before it.
        (b'{"event": "header", "schema_version": "1.1"}\n{"event": "done"}\n' * 2, "line 3: the trace of another run"),
    ],
)
def test_what_is_no_report_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    """The file's name, why, and what to give instead; nothing that a terminal would act upon."""
    file = tmp_path / "file"
    file.write_bytes(content)
    with pytest.raises(Usage) as refused:
        read(file)
    assert said in refused.value.message
    assert str(file) in refused.value.message
    assert refused.value.message.isprintable()


def test_foreign_lines_in_a_trace_are_counted_and_left_out(vkzircon: Run, tmp_path: Path) -> None:
    """A layer, ssh or a log may write before, between and after the events; the report is the same."""
    assert vkzircon("--format", "trace", "--output", "trace", **NO_VULKAN).code == 4
    clean = (tmp_path / "trace").read_bytes()
    lines = clean.splitlines(keepends=True)
    foreign = [b"Warning: known host\n", b'{"level": "info"}\n', b"\n", b"[1]\n"]
    (tmp_path / "mixed").write_bytes(b"".join([foreign[0], *lines[:1], *foreign[1:], *lines[1:], b"bye\n"]))
    found = read(tmp_path / "mixed")
    *_, told = found.run.messages
    assert (told.severity, told.own) == ("warning", True)
    assert told.text == "vkzircon ignored 4 lines of other programs in the trace."
    assert replace(found, run=replace(found.run, messages=found.run.messages[:-1])) == read(tmp_path / "trace")
    assert "4 lines of other programs" in " ".join(vkzircon("show", "mixed", **NO_VULKAN).out.split())


@pytest.mark.parametrize("arguments", [("show", "-", "--format", "json"), ("diff", "-", "{}"), ("diff", "{}", "-")])
def test_a_dash_is_standard_input(arguments: tuple[str, ...]) -> None:
    """As in a pipe after --format json; a report has no differences from itself."""
    file = str(CAPTURES[0])
    command = [str(PROGRAM), *(word.format(file) for word in arguments)]
    with CAPTURES[0].open("rb") as stream:
        done = subprocess.run(command, env=environment(NO_VULKAN), stdin=stream, capture_output=True, check=False)
    expected = read(CAPTURES[0]).exit_code if "show" in arguments else 0
    assert (done.returncode, done.stderr) == (expected, b"")


def test_empty_standard_input_is_an_error(vkzircon: Run) -> None:
    """The message names standard input in words, not as a file."""
    ran = vkzircon("show", "-", **NO_VULKAN)
    assert (ran.code, ran.out) == (2, "")
    assert "Standard input is empty" in ran.err


def test_a_report_cut_anywhere_is_one_sentence(vkzircon: Run, tmp_path: Path) -> None:
    """A download that broke off is told with the place where it did: exit 2, by every command that reads one."""
    file = tmp_path / "cut.json"
    whole = CAPTURES[0].read_bytes()
    for size in (1, 100, len(whole) // 2, len(whole) - 3):
        file.write_bytes(whole[:size])
        with pytest.raises(Usage, match="is not JSON"):
            read(file)
    for command in (("show",), ("diff", str(CAPTURES[0]))):
        ran = vkzircon(*command, str(file), **NO_VULKAN)
        assert (ran.code, ran.out) == (2, "")
        assert f"{file} is not JSON" in ran.err
        assert ran.err.count("\n") == 1


def test_a_huge_file_is_not_read(vkzircon: Run, tmp_path: Path) -> None:
    """A file of 100 MB is refused in a sentence and is not parsed."""
    file = tmp_path / "huge.json"
    with file.open("wb") as stream:
        stream.write(b'{"schema_version": "1.1", "x": "')
        stream.truncate(100 << 20)
    ran = vkzircon("show", str(file), **NO_VULKAN)
    assert (ran.code, ran.out) == (2, "")
    assert "is larger than 64 MiB, too large for a report." in ran.err


@pytest.mark.parametrize("values", [400_000, 2_100_000])
def test_many_short_texts_take_seconds(vkzircon: Run, tmp_path: Path, values: int) -> None:
    """In each, names are searched for: many are shown, and more than two million are refused in a sentence."""
    report = json.loads(CAPTURES[0].read_text())
    report["instance"]["value"]["enabled_extensions"] = [f"a{number:x}" for number in range(values)]
    (tmp_path / "many.json").write_text(json.dumps(report))
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    ran = vkzircon("show", "many.json", "--format", "html", **NO_VULKAN)
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before < 15
    told = "has more than 2,000,000 values, too many for a report." in ran.err
    assert (ran.code == 2, told) == (values > 2_000_000,) * 2


def test_a_long_text_is_shown_in_part(vkzircon: Run, tmp_path: Path) -> None:
    """10 MB of printed text: only the part that is shown is searched for secrets."""
    report = json.loads(CAPTURES[0].read_text())
    report["run"]["output"] = {"text": "a TOKEN=hunter2\n" * 600_000, "text_hex": None, "dropped": 0}
    (tmp_path / "long.json").write_text(json.dumps(report))
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    ran = vkzircon("show", "long.json", "--format", "html", **NO_VULKAN)
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before < 6
    assert "TOKEN=&lt;hidden&gt;" in ran.out
    assert "hunter2" not in ran.out


def test_a_file_that_needs_too_much_memory_is_refused(tmp_path: Path) -> None:
    """8 MB of unknown keys under `ulimit -v`: exit code 2 and a sentence, not a fault of ours."""
    file = tmp_path / "keys.json"
    file.write_text(json.dumps({"schema_version": SCHEMA_VERSION, "x": [[[[]]]] * 900_000}))
    script = f"ulimit -v 200000; exec {PROGRAM} show {file}"
    ran = subprocess.run(["sh", "-c", script], env=environment({}), capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "keys.json needs more memory than this process may have (ulimit -v)." in ran.stderr


def test_a_report_of_the_first_schema_is_read(tmp_path: Path) -> None:
    """What was written before exact numbers and hex had neighbours has neither, and is a report all the same."""

    def older(value: object) -> object:
        if isinstance(value, dict):
            return {key: older(item) for key, item in value.items() if not key.endswith(("_exact", "value_hex"))}
        return [older(item) for item in value] if isinstance(value, list) else value

    file = tmp_path / "report.json"
    file.write_text(json.dumps(older(json.loads(CAPTURES[0].read_text())) | {"schema_version": "1.0"}))  # type: ignore[operator]
    assert read(file).summary == read(CAPTURES[0]).summary
