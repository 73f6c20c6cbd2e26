# SPDX-License-Identifier: Apache-2.0
"""The matrix: what a driver says it shares, asked through the real program, and written in three formats."""

import csv
import io
import os
import re
import subprocess
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from program import Run

from vkzircon_cli.bindings.formats import all_formats, common_formats
from vkzircon_cli.model.spec import (
    BUFFER_USAGES,
    HANDLE_TYPE_BITS,
    HANDLE_TYPES,
    IMAGE_USAGES,
)
from vkzircon_cli.render.csv import render_csv
from vkzircon_cli.render.matrix import render_matrix_terminal
from vkzircon_cli.render.style import Page
from vkzircon_cli.report.matrix import MatrixReport
from vkzircon_cli.stream.decoding import decode

COMMON_FORMATS, FORMATS = common_formats(), all_formats()
NO_VULKAN = {"VKZIRCON_LIBVULKAN": "/nonexistent/libvulkan.so"}
SCREEN = Page(80, cuts=True, color=False, ascii=False)


def _supports(document: Any, format: str | None = None) -> list[Any]:
    """Return the answers of the first device: for one format of images, or for buffers."""
    (device, *_) = document["devices"]
    if format is None:
        return list(device["buffers"]["value"])
    return next(list(i["answers"]["value"]) for i in device["image_formats"] if i["format"]["name"] == format)


def _features(document: Any, format: str | None = None) -> dict[tuple[str | None, str], list[str] | None]:
    return {
        (support["tiling"], usage): support["properties"] and support["properties"]["features"]["names"]
        for support in _supports(document, format)
        for usage in support["usages"]
        if support["create_flag"] is None
    }


def test_the_emulation_shares_buffers_and_images(once: Run) -> None:
    """On the strict emulation everything is exported and imported, nothing in dedicated memory only."""
    ran = once("matrix", "--format", "json")
    assert (ran.code, ran.err) == (0, "")
    document = ran.json
    assert document["emulation"]["active"] is True
    assert document["handle_type"] == {"value": 0x800, "names": ["ZIRCON_VMO_FUCHSIA"]}
    both = ["EXPORTABLE", "IMPORTABLE"]
    assert _features(document) == {(None, usage): both for usage in BUFFER_USAGES}
    colors = _features(document, "R8G8B8A8_UNORM")
    assert len(colors) == 2 * len(IMAGE_USAGES)
    assert colors["optimal", "SAMPLED"] == colors["linear", "TRANSFER_DST"] == both
    assert colors["optimal", "DEPTH_STENCIL_ATTACHMENT"] is None
    for support in _supports(document) + _supports(document, "R8G8B8A8_UNORM"):
        if support["properties"]:
            assert support["properties"]["compatible_handle_types"]["names"] == ["ZIRCON_VMO_FUCHSIA"]
            assert support["properties"]["written"] is support["properties"]["header_kept"] is True


@pytest.fixture(name="create_flags", scope="session")
def _create_flags(lavapipe: str) -> tuple[str, ...]:
    """Return the create flags that lavapipe has the features for, as vulkaninfo sees them."""
    env = {"PATH": os.environ["PATH"], "HOME": "/dev/null", "VK_DRIVER_FILES": lavapipe}
    told = subprocess.run(["vulkaninfo"], env=env, capture_output=True, text=True, check=True).stdout
    is_sparse = re.search(r"^\s*sparseBinding\s*= true$", told, re.MULTILINE) is not None
    return ("MUTABLE_FORMAT", "CUBE_COMPATIBLE", *(["SPARSE_BINDING"] if is_sparse else []))


def _every(document: Any) -> list[Any]:
    return [row for each in document["devices"][0]["image_formats"] for row in each["answers"]["value"]]


def test_create_flags_are_asked_about_where_an_image_can_be_shared(once: Run, create_flags: tuple[str, ...]) -> None:
    """For its first usage; SPARSE_BINDING only where the device has the feature. The summary leaves them out."""
    document = once("matrix", "--format", "json").json
    flagged = [row for row in _supports(document, "R8G8B8A8_UNORM") if row["create_flag"]]
    assert [(row["tiling"], row["create_flag"]) for row in flagged] == [
        (tiling, flag) for tiling in ("optimal", "linear") for flag in create_flags
    ]
    assert {tuple(row["usages"]) for row in flagged} == {("TRANSFER_SRC",)}
    assert not any(row["create_flag"] for row in _supports(document, "ASTC_4x4_UNORM_BLOCK"))
    assert sum(document["summary"]["counts"].values()) == 9 + len(COMMON_FORMATS) * 14
    text = " ".join(once("matrix", COLUMNS="80").out.split())
    shared = sum(row["tiling"] == "optimal" and row["create_flag"] == "MUTABLE_FORMAT" for row in _every(document))
    assert "EI " + ", ".join(f"{flag} ({shared} formats)" for flag in create_flags) in text


