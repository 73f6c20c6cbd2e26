# SPDX-License-Identifier: Apache-2.0
"""Each reason for which a device has the extension or lacks it is a finding of its own, with a command."""

from dataclasses import replace

import pytest
from reports import device, emulated, good_report, identity, refused, stopped, with_devices, without_extension

from vkzircon_cli.checks import Outcome
from vkzircon_cli.doctor import extension
from vkzircon_cli.doctor.extension import extension_finding
from vkzircon_cli.doctor.finding import Finding
from vkzircon_cli.doctor.layer_bisect import Hidden
from vkzircon_cli.model.base import Answer, Missing, MissingKind
from vkzircon_cli.model.facts import Device, Extension
from vkzircon_cli.model.host import FUCHSIA, LINUX
from vkzircon_cli.model.queries import HOST_MEMORY
from vkzircon_cli.model.spec import ENTRY_POINTS, EXTENSION, api_version
from vkzircon_cli.report.report import Report
from vkzircon_cli.stream.events import Culprit, Failure

OLD = identity("Oldie", api_version=api_version(1 << 22))


def _listing(of: Device, *names: str) -> Device:
    return replace(of, extensions=Answer(tuple(Extension(name, 1) for name in names)))


def _on(platform: str, *devices: Device, system: str = "Linux 6.1") -> Report:
    report = with_devices(good_report(), *devices)
    return replace(report, environment=replace(report.environment, platform=platform, system=system))


def _only(report: Report, seen: Hidden | None = None, *, emulate: bool = False) -> Finding:
    looked = {} if seen is None else {0: seen}
    found = extension_finding(report, looked, (), (), emulate=emulate)
    (child,) = [child for child in found.children if child.id != "extension.neighbour"]
    assert "\n" not in child.sentence
    return child


LACKING = without_extension(device())


@pytest.mark.parametrize(
    ("report", "seen", "emulate", "id", "outcome"),
    [
        (_on(FUCHSIA, device()), None, False, "extension.offered", Outcome.PASS),
        (_on(FUCHSIA, LACKING), None, False, "extension.not-in-driver", Outcome.FAIL),
        (_on(LINUX, LACKING), None, False, "extension.not-fuchsia", Outcome.INFO),
        (_on(LINUX, LACKING, system="Linux 6.6.15-starnix"), None, False, "extension.starnix", Outcome.INFO),
        (
            _on(LINUX, _listing(device(), "VK_FUCHSIA_buffer_collection")),
            None,
            False,
            "extension.neighbours-only",
            Outcome.FAIL,
        ),
        (_on(FUCHSIA, _listing(device(who=OLD), EXTENSION)), None, False, "extension.api-too-low", Outcome.FAIL),
        (_on(LINUX, LACKING), Hidden(hidden_by=("VK_LAYER_x",)), False, "extension.hidden", Outcome.FAIL),
        (
            _on(LINUX, device()),
            Hidden(ENTRY_POINTS, ("VK_LAYER_x",)),
            False,
            "extension.hidden",
            Outcome.FAIL,
        ),
        (_on(LINUX, device()), Hidden(ENTRY_POINTS), False, "extension.no-commands", Outcome.FAIL),
        (_on(LINUX, LACKING), None, True, "extension.no-emulation", Outcome.SKIP),
        (emulated(_on(LINUX, _listing(device(), "VK_KHR_x"))), None, True, "extension.no-host-memory", Outcome.FAIL),
        (
            emulated(_on(LINUX, _listing(device(who=OLD), HOST_MEMORY))),
            None,
            True,
            "extension.api-too-low",
            Outcome.FAIL,
        ),
        (
            emulated(_on(LINUX, _listing(device(), HOST_MEMORY))),
            Hidden(refusal="importing a memfd's pages failed (VkResult -2)"),
            True,
            "extension.host-memory-unusable",
            Outcome.FAIL,
        ),
    ],
)
def test_each_reason_is_told_apart(
    report: Report, seen: Hidden | None, emulate: bool, id: str, outcome: Outcome
) -> None:
    """Its sentence names the device, and every outcome but a pass has a cause."""
    found = _only(report, seen, emulate=emulate)
    assert (found.id, found.outcome) == (id, outcome)
    assert found.subject in found.sentence
    assert found.cause or outcome is Outcome.PASS


