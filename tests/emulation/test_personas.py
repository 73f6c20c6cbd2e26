# SPDX-License-Identifier: Apache-2.0
"""Personas: drivers that the emulation imitates, and the result of a check of each."""

import pytest
from program import Ran, Run

from vkzircon_cli.model.vmo import Form


@pytest.mark.parametrize("options", [(), ("--persona", "strict", "--stress", "--negative")])
def test_strict_is_without_faults_on_a_driver_whose_queries_deny_its_imports(
    emulated: Run, swiftshader: str, options: tuple[str, ...]
) -> None:
    """SwiftShader reports nothing for host memory, but imports it: the layer relies on its trial, and sharing works."""
    ran = emulated("check", *options, "--format", "json", VK_DRIVER_FILES=swiftshader)
    assert ran.code == 0
    assert _told(ran) == {}
    features = {row["properties"]["value"]["features"]["value"] for row in ran.json["devices"][0]["external_buffers"]}
    assert features == {6}


def _told(ran: Ran) -> dict[str, str]:
    """Return the outcomes that a report shows."""
    return {row["id"]: row["outcome"] for row in ran.json["checks"] if row["outcome"] not in ("pass", "skip")}


# What each persona's driver does, by facts.md 3.4, and where that is seen.
def test_swiftshader_shares_although_buffers_report_nothing(emulated: Run) -> None:
    """The driver shares images, and no rule demands that it shares buffers: the answers about buffers only warn."""
    ran = emulated("check", "--persona", "swiftshader", "--format", "json")
    assert ran.code == 0
    own = ("capabilities.offered", "capabilities.agree-export", "capabilities.agree-import")
    assert _told(ran) == dict.fromkeys(own, "warn") | {"properties.own-vmo": "info"}
    (device,) = ran.json["devices"]
    identity = device["identity"]["value"]
    assert (identity["non_coherent_atom_size"], identity["max_memory_allocation_size"]["value"]) == (256, 1 << 30)
    assert device["external_semaphore"]["value"]["features"]["names"] == ["EXPORTABLE", "IMPORTABLE"]


def test_swiftshader_makes_vmos_a_page_larger(emulated: Run) -> None:
    """allocationSize + 15 before zx_vmo_create: 64 KiB become 69632 bytes; the original size is what imports."""
    ran = emulated("--persona", "swiftshader", "--format", "json")
    assert ran.code == 0
    (device,) = ran.json["devices"]
    handle = device["exports"][0]["handle"]["value"]
    assert handle["size"]["value"] == 69632
    assert handle["info"]["value"]["name"] == ""
    assert device["identity"]["value"]["type"]["name"] == "cpu"
    assert device["imports"][0]["imported"]["value"]["allocation_size"] == 65536


def test_goldfish_refuses_plain_exports(emulated: Run) -> None:
    """Without a dedicated allocation vkAllocateMemory answers OUT_OF_DEVICE_MEMORY; the device is virtual."""
    ran = emulated("--persona", "goldfish", "--format", "json")
    (device,) = ran.json["devices"]
    assert device["identity"]["value"]["type"]["name"] == "virtual"
    plain = [row["handle"]["missing"] for row in device["exports"] if row["form"] == Form.PLAIN]
    assert {missing["result"] for missing in plain} == {"VK_ERROR_OUT_OF_DEVICE_MEMORY"}


def test_magma_shares_as_it_should(emulated: Run) -> None:
    """Fuchsia's anv exports all types of an integrated GPU."""
    ran = emulated("--persona", "magma", "--format", "json")
    assert ran.code == 0
    assert ran.json["devices"][0]["identity"]["value"]["type"]["name"] == "integrated"
