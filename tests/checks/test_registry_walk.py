# SPDX-License-Identifier: Apache-2.0
"""Faults as mutants: each fault of the layer is run for real, and `docs/faults.md` has the checks that notice it.

Every check notices the fault that `WALK` has for it, and without a fault every check passes. A fault that no check
notices is in `SILENT`, which says why that is no failure. VKZIRCON_UPDATE_GOLDEN=1 writes the table; a person reads
its difference before it is kept: a check that is new in a row must follow from the fault.
"""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from program import Ran, Run

from vkzircon_cli.bindings.faults import Entry, list_faults
from vkzircon_cli.checks import REGISTRY
from vkzircon_cli.checks.registry import SEVERITY, Outcome
from vkzircon_cli.emulation import installation
from vkzircon_cli.model.vmo import ImportKind

TABLE = Path(__file__).parents[2] / "docs" / "faults.md"
# Both drivers are CPUs, which is a warning of its own, so every fault is added to a device that reports another type.
BASE = "discrete-device"
TYPES = ("cpu-device", "discrete-device", "integrated-device", "virtual-device")
OPTIONS = ("--size", "2M", "--stress", "--negative")
# The first four end or stop the process in one call, and tests/layer/faults/test_points.c tries them all. The last has
# another effect with each seed: tests/emulation/test_random_answers.py.
_NO_ROW = re.compile("(abort|exit|hang|segfault)-in-.*|random-answers")

# `invalid-import` refuses each of these; some have a fault below that concerns them alone.
KINDS = tuple(
    f"import.{kind}" for kind in ImportKind if f"import.{kind}" in REGISTRY and kind is not ImportKind.OTHER_DEVICE
)
# For every check the fault of its own, and the outcome.
WALK = {
    "extension.listed": ("incomplete-forever", "fail"),
    "extension.revision": ("revision-99", "info"),
    "extension.dependencies": ("no-dependency", "fail"),
    "extension.entry-points": ("hide-properties", "fail"),
    "device.hardware": ("cpu-device", "warn"),
    "device.opens": ("refuse-device", "fail"),
    "device.closes": ("segfault-in-destroy-instance", "crash"),
    "capabilities.offered": ("deny-import", "warn"),
    "capabilities.compatible": ("incompatible-with-itself", "fail"),
    "capabilities.well-formed": ("capabilities-clobber-header", "fail"),
    "capabilities.agree-export": ("refuse-plain-export", "fail"),
    "capabilities.agree-import": ("refuse-import", "fail"),
    "capabilities.dedicated": ("dedicated-only-reported", "warn"),
    "capabilities.images": ("refuse-import", "fail"),
    "capabilities.semaphore": ("semaphore-listed", "warn"),
    "export.memory-type": ("refuse-get", "fail"),
    "export.form": ("refuse-plain-export", "info"),
    "export.result-codes": ("odd-result-in-export", "warn"),
    "export.handle-given": ("export-zero", "fail"),
    "export.handle-shape": ("export-odd-handle", "fail"),
    "export.handle-is-vmo": ("export-closed-handle", "fail"),
    "export.rights": ("fewer-rights", "warn"),
    "export.size": ("vmo-too-small", "fail"),
    "export.whole-pages": ("odd-size", "warn"),
    "export.fixed-size": ("resizable-vmo", "warn"),
    "export.ordinary": ("discardable-vmo", "warn"),
    "export.two-gets-distinct": ("same-handle-twice", "fail"),
    "export.two-gets-share": ("second-get-copies", "fail"),
    "export.same-koid": ("second-get-child", "info"),
    "export.two-exports-apart": ("one-pool", "fail"),
    "export.survives-channel": ("channel-copies", "fail"),
    "export.fresh-zeros": ("old-data", "warn"),
    "export.outlives": ("recycles-memory", "warn"),
    "properties.succeeds": ("refuse-properties", "fail"),
    "properties.result-codes": ("odd-result-in-properties", "warn"),
    "properties.written": ("properties-unwritten", "fail"),
    "properties.bits-set": ("properties-zero", "fail"),
    "properties.bits-in-range": ("properties-past-count", "fail"),
    # Both drivers have one memory type: without it there is none.
    "properties.exporting-type": ("properties-miss-type", "warn"),
    "properties.duplicate-agrees": ("properties-by-number", "fail"),
    "properties.own-vmo": ("foreign-properties-zero", "warn"),
    "properties.handle-kept": ("properties-close-handle", "fail"),
    "import.result-codes": ("import-needs-extra-page", "warn"),
    **dict.fromkeys(KINDS, ("invalid-import", "fail")),
    "import.own-vmo": ("foreign-import-refused", "warn"),
    "import.whole-size": ("invalid-import", "warn"),
    "import.small": ("small-refused", "fail"),
    "import.second-process": ("import-elsewhere-refused", "fail"),
    "import.contents-kept": ("one-byte-changed", "fail"),
    "import.shares": ("import-copies", "fail"),
    "import.releases-handle": ("leak-handle", "fail"),
    "data.host-write": ("import-copies", "fail"),
    "data.host-write-import": ("import-copies", "fail"),
    "data.gpu-fill": ("device-lost-in-submit", "fail"),
    "data.gpu-copy": ("import-copies", "fail"),
    "data.size": ("large-refused", "warn"),
    "data.image": ("import-copies", "fail"),
    "stress.imports": ("leak-handle", "fail"),
    "stress.rounds": ("leak-handle", "fail"),
    "stress.memory": ("leak-memory", "warn"),
    "negative.import-refused": ("odd-result-in-import", "warn"),
    "negative.no-handle-type": ("no-handle-type-refused", "info"),
    "negative.get-refused": ("import-is-exportable", "info"),
    "negative.handle-kept": ("failed-import-closes-handle", "warn"),
    "negative.properties-refused": ("properties-accept-garbage", "info"),
    "negative.survives": ("import-kills", "crash"),
}
# With `invalid-import` on a driver that is listed twice: these checks compare devices.
TWICE = {"device.unique": "warn", "import.other-device": "info"}
# What one driver alone cannot show: a second GPU, and the sibling extension.
NOT_SHOWN = {"import.other-device", "capabilities.semaphore"}

