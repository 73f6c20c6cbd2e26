# SPDX-License-Identifier: Apache-2.0
"""Faults as mutants: each fault of the layer is run for real, and `docs/faults.md` has the checks that notice it.

Every check notices the fault that `WALK` has for it, and without a fault every check passes. A fault that no check
notices is in `SILENT`, which says why that is no failure. VKZIRCON_UPDATE_GOLDEN=1 writes the table. Review its diff:
a check that is new in a row must be one that the fault breaks.
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
OPTIONS = ("--size", "2M", "--stress", "--negative")
# The first four end or stop the process in one call; tests/layer/faults/test_points.c tests all of them. The effect of
# the last depends on its seed: tests/emulation/test_random_answers.py tests it.
_NO_ROW = re.compile("(abort|exit|hang|segfault)-in-.*|random-answers")

# `invalid-import` refuses each of these; some have a fault below that concerns them alone.
KINDS = tuple(
    f"import.{kind}" for kind in ImportKind if f"import.{kind}" in REGISTRY and kind is not ImportKind.OTHER_DEVICE
)
# The fault that tests each check, and the outcome.
WALK = {
    "extension.listed": ("incomplete-forever", "fail"),
    "extension.revision": ("revision-99", "info"),
    "extension.dependencies": ("no-dependency", "fail"),
    "extension.entry-points": ("hide-properties", "fail"),
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
# Without emulation, which is not about hardware: both drivers are CPUs.
NATIVE = {"device.hardware": "warn"}
# With `invalid-import` on a driver that is listed twice: these checks compare devices.
TWICE = {"device.unique": "warn", "import.other-device": "info"}
# What one emulated driver cannot show: hardware, a second GPU, and the sibling extension.
NOT_SHOWN = {"device.hardware", "import.other-device", "capabilities.semaphore"}

_NO_DEVICE = "There is no device to check: the error and exit code 4 say so."
_NAME = "The name has no effect on sharing. Every format shows it, with special characters escaped."
_OUTPUT = "The driver's output is kept out of the result, and the report quotes it."
_NOT_FOR_EXPORT = (
    "The call breaks VUID-VkMemoryGetZirconHandleInfoFUCHSIA-handleType-04776, so any error is a correct refusal."
)
_TYPE = "A device may have any type. Only software (CPU) is worth a warning, and not in an emulated run."
# Why it is no failure that no check notices the fault.
SILENT = {
    "cpu-device": _TYPE,
    "discrete-device": _TYPE,
    "extra-page": "A VMO may be larger than its allocation, as SwiftShader's are, and imports work.",
    "handle-count-late": "A kernel or a service may count late. The probe waits until the count settles.",
    "import-keeps-number": "An imported handle no longer belongs to the caller, so no correct program uses its number.",
    "integrated-device": _TYPE,
    "large-atom": "A device may have this size (limits.adoc), and mapped ranges are aligned to it.",
    "largest-size-refused": "No step allocates that much unless `--size` asks for it, and `data.size` warns then.",
    "name-empty": _NAME,
    "name-hostile": _NAME,
    "name-not-utf8": _NAME,
    "name-unterminated": _NAME,
    "no-device": _NO_DEVICE,
    "no-name": "A VMO's name only helps in debugging.",
    "null-memory-kills": "The call breaks VUID-VkMemoryGetZirconHandleInfoFUCHSIA-memory-parameter: no step makes it.",
    "old-kernel": "An old kernel is no fault of the driver. The probe uses the version that the kernel supports.",
    "refuse-enumeration": _NO_DEVICE,
    "semaphore-offered": "vkzircon only queries semaphores, and the answer is that of a driver that supports them.",
    "talks-on-stderr": _OUTPUT,
    "talks-on-stdout": _OUTPUT,
    "unexportable-init-failed": _NOT_FOR_EXPORT,
    "unexportable-invalid-handle": _NOT_FOR_EXPORT,
    "virtual-device": _TYPE,
    "wrong-type-init-failed": (
        "The call breaks VUID-vkGetMemoryZirconHandlePropertiesFUCHSIA-handleType-04773, "
        "so any error is a correct refusal."
    ),
}
# Faults whose first cause is a check that another fault tests, and why that is right.
_SAME_CALL = "The call fails with any result, and the check of the result follows."
OTHER_CAUSES = {
    "import-needs-extra-page": ("import.same-device", _SAME_CALL),
    "odd-result-in-export": ("export.memory-type", _SAME_CALL),
    "odd-result-in-properties": ("properties.succeeds", _SAME_CALL),
    "refuse-import": ("import.same-device", "Every import fails, as with `invalid-import`."),
    "properties-miss-type": ("properties.bits-set", "Both drivers have one memory type, so none is left."),
    "properties-accept-garbage": ("properties.own-vmo", "A handle without rights is accepted too, which warns."),
    "second-get-child": ("export.ordinary", "A child VMO is worth a warning, another koid only a note."),
}


@pytest.fixture(name="driver", scope="module", params=["lavapipe", "swiftshader"])
def _driver(request: pytest.FixtureRequest) -> str:
    """Return the manifest of each driver that the emulation runs on; the table's rows hold for all of them."""
    return str(request.getfixturevalue(request.param))


