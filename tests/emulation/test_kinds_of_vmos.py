# SPDX-License-Identifier: Apache-2.0
"""VMOs that are not ordinary memory, through the real program: each kind is named, and its bytes are compared."""

import ctypes
from pathlib import Path
from typing import Any

import pytest
from program import Run

from vkzircon_cli.bindings.zircon import open_zircon
from vkzircon_cli.emulation import installation
from vkzircon_cli.errors import Refused
from vkzircon_cli.probe.export import compared, compared_by_read, write
from vkzircon_cli.probe.handles import owned
from vkzircon_cli.probe.patterns import new_pattern

_PAGED = 1


def _checks(once: Run, fault: str) -> dict[str, dict[str, Any]]:
    return {check["id"]: check for check in once("check", "--format", "json", "--fault", fault).json["checks"]}


@pytest.mark.parametrize(
    ("fault", "outcome", "kind"),
    [
        ("immutable-vmo", "warn", "IMMUTABLE"),
        ("copy-on-write-vmo", "warn", "COW CLONE"),
        ("sysmem-vmo", "warn", "SLICE OR REFERENCE"),
        ("physical-vmo", "info", "PHYSICAL"),
        ("uncached-vmo", "info", "NOT CACHED"),
    ],
)
def test_the_kind_of_a_vmo_is_named(once: Run, fault: str, outcome: str, kind: str) -> None:
    """The check names the kind, and the table of VMOs has it among the flags."""
    found = _checks(once, fault)["export.ordinary"]
    assert (found["outcome"], kind in found["sentence"]) == (outcome, True)
    assert kind.replace(" ", "_") in once("report", "--verbose", "--fault", fault, COLUMNS="400").out


@pytest.mark.parametrize("fault", ["physical-vmo", "uncached-vmo"])
def test_bytes_that_cannot_be_copied_are_read_through_a_mapping(once: Run, fault: str) -> None:
    """Where zx_vmo_read is refused, no check of bytes is skipped; the round trips say what was refused."""
    ran = _checks(once, fault)
    for name in ("two-gets-share", "two-exports-apart", "survives-channel", "fresh-zeros", "outlives"):
        assert ran[f"export.{name}"]["outcome"] == "pass", name
    assert ran["import.own-vmo"]["outcome"] == ran["data.host-write"]["outcome"] == "pass"


def test_old_bytes_behind_an_allocation_are_found(once: Run) -> None:
    """The VMO is longer than the allocation, and its receiver can read all of it."""
    found = _checks(once, "old-data-behind")["export.fresh-zeros"]
    assert found["outcome"] == "warn"
    assert "15 of 69632 bytes hold old data, all past the end of the allocation (65536 bytes)" in found["sentence"]


def test_a_vmo_without_cache_operations_is_compared_all_the_same(
    layer: installation.Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A physical VMO has no cache operation (RFC-0252): nothing is refused, and its bytes are compared by a mapping."""
    monkeypatch.setenv("VKZIRCON_LIBZIRCON", str(layer.libzircon))
    kernel = open_zircon(lambda _: None)
    change_flags = ctypes.CDLL(str(Path(layer.libzircon))).vkz_vmo_change_flags
    with owned(kernel, kernel.create(65536)) as handle:
        assert change_flags(ctypes.c_uint32(handle.value), 0, _PAGED) == 0
        written = write(handle, new_pattern(65536))
        kernel.clean_and_invalidate(handle.value, 65536)
        with pytest.raises(Refused, match="zx_vmo_read"):
            compared_by_read(handle, written)
        assert compared(handle, written).wrong == 0


def test_less_than_a_page_is_shared(once: Run) -> None:
    """1,024 bytes are exported and imported, plain and dedicated; only an image has no such size."""
    (device,) = once("report", "--format", "json").json["devices"]
    small = {row["form"]: row["imported"] for row in device["imports"] if row["kind"] == "small"}
    for form in ("plain", "dedicated-buffer"):
        made = small[form]["value"]
        assert (made["allocation_size"], made["shared"]["value"]) == (
            1024,
            {"count": 1024, "wrong": 0, "first_wrong": None},
        )
    assert small["dedicated-image"]["missing"]["kind"] == "not-asked"


def test_a_size_that_is_refused_is_told_with_the_largest_that_works(once: Run) -> None:
    """The driver's own limit may be refused: one warning says so, and the verdict rests on the usual size."""
    ran = once("check", "--format", "json", "--fault", "large-refused", "--size", "2M")
    (found,) = (check for check in ran.json["checks"] if check["id"] == "data.size")
    assert (ran.code, found["outcome"]) == (0, "warn")
    assert found["sentence"].endswith("1048576 bytes can be shared, and the round trips moved 65536 bytes.")
    (device,) = ran.json["devices"]
    assert {trip["round_trip"]["value"]["size"] for trip in device["data"]} == {65536}
    assert device["asked_sizes"][0]["trial"]["value"]["largest"] == 1 << 20


def test_a_size_that_works_is_moved(once: Run) -> None:
    """Sizes larger and smaller than the usual one are moved whole."""
    for size in (4096, 1 << 20):
        ran = once("check", "--format", "json", "--size", str(size), "--select", "data.size")
        (device,) = ran.json["devices"]
        assert ran.code == 0
        assert {trip["round_trip"]["value"]["size"] for trip in device["data"]} == {size}