_NO_DEVICE = "There is no device to check: the error and exit code 4 say so."
_NAME = "A name is no part of sharing. Every format shows it, with its odd bytes escaped."
_OUTPUT = "What a driver prints is kept apart from the result, and the report quotes it."
_NOT_FOR_EXPORT = (
    "The call breaks VUID-VkMemoryGetZirconHandleInfoFUCHSIA-handleType-04776, so that any error is a refusal."
)
_TYPE = "A device may have any type. Only software (CPU) is worth a warning."
# Why it is no failure that no check notices the fault.
SILENT = {
    "discrete-device": _TYPE,
    "extra-page": "A VMO may be larger than its allocation, as SwiftShader's are, and imports work.",
    "handle-count-late": "The kernel or a service is late, not the driver: the probe waits until the count settles.",
    "import-keeps-number": "An imported handle is no longer the caller's, so that no correct program uses its number.",
    "integrated-device": _TYPE,
    "large-atom": "A device may have this size (limits.adoc), and mapped ranges are aligned to it.",
    "largest-size-refused": "No step allocates that much unless `--size` asks for it, and `data.size` warns then.",
    "name-empty": _NAME,
    "name-hostile": _NAME,
    "name-not-utf8": _NAME,
    "name-unterminated": _NAME,
    "no-device": _NO_DEVICE,
    "no-name": "A VMO's name helps in debugging only.",
    "null-memory-kills": "The call breaks VUID-VkMemoryGetZirconHandleInfoFUCHSIA-memory-parameter: no step makes it.",
    "old-kernel": "The kernel is old, not the driver: the probe asks it in its own version.",
    "refuse-enumeration": _NO_DEVICE,
    "semaphore-offered": "Of semaphores, only the query is asked, and its answer is that of a driver that has them.",
    "talks-on-stderr": _OUTPUT,
    "talks-on-stdout": _OUTPUT,
    "unexportable-init-failed": _NOT_FOR_EXPORT,
    "unexportable-invalid-handle": _NOT_FOR_EXPORT,
    "virtual-device": _TYPE,
    "wrong-type-init-failed": (
        "The call breaks VUID-vkGetMemoryZirconHandlePropertiesFUCHSIA-handleType-04773, "
        "so that any error is a refusal."
    ),
}


@pytest.fixture(name="driver", scope="module", params=["lavapipe", "swiftshader"])
def _driver(request: pytest.FixtureRequest) -> str:
    """Return the manifest of each driver that the emulation has below it; all have the table's rows."""
    return str(request.getfixturevalue(request.param))


def _run(once: Run, fault: str, manifest: str) -> Ran:
    faults = (fault,) if fault in TYPES else (BASE, fault)
    options = [word for name in faults for word in ("--fault", name)]
    ran = once("check", "--format", "json", *OPTIONS, *options, VK_DRIVER_FILES=manifest)
    assert "Traceback" not in ran.out + ran.err
    return ran


def _outcomes(ran: Ran) -> dict[str, str]:
    return {check["id"]: check["outcome"] for check in ran.json["checks"] if check["device"] == 0}


def _speaking(ran: Ran) -> str:
    """Return the checks that neither pass nor skip, by outcome, the worst first."""
    ids: dict[str, list[str]] = {}
    for name, outcome in _outcomes(ran).items():
        ids.setdefault(outcome, []).append(f"`{name}`")
    told = sorted(set(ids) - {"pass", "skip"}, key=lambda outcome: SEVERITY[Outcome(outcome)], reverse=True)
    return "; ".join(f"{outcome} {' '.join(ids[outcome])}" for outcome in told)


