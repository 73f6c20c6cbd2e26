# SPDX-License-Identifier: Apache-2.0
"""The walk through the whole registry: for every check a driver that is wrong in that way, run for real.

With the fault the check says so, and no other speaks but those that must follow; without it every check passes. What a
driver without that fault would be asked further is skipped, since it cannot be asked any more.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from program import Run

from vkzircon_cli.checks import REGISTRY
from vkzircon_cli.model.vmo import ImportKind

# Lavapipe and SwiftShader are CPUs, which is a warning of its own; the walk goes over a device that says it is none.
GOOD = ("discrete-device",)


@dataclass(frozen=True)
class Wrong:
    """What is wrong, what the check makes of it, and which other checks cannot but speak too."""

    faults: tuple[str, ...]
    outcome: str = "fail"
    follows: tuple[str, ...] = ()
    base: tuple[str, ...] = GOOD


KINDS = tuple(f"import.{kind}" for kind in ImportKind if f"import.{kind}" in REGISTRY)
BYTES = ("data.host-write", "data.host-write-import", "data.gpu-fill", "data.gpu-copy", "data.image")
# What every program meets when imports fail; a VMO of our own is imported like any other.
REPEATED = ("stress.imports", "stress.rounds", "stress.memory")
IMPORTS = (
    *("capabilities.agree-import", "capabilities.images", "import.result-codes", "negative.import-refused"),
    *(*KINDS, *BYTES, *REPEATED),
)

WALK = {
    "extension.listed": Wrong(("incomplete-forever",)),
    "extension.revision": Wrong(("revision-99",), "info"),
    "extension.dependencies": Wrong(("no-dependency",)),
    "extension.entry-points": Wrong(("hide-properties",)),
    "device.hardware": Wrong(("cpu-device",), "warn", base=()),
    "device.unique": Wrong((), "warn"),  # with the driver's manifest given twice
    "device.opens": Wrong(("refuse-device",)),
    "device.closes": Wrong(("segfault-in-destroy-instance",), "crash"),
    "capabilities.offered": Wrong(("deny-import",), "warn", follows=("capabilities.agree-import",)),
    "capabilities.compatible": Wrong(("incompatible-with-itself",)),
    "capabilities.well-formed": Wrong(("capabilities-clobber-header",)),
    "capabilities.agree-export": Wrong(("refuse-plain-export",), follows=("export.form", "capabilities.images")),
    "capabilities.agree-import": Wrong(("refuse-import",), follows=IMPORTS),
    "capabilities.dedicated": Wrong(("dedicated-only-reported",), "warn", follows=("export.form",)),
    "capabilities.images": Wrong(("refuse-import",), follows=IMPORTS),
    "capabilities.semaphore": Wrong(("semaphore-listed",), "warn"),
    "export.memory-type": Wrong(("refuse-get",), follows=("capabilities.images", "data.image")),
    "export.form": Wrong(
        ("refuse-plain-export",), "info", follows=("capabilities.agree-export", "capabilities.images")
    ),
    "export.result-codes": Wrong(
        ("odd-result-in-export",), "warn", follows=("export.memory-type", "capabilities.images", "data.image")
    ),
    "export.handle-given": Wrong(
        ("export-zero",), follows=("export.handle-is-vmo", "capabilities.images", "data.image")
    ),
    "export.handle-shape": Wrong(
        ("export-odd-handle",), follows=("export.handle-is-vmo", "capabilities.images", "data.image")
    ),
    "export.handle-is-vmo": Wrong(("export-closed-handle",), follows=("capabilities.images", "data.image")),
    # The layer cannot take back what it cannot write, and says so.
    "export.rights": Wrong(("fewer-rights",), "warn", follows=("properties.bits-set", "properties.exporting-type")),
    "export.size": Wrong(
        ("vmo-too-small",),
        follows=(
            *("export.two-gets-share", "export.two-exports-apart", "export.fresh-zeros", "export.outlives"),
            *("capabilities.images", "data.image", *REPEATED),
        ),
    ),
    "export.whole-pages": Wrong(("odd-size",), "warn"),
    "export.fixed-size": Wrong(("resizable-vmo",), "warn"),
    "export.ordinary": Wrong(("discardable-vmo",), "warn"),
    "export.two-gets-distinct": Wrong(("same-handle-twice",), follows=("import.twice", "import.shares", *REPEATED)),
    "export.two-gets-share": Wrong(
        ("second-get-copies",), follows=("export.same-koid", "export.ordinary", "import.shares")
    ),
    "export.same-koid": Wrong(("second-get-child",), "info", follows=("export.ordinary",)),
    "export.two-exports-apart": Wrong(("one-pool",)),
    "export.survives-channel": Wrong(("channel-copies",), follows=("import.second-process", "import.shares")),
    "export.fresh-zeros": Wrong(("old-data",), "warn"),
    "export.outlives": Wrong(("recycles-memory",), "warn"),
    "properties.succeeds": Wrong(("refuse-properties",), follows=("properties.own-vmo",)),
    "properties.result-codes": Wrong(
        ("odd-result-in-properties",), "warn", follows=("properties.succeeds", "properties.own-vmo")
    ),
    "properties.written": Wrong(("properties-unwritten",)),
    "properties.bits-set": Wrong(("properties-zero",), follows=("properties.exporting-type", "properties.own-vmo")),
    "properties.bits-in-range": Wrong(("properties-past-count",), follows=("properties.own-vmo",)),
    # Both drivers have one memory type: without it there is none.
    "properties.exporting-type": Wrong(("properties-miss-type",), "warn", follows=("properties.bits-set",)),
    "properties.duplicate-agrees": Wrong(("properties-by-number",)),
    "properties.own-vmo": Wrong(("foreign-properties-zero",), "warn"),
    "properties.handle-kept": Wrong(("properties-close-handle",), follows=("negative.handle-kept",)),
    "import.result-codes": Wrong(("import-needs-extra-page",), "warn", follows=IMPORTS),
    **{kind: Wrong(("invalid-import",), follows=IMPORTS) for kind in KINDS},
    "import.other-device": Wrong(("invalid-import",), "info", follows=("device.unique", *IMPORTS)),
    "import.own-vmo": Wrong(("foreign-import-refused",), "warn", follows=("import.result-codes",)),
    "import.whole-size": Wrong(("invalid-import",), "warn", follows=IMPORTS),
    "import.small": Wrong(("small-refused",)),
    "import.second-process": Wrong(("import-elsewhere-refused",)),
    "import.contents-kept": Wrong(("one-byte-changed",), follows=("data.image", "import.second-process")),
    "import.shares": Wrong(("import-copies",), follows=("import.second-process", *BYTES)),
    "import.releases-handle": Wrong(("leak-handle",), follows=("stress.imports", "stress.rounds")),
    "data.host-write": Wrong(("import-copies",), follows=("import.shares", "import.second-process", *BYTES)),
    "data.host-write-import": Wrong(("import-copies",), follows=("import.shares", "import.second-process", *BYTES)),
    "data.gpu-fill": Wrong(("device-lost-in-submit",)),
    "data.gpu-copy": Wrong(("import-copies",), follows=("import.shares", "import.second-process", *BYTES)),
    "data.size": Wrong(("large-refused",), "warn"),
    "data.image": Wrong(("import-copies",), follows=("import.shares", "import.second-process", *BYTES)),
    "stress.imports": Wrong(("leak-handle",), follows=("stress.rounds", "import.releases-handle")),
    "stress.rounds": Wrong(("leak-handle",), follows=("stress.imports", "import.releases-handle")),
    "stress.memory": Wrong(("leak-memory",), "warn"),
    "negative.import-refused": Wrong(("odd-result-in-import",), "warn"),
    "negative.no-handle-type": Wrong(("no-handle-type-refused",), "info"),
    "negative.get-refused": Wrong(("import-is-exportable",), "info"),
    "negative.handle-kept": Wrong(("failed-import-closes-handle",), "warn"),
    "negative.properties-refused": Wrong(("properties-accept-garbage",), "info", follows=("properties.own-vmo",)),
    "negative.survives": Wrong(("import-kills",), "crash", follows=("negative.import-refused",)),
}
# What one software driver cannot show: a second GPU, and the sibling extension.
NOT_SHOWN = {"import.other-device", "capabilities.semaphore"}


@pytest.fixture(name="driver", scope="module", params=["lavapipe", "swiftshader"])
def _driver(request: pytest.FixtureRequest) -> str:
    """Return the manifest of each driver that the emulation has below it."""
    return str(request.getfixturevalue(request.param))


def _outcomes(once: Run, faults: tuple[str, ...], **env: str) -> dict[str, str]:
    options = [word for fault in faults for word in ("--fault", fault)]
    ran = once("check", "--format", "json", "--size", "2M", "--stress", "--negative", *options, **env)
    assert "Traceback" not in ran.out + ran.err
    return {check["id"]: check["outcome"] for check in ran.json["checks"] if check["device"] == 0}


def test_every_check_is_walked() -> None:
    """A check without a driver that fails it is no check."""
    assert set(WALK) == set(REGISTRY)


def test_without_a_fault_every_check_passes(once: Run, driver: str) -> None:
    """The walk starts from a device of which there is nothing to say."""
    outcomes = _outcomes(once, GOOD, VK_DRIVER_FILES=driver)
    assert {name for name, outcome in outcomes.items() if outcome != "pass"} == NOT_SHOWN


@pytest.mark.parametrize("id", list(WALK))
def test_with_its_fault_the_check_speaks(once: Run, driver: str, tmp_path: Path, id: str) -> None:
    """The one thing that is wrong is told by its check, and what has nothing to do with it stays silent."""
    wrong = WALK[id]
    drivers = driver
    if id in ("device.unique", "import.other-device"):
        twin = tmp_path / "twin.json"
        manifest = json.loads(Path(driver).read_text())
        if "/" in (library := manifest["ICD"]["library_path"]):
            manifest["ICD"]["library_path"] = str(Path(driver).parent / library)
        twin.write_text(json.dumps(manifest))
        drivers = f"{driver}:{twin}"
    outcomes = _outcomes(once, (*wrong.base, *wrong.faults), VK_DRIVER_FILES=drivers)
    assert outcomes[id] == wrong.outcome
    speaking = {name for name, outcome in outcomes.items() if outcome not in ("pass", "skip")}
    assert speaking - {id} <= set(wrong.follows)