def test_a_format_that_is_not_supported_is_a_cell(once: Run) -> None:
    """VK_ERROR_FORMAT_NOT_SUPPORTED stands in the document and is no failure."""
    ran = once("matrix", "--format", "json")
    (optimal, linear) = _supports(ran.json, "ASTC_4x4_UNORM_BLOCK")
    assert optimal["result"] == linear["result"] == "VK_ERROR_FORMAT_NOT_SUPPORTED"
    assert optimal["properties"] is linear["properties"] is None
    assert ran.json["error"] is None


@pytest.mark.parametrize("handle_type", ["opaque-fd", "host-allocation"])
def test_a_plain_linux_driver_is_asked_for_other_handle_types(vkzircon: Run, lavapipe: str, handle_type: str) -> None:
    """Without the emulation lavapipe shares buffers by file descriptor, and takes host memory in."""
    ran = vkzircon("matrix", "--handle-type", handle_type, "--format", "json", VK_DRIVER_FILES=lavapipe)
    assert (ran.code, ran.err) == (0, "")
    assert ran.json["handle_type"]["value"] == HANDLE_TYPES[handle_type]
    assert all("IMPORTABLE" in (features or ()) for features in _features(ran.json).values())


def test_a_handle_type_that_no_device_supports_is_exit_3(vkzircon: Run, lavapipe: str) -> None:
    """Lavapipe knows no VMOs: that is told, with what can be asked instead."""
    ran = vkzircon("matrix", VK_DRIVER_FILES=lavapipe)
    assert (ran.code, ran.err) == (3, "")
    assert "can be shared as zircon-vmo." in " ".join(ran.out.split())
    assert "vkzircon matrix --emulate" in ran.out
    document = vkzircon("matrix", "--format", "json", VK_DRIVER_FILES=lavapipe).json
    assert document["summary"]["exit_code"] == 3
    assert document["summary"]["counts"]["supported"] == 0


def test_all_formats_are_those_of_vulkan_1_1(vkzircon: Run, lavapipe: str) -> None:
    """--formats all asks for every one of them, each in its own step."""
    arguments = ("matrix", "--handle-type", "opaque-fd", "--formats", "all", "--format", "json")
    document = vkzircon(*arguments, VK_DRIVER_FILES=lavapipe).json
    (device,) = document["devices"]
    assert [image["format"]["name"] for image in device["image_formats"]] == list(FORMATS.values())
    steps = {step["step"] for step in document["run"]["steps"]}
    assert {f"device0/image/{name}" for name in FORMATS.values()} <= steps
    assert sum(document["summary"]["counts"].values()) == 9 + len(FORMATS) * 14


@pytest.mark.parametrize("fault", [(), ("--fault", "segfault-in-capabilities"), ("--fault", "capabilities-unwritten")])
def test_csv_says_what_json_says(once: Run, fault: tuple[str, ...]) -> None:
    """Line for line, also where there is no answer."""
    document = once("matrix", "--format", "json", *fault).json
    text = render_csv(decode(MatrixReport, document))
    lines = list(csv.DictReader(io.StringIO(text)))
    assert sum(not line["create_flag"] for line in lines) == 9 + len(COMMON_FORMATS) * 14
    wanted = {}
    (device,) = document["devices"]
    rows = [("buffer", "", device["buffers"])]
    rows += [("image", image["format"]["name"], image["answers"]) for image in device["image_formats"]]
    for resource, name, answer in rows:
        for support in answer["value"] or ():
            for usage in support["usages"]:
                wanted[resource, name, support["tiling"] or "", usage, support["create_flag"] or ""] = support
        if answer["missing"]:
            missing = {line["missing"] for line in lines if (line["resource"], line["format"]) == (resource, name)}
            assert missing == {answer["missing"]["kind"]}
    answered = [line for line in lines if not line["missing"]]
    assert len(answered) == len(wanted)
    for line in answered:
        support = wanted[line["resource"], line["format"], line["tiling"], line["usage"], line["create_flag"]]
        found = support["properties"] or {}
        assert line["result"] == (support["result"] or "")
        for column in ("features", "export_from_imported_handle_types", "compatible_handle_types"):
            assert line[column] == "|".join(found[column]["names"] if found else ())
        for column in ("written", "header_kept"):
            assert line[column] == (str(found[column]).lower() if found else "")


def test_a_crash_costs_the_format_that_was_asked(once: Run) -> None:
    """The document is whole, each question that killed the driver says so, and the exit code is 5."""
    ran = once("matrix", "--format", "json", "--fault", "segfault-in-capabilities")
    assert (ran.code, ran.err) == (5, "")
    (device,) = ran.json["devices"]
    for answer in (device["buffers"], *(image["answers"] for image in device["image_formats"])):
        assert (answer["missing"]["kind"], answer["missing"]["result"]) == ("crashed", "SIGSEGV")
    assert device["image_formats"][0]["answers"]["missing"]["call"] == "vkGetPhysicalDeviceImageFormatProperties2"
    assert len(device["image_formats"]) == len(COMMON_FORMATS)
    assert ran.json["summary"]["outcome"] == "crash"
    assert "24 formats" not in render_matrix_terminal(decode(MatrixReport, ran.json), SCREEN, False)