def _speaking_or_why(fault: Entry, ran: Ran) -> str:
    speaking, why = _speaking(ran), SILENT.get(fault.name, "")
    assert bool(speaking) is not bool(why), f"{fault.name}: {speaking or 'no check speaks: say in SILENT why'}"
    return speaking or f"none. {why}"


# The heading of each column, and what it says of a fault and the run with it.
COLUMNS: dict[str, Callable[[Entry, Ran], str]] = {
    "fault": lambda fault, _: f"`{fault.name}`",
    "what it does": lambda fault, _: fault.description,
    "checks that speak": _speaking_or_why,
    "exit": lambda _, ran: str(ran.code),
}


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _page(once: Run, manifest: str) -> str:
    faults = [fault for fault in list_faults(installation.open_libzircon({})) if _has_row(fault.name)]
    runs = {fault.name: _run(once, fault.name, manifest) for fault in faults}
    rows = [_line([cell(fault, runs[fault.name]) for cell in COLUMNS.values()]) for fault in faults]
    return "\n".join([_INTRODUCTION, _line(list(COLUMNS)), "|---" * len(COLUMNS) + "|", *rows, ""])


def _has_row(fault: str) -> bool:
    return not _NO_ROW.fullmatch(fault) or fault in {own for own, _ in WALK.values()}


_INTRODUCTION = f"""# Faults, and the checks that notice them

<!-- Generated, see tests/checks/test_registry_walk.py -->

Each row is one run on lavapipe of

```sh
vkzircon check --emulate {" ".join(OPTIONS)} --fault {BASE} --fault FAULT
```

without `{BASE}` if the fault is a device type itself. The row has every check that neither passes nor skips, by
outcome. Where no check speaks, a sentence says why that is no failure. Two kinds of faults are left out.
`abort-in-PLACE`, `exit-in-PLACE`, `hang-in-PLACE` and `segfault-in-PLACE` end or stop the driver in one call: the step
that made the call is reported as a crash or a timeout, and the exit code is 5. One of them is here, because a check has
no other fault. What `random-answers` does depends on its seed.
"""


def test_the_table_has_every_fault_and_the_checks_that_notice_it(once: Run, lavapipe: str) -> None:
    """A check that falls silent, or speaks of what is not wrong, is seen by a person before it is kept."""
    page = _page(once, lavapipe)
    if os.environ.get("VKZIRCON_UPDATE_GOLDEN"):
        TABLE.write_text(page, encoding="utf-8")
    assert page == TABLE.read_text(encoding="utf-8")


def test_no_reason_is_left_behind() -> None:
    """A fault that is gone, or that a check notices now, needs no reason for silence."""
    assert {fault for fault, told in _table().items() if told.startswith("none. ")} == set(SILENT)


def _table() -> dict[str, str]:
    """Return the checks that speak, or the reason why none does, of each fault in the table."""
    lines = TABLE.read_text(encoding="utf-8").splitlines()
    rows = [dict(zip(COLUMNS, line.strip("| ").split(" | "), strict=True)) for line in lines if line.startswith("| `")]
    return {row["fault"].strip("`"): row["checks that speak"] for row in rows}


def test_every_check_is_walked() -> None:
    """A check without a driver that fails it is no check."""
    assert {*WALK, *TWICE} == set(REGISTRY)


def test_without_a_fault_every_check_passes(once: Run, driver: str) -> None:
    """The walk starts from a device of which there is nothing to say."""
    outcomes = _outcomes(_run(once, BASE, driver))
    assert {name for name, outcome in outcomes.items() if outcome != "pass"} == NOT_SHOWN


@pytest.mark.parametrize("id", list(WALK))
def test_with_its_fault_the_check_speaks(once: Run, driver: str, id: str) -> None:
    """The one thing that is wrong is told by its check, and by no other than the table has."""
    fault, outcome = WALK[id]
    ran = _run(once, fault, driver)
    assert _outcomes(ran)[id] == outcome
    assert _speaking(ran) == _table()[fault]


def test_a_device_that_is_listed_twice_is_noticed(once: Run, driver: str, tmp_path: Path) -> None:
    """Checks that compare two devices speak, and beside them only those that notice the fault on one device."""
    manifest = json.loads(Path(driver).read_text())
    if "/" in (library := manifest["ICD"]["library_path"]):
        manifest["ICD"]["library_path"] = str(Path(driver).parent / library)
    twin = tmp_path / "twin.json"
    twin.write_text(json.dumps(manifest))
    told = _outcomes(_run(once, "invalid-import", f"{driver}:{twin}"))
    assert {name: told[name] for name in TWICE} == TWICE
    alone = _outcomes(_run(once, "invalid-import", driver))
    assert {name for name in alone if told[name] != alone[name]} == set(TWICE)