def test_the_layer_that_hides_it_is_named_with_the_way_around() -> None:
    """The command runs doctor without the layer."""
    found = _only(_on(LINUX, LACKING), Hidden(hidden_by=("VK_LAYER_x",)))
    assert "VK_LAYER_x" in found.cause
    assert found.command == "VK_LOADER_LAYERS_DISABLE=VK_LAYER_x VK_INSTANCE_LAYERS= vkzircon doctor"


def test_linux_is_told_whether_emulation_would_work() -> None:
    """The next command is --emulate only where the emulation's dependency is there."""
    with_host = _only(_on(LINUX, _listing(device(), HOST_MEMORY)))
    assert with_host.command == "vkzircon --emulate"
    without = _only(_on(LINUX, _listing(device(), "VK_KHR_x")))
    assert "--emulate" not in without.command
    assert HOST_MEMORY in without.cause


def test_an_emulation_that_is_not_installed_is_not_advised(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a wheel without the layer, --emulate cannot work."""
    monkeypatch.setattr(extension, "is_installed", lambda: False)
    found = _only(_on(LINUX, _listing(device(), HOST_MEMORY)))
    assert "emulate" not in found.command + found.cause


def test_the_emulations_own_reason_is_evidence() -> None:
    """The layer's own reason is shown, with the name of a result that the layer has as a number."""
    report = emulated(_on(LINUX, _listing(device(), HOST_MEMORY)))
    assert (
        "(VK_ERROR_OUT_OF_DEVICE_MEMORY)"
        in _only(report, Hidden(refusal="failed (VkResult -2)"), emulate=True).evidence[-1]
    )


def test_neighbours_are_told() -> None:
    """Other extensions of Fuchsia are evidence."""
    found = _only(_on(FUCHSIA, _listing(device(), EXTENSION, "VK_FUCHSIA_external_semaphore")))
    assert "VK_FUCHSIA_external_semaphore" in found.evidence[0]


def test_a_device_that_was_not_asked_to_the_end_says_why() -> None:
    """A refusal is a failure, a dead process is a crash."""
    broken = replace(device(), extensions=Answer(None, refused("vkEnumerateDeviceExtensionProperties", "VK_ERROR_X")))
    assert _only(_on(LINUX, broken)).outcome is Outcome.FAIL
    dead = replace(device(), extensions=Answer(None, Missing(MissingKind.CRASHED, "x", "SIGSEGV", "killed")))
    assert _only(_on(LINUX, dead)).outcome is Outcome.CRASH


def test_a_consequence_is_no_problem_of_its_own() -> None:
    """Where an earlier finding explains it, the missing device is skipped."""
    report = stopped(_on(LINUX), "No Vulkan driver was found.", "Install one.")
    (alone,) = extension_finding(report, {}, (), (), emulate=False).children
    assert alone.outcome is Outcome.FAIL
    (explained,) = extension_finding(report, {}, ("/x.json",), (), emulate=False).children
    assert explained.outcome is Outcome.SKIP


def test_who_fails_only_when_it_is_asked_is_named() -> None:
    """A culprit of the probe is a finding unless its manifest is one already."""
    culprit = Culprit("driver", "/x.json", "The driver crashed, with /x.json.", "", left_out=True)
    report = replace(_on(LINUX, LACKING), culprits=(culprit,))
    ids = [child.id for child in extension_finding(report, {}, (), (), emulate=False).children]
    assert "probe.culprit" in ids
    ids = [child.id for child in extension_finding(report, {}, ("/x.json",), (), emulate=False).children]
    assert "probe.culprit" not in ids


def test_what_a_limit_cut_short_is_not_blamed_on_the_driver() -> None:
    """The error names the limit; a device that was not probed completely follows from it."""
    lost = replace(device(), extensions=Answer(None, Missing(MissingKind.CRASHED, "vkX", "SIGSEGV", "it crashed")))
    report = with_devices(good_report(), lost)
    (alone,) = [each for each in _children(report) if each.id == "extension.not-asked"]
    assert (alone.outcome, "driver" in alone.cause) == (Outcome.CRASH, True)
    limited = replace(report, error=Failure("limit", "It crashed, where the limit is low.", "", 4))
    stopped, skipped = (each for each in _children(limited) if each.id != "extension.neighbour")
    assert (stopped.id, stopped.outcome) == ("probe.limit", Outcome.FAIL)
    assert (skipped.id, skipped.outcome, "driver" in skipped.cause) == ("extension.not-asked", Outcome.SKIP, False)


def _children(report: Report) -> tuple[Finding, ...]:
    return extension_finding(report, {}, (), (), emulate=False).children