def test_a_hang_ends_the_run_at_the_limit(emulated: Run) -> None:
    """Two steps that hang are enough, and what was not asked says so."""
    ran = emulated("matrix", "--format", "json", "--fault", "hang-in-capabilities", "--timeout", "2")
    assert ran.code == 5
    assert ran.json["summary"]["outcome"] == "timeout"


@pytest.mark.parametrize(
    ("fault", "cells"),
    [
        ("deny-import", {"E"}),
        ("deny-export", {"I"}),
        ("dedicated-only-reported", {"EID"}),
        ("capabilities-unwritten", {"?"}),
    ],
)
def test_what_the_driver_says_is_in_the_cells(once: Run, fault: str, cells: set[str]) -> None:
    """Each letter is one feature; an answer that was never written is none."""
    ran = once("matrix", "--fault", fault, COLUMNS="80")
    row = next(line.split() for line in ran.out.splitlines() if line.startswith("  R8G8B8A8_UNORM"))
    assert set(row[1:]) - {"-"} == cells
    assert ran.code == (3 if cells == {"?"} else 0)


def test_an_answer_whose_header_was_changed_is_told(once: Run) -> None:
    """The answers are read all the same, each begun with a fresh header."""
    ran = once("matrix", "--fault", "capabilities-clobber-header")
    assert ran.code == 0
    assert "changed sType or pNext" in ran.out


def test_a_vulkan_1_0_device_is_asked_by_the_khr_name(once: Run) -> None:
    """Formats of Vulkan 1.1 are left out with the reason."""
    document = once("matrix", "--fault", "no-dependency", "--format", "json").json
    assert _features(document, "R8_UNORM")["linear", "SAMPLED"] == ["EXPORTABLE", "IMPORTABLE"]
    missing = [i["answers"]["missing"] for i in document["devices"][0]["image_formats"] if i["answers"]["missing"]]
    assert {m["reason"] for m in missing} == {"the format needs Vulkan 1.1"}


def test_nobody_to_ask_is_exit_4_in_every_format(vkzircon: Run) -> None:
    """JSON has the error inside; CSV has its headers and the sentence on stderr."""
    document, table, page = (vkzircon("matrix", "--format", f, **NO_VULKAN) for f in ("json", "csv", "terminal"))
    assert document.code == table.code == page.code == 4
    assert document.json["error"]["cause"] == "no-loader"
    assert table.out.splitlines() == [table.out.strip()]
    assert "No Vulkan loader" in table.err
    assert "No Vulkan loader" in page.out


def test_output_and_quiet_are_as_everywhere(emulated: Run, tmp_path: Path) -> None:
    """A file takes the result and leaves stdout empty; --quiet leaves the exit code; no place to write is exit 6."""
    file = tmp_path / "matrix.csv"
    ran = emulated("matrix", "--format", "csv", "--output", str(file))
    assert (ran.code, ran.out, ran.err) == (0, "", "")
    assert file.read_text().startswith("device,name,")
    quiet = emulated("matrix", "--quiet")
    assert (quiet.code, quiet.out, quiet.err) == (0, "", "")
    assert emulated("matrix", "--output", str(tmp_path)).code == 6


def test_no_such_device_is_exit_2(vkzircon: Run, lavapipe: str) -> None:
    """As with every command that probes."""
    ran = vkzircon("matrix", "--device", "no-such", VK_DRIVER_FILES=lavapipe)
    assert (ran.code, ran.out) == (2, "")
    assert "No device matches" in ran.err


@pytest.mark.parametrize("fault", ["name-hostile", "name-not-utf8", "name-empty", "name-unterminated"])
def test_a_hostile_name_stays_text(once: Run, fault: str) -> None:
    """On a terminal, in CSV and in JSON."""
    for written in ("terminal", "csv", "json"):
        ran = once("matrix", "--fault", fault, "--format", written)
        assert (ran.code, ran.err) == (0, "")
        assert not {c for c in ran.out if unicodedata.category(c) in ("Cc", "Cf")} - {"\n"}
    lines = csv.DictReader(io.StringIO(once("matrix", "--fault", fault, "--format", "csv").out))
    assert sum(not line["create_flag"] for line in lines) == 9 + len(COMMON_FORMATS) * 14


def test_handle_types_are_the_specs_without_their_authors() -> None:
    """Lower case, dashes, one name each."""
    assert HANDLE_TYPES["zircon-vmo"] == 0x800
    assert HANDLE_TYPES["dma-buf"] == 0x200
    assert HANDLE_TYPES["host-allocation"] == 0x80
    assert HANDLE_TYPES["android-hardware-buffer"] == 0x400
    assert len(HANDLE_TYPES) == len(HANDLE_TYPE_BITS)


def test_formats_are_those_of_vulkan_1_1() -> None:
    """Every format of Vulkan 1.0, and of VK_KHR_sampler_ycbcr_conversion, under the spec's name."""
    assert list(FORMATS) == [*range(1, 185), *range(1000156000, 1000156034)]
    assert (FORMATS[37], FORMATS[184]) == ("R8G8B8A8_UNORM", "ASTC_12x12_SRGB_BLOCK")
    assert FORMATS[1000156033] == "G16_B16_R16_3PLANE_444_UNORM"
    assert len(COMMON_FORMATS) == 24