def _run(once: Run, fault: str, manifest: str) -> Ran:
    """Run with a *fault*, '' for none."""
    options = ("--fault", fault) if fault else ()
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
    assert bool(speaking) is not bool(why), f"{fault.name}: {speaking or 'no check notices it: SILENT must say why'}"
    return speaking or f"none. {why}"


def _causes(_: Entry, ran: Ran) -> str:
    """Return the check that the report names as the cause of each failure or warning, the worst first."""
    causes = [cause for cause in ran.json["causes"] if cause["device"] == 0]
    causes.sort(key=lambda cause: SEVERITY[Outcome(cause["outcome"])], reverse=True)
    return " ".join(f"`{cause['check']}`" for cause in causes)


# The heading of each column, and what it says of a fault and the run with it.
COLUMNS: dict[str, Callable[[Entry, Ran], str]] = {
    "fault": lambda fault, _: f"`{fault.name}`",
    "what it does": lambda fault, _: fault.description,
    "cause": _causes,
    "checks that notice it": _speaking_or_why,
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

```
vkzircon check --emulate {" ".join(OPTIONS)} --fault FAULT
```

The column *cause* has the checks that the report names as causes. The next column has every check that neither passes
nor skips, by outcome. If no check notices the fault, a sentence says why that is no failure. Two kinds of faults are
left out. `abort-in-PLACE`, `exit-in-PLACE`, `hang-in-PLACE` and `segfault-in-PLACE` end or stop the driver in one call:
the report shows a crash or a timeout of the step that made the call, and the exit code is 5. One of them is listed,
because `device.closes` has no other fault. The effect of `random-answers` depends on its seed.
"""


def test_the_table_has_every_fault_and_the_checks_that_notice_it(once: Run, lavapipe: str) -> None:
    """A check that notices fewer or more faults than before changes the table, so that a reviewer sees it."""
    page = _page(once, lavapipe)
    if os.environ.get("VKZIRCON_UPDATE_GOLDEN"):
        TABLE.write_text(page, encoding="utf-8")
    assert page == TABLE.read_text(encoding="utf-8")


def test_no_reason_is_left_behind() -> None:
    """A fault that was removed, or that a check now notices, must not be in `SILENT`."""
    assert {fault for fault, told in _table().items() if told.startswith("none. ")} == set(SILENT)


def _rows() -> dict[str, dict[str, str]]:
    """Return the table's rows by fault."""
    lines = TABLE.read_text(encoding="utf-8").splitlines()
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if line.startswith("| `")]
    return {row[0].strip("`"): dict(zip(COLUMNS, row, strict=True)) for row in cells}


def _table() -> dict[str, str]:
    """Return the checks that notice each fault in the table, or the reason why none does."""
    return {fault: row["checks that notice it"] for fault, row in _rows().items()}


def test_the_first_cause_is_the_faults_own_check() -> None:
    """The report names the check that fails first, never a check that only fails because of it."""
    own: dict[str, set[str]] = {}
    for name, (fault, _) in WALK.items():
        own.setdefault(fault, set()).add(name)
    for fault, row in _rows().items():
        causes = row["cause"].replace("`", "").split()
        if causes and fault in OTHER_CAUSES:
            assert causes[0] == OTHER_CAUSES[fault][0]
        elif causes and fault in own:
            assert causes[0] in own[fault], fault
    assert 10 * len(OTHER_CAUSES) < len(_rows())


def test_every_check_is_walked() -> None:
    """A check without a driver that fails it is no check."""
    assert {*WALK, *NATIVE, *TWICE} == set(REGISTRY)


def test_without_a_fault_every_check_passes(once: Run, driver: str) -> None:
    """The walk starts from a device of which there is nothing to say."""
    outcomes = _outcomes(_run(once, "", driver))
    assert {name for name, outcome in outcomes.items() if outcome != "pass"} == NOT_SHOWN


@pytest.mark.parametrize("id", list(WALK))
def test_with_its_fault_the_check_speaks(once: Run, driver: str, id: str) -> None:
    """The fault is noticed by its check, and only by the other checks in the table."""
    fault, outcome = WALK[id]
    ran = _run(once, fault, driver)
    assert _outcomes(ran)[id] == outcome
    assert _speaking(ran) == _table()[fault]


def test_without_hardware_a_native_run_says_so(vkzircon: Run, driver: str) -> None:
    """A CPU driver may run because a hardware driver is missing, unless the run is emulated."""
    told = _outcomes(vkzircon("check", "--format", "json", VK_DRIVER_FILES=driver))
    assert {name: told[name] for name in NATIVE} == NATIVE


def test_a_device_that_is_listed_twice_is_noticed(once: Run, driver: str, tmp_path: Path) -> None:
    """Checks that compare two devices notice it, besides those that notice the fault on one device."""
    manifest = json.loads(Path(driver).read_text())
    if "/" in (library := manifest["ICD"]["library_path"]):
        manifest["ICD"]["library_path"] = str(Path(driver).parent / library)
    twin = tmp_path / "twin.json"
    twin.write_text(json.dumps(manifest))
    told = _outcomes(_run(once, "invalid-import", f"{driver}:{twin}"))
    assert {name: told[name] for name in TWICE} == TWICE
    alone = _outcomes(_run(once, "invalid-import", driver))
    assert {name for name in alone if told[name] != alone[name]} == set(TWICE)
