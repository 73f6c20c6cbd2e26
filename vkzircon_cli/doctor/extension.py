# SPDX-License-Identifier: Apache-2.0
"""Explains for each device why VK_FUCHSIA_external_memory is there or is missing."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from shlex import quote

from vkzircon_cli.checks import Outcome
from vkzircon_cli.checks.registry import describe
from vkzircon_cli.doctor.finding import Finding, branch
from vkzircon_cli.doctor.layer_bisect import NOTHING_HIDDEN, Hidden
from vkzircon_cli.errors import Exit
from vkzircon_cli.model.base import Missing, MissingKind
from vkzircon_cli.model.facts import Device, Extension, Identity
from vkzircon_cli.model.host import FUCHSIA, LIBZIRCON_VARIABLE
from vkzircon_cli.model.quantities import counted
from vkzircon_cli.model.queries import UNNAMED, dependency_leg, display_name, find_extension
from vkzircon_cli.model.spec import EXTENSION, SIBLING_INSTANCE_EXTENSIONS
from vkzircon_cli.model.text import visible
from vkzircon_cli.report.report import Report
from vkzircon_cli.report.stop_reason import DOCTOR, ENDED_THE_RUN, FIRST_ONLY, filter_of_emulation
from vkzircon_cli.stream.events import Failure

HOST_MEMORY = "VK_EXT_external_memory_host"
_FUCHSIAN = "VK_FUCHSIA_"
_MOST_MESSAGES = 5
_DIED = {MissingKind.CRASHED: Outcome.CRASH, MissingKind.TIMED_OUT: Outcome.TIMEOUT}
# The name of Starnix' kernel and one of its nodes (fuchsia's src/starnix/kernel; not tried there).
_STARNIX, _STARNIX_NODE = "starnix", Path("/dev/magma0")


def extension_finding(
    report: Report, hidden: Mapping[int, Hidden], known: Collection[str], suspects: Sequence[str], *, emulate: bool
) -> Finding:
    """Return for each device why it has the extension or not.

    *hidden* is what layers hide from each device, *known* are the subjects of problems that are reported already, and
    *suspects* are the drivers that load.
    """
    children = [
        *_passed(report),
        *_culprits(report, known),
        *_stopped(report, bool(known), suspects),
        *_devices(report, hidden, emulate),
        *_of_instance(report),
    ]
    offering = sum(child.id == "extension.offered" for child in children)
    sentence = f"{offering} of {counted(len(report.devices), 'device')} can use {EXTENSION}."
    if not report.devices:
        sentence = "There is no device that could be asked."
    return branch("extension", EXTENSION, sentence, children)


def is_starnix(report: Report) -> bool:
    """Whether this Linux is Fuchsia's Starnix, where no Vulkan driver can export a VMO."""
    return _STARNIX in report.environment.system.lower() or _STARNIX_NODE.exists()


def _passed(report: Report) -> Iterator[Finding]:
    """Yield a failure that did not happen again: an occasional failure is worse than a permanent one."""
    for message in report.run.messages:
        if message.text.startswith(FIRST_ONLY):
            cause = "a driver or a layer fails occasionally, or the machine was very slow"
            command = f"vkzircon check{report.emulation.options} --stress"
            yield Finding("probe.passed", "Vulkan", Outcome.WARN, visible(message.text), (), cause, command)


def _culprits(report: Report, known: Collection[str]) -> Iterator[Finding]:
    """Yield drivers and layers that fail only when they are used, which their manifests do not show."""
    answers = (answer for device in report.devices for answer in (device.identity, device.extensions))
    is_bad = report.error is not None or any(answer.missing is not None for answer in answers)
    for culprit in report.culprits:
        if culprit.path not in known:
            path = visible(culprit.path)
            rest = (
                "the other drivers were probed without it"
                if culprit.left_out
                else "no device could be probed beside it"
            )
            evidence = (path,) if path not in culprit.sentence else ()
            sentence = visible(culprit.sentence)
            # If the probe fails also without the culprit, the other failure is the problem.
            outcome = Outcome.WARN if culprit.left_out and is_bad else Outcome.FAIL
            yield Finding("probe.culprit", path, outcome, sentence, evidence, rest, visible(culprit.command))


def _stopped(report: Report, is_explained: bool, suspects: Sequence[str]) -> Iterator[Finding]:
    """Yield why the devices could not be probed as requested; it is skipped where an earlier finding explains it."""
    failure = report.error
    if failure is None or failure.cause in ENDED_THE_RUN:
        return
    words = [visible(m.text) for m in report.run.messages if m.severity == "error"]
    evidence = tuple(dict.fromkeys(words))[:_MOST_MESSAGES]
    message, hint = visible(failure.message), visible(failure.hint.removesuffix(DOCTOR).rstrip())
    guilty = [culprit for culprit in report.culprits if not culprit.left_out]
    if not report.devices and (is_explained or guilty):
        cause = "it follows from the problems above"
        yield Finding(f"probe.{failure.cause}", "Vulkan", Outcome.SKIP, message, evidence, cause)
        return
    outcome = Outcome.FAIL
    if failure.exit_code == Exit.CRASHED:
        outcome = Outcome.TIMEOUT if failure.cause == "driver-hung" else Outcome.CRASH
        evidence += tuple(f"suspect: {visible(path)}" for path in suspects[:_MOST_MESSAGES])
        if len(suspects) == 1:
            hint = "It is the only driver that loads, so the cause is this driver or an implicit layer."
    yield Finding(f"probe.{failure.cause}", "Vulkan", outcome, message, evidence, hint, _remedy(failure, report))


def _remedy(failure: Failure, report: Report) -> str:
    """Return the command that solves a failure, '' if the other findings have it."""
    if failure.cause in ("no-package", "no-binding"):
        return failure.hint.partition(": ")[2]
    if failure.cause == "no-process":
        return "ulimit -a"
    if failure.cause == "no-layer":
        return "python3 -m pip install --force-reinstall vkzircon"
    if failure.cause == "no-libzircon" and any(v.name == LIBZIRCON_VARIABLE for v in report.environment.variables):
        return f"unset {LIBZIRCON_VARIABLE}"
    if failure.cause == "no-emulation" and (variable := filter_of_emulation(report.environment)):
        return f"unset {variable.name}"
    return "" if report.environment.platform == FUCHSIA else "VK_LOADER_DEBUG=all vulkaninfo --summary"


def _devices(report: Report, hidden: Mapping[int, Hidden], emulate: bool) -> Iterator[Finding]:
    for device in report.devices:
        looked = hidden.get(device.index, NOTHING_HIDDEN)
        missing = device.identity.missing or device.extensions.missing
        if missing is not None:
            yield _unanswered(report, device, missing)
        elif (found := find_extension(device.extensions.value or ())) is not None:
            yield _listed(report, device, found, looked)
        else:
            yield _absent(report, device, looked, emulate)


def _name(device: Device) -> str:
    return display_name(device.identity.value) if device.identity.value else UNNAMED


def _unanswered(report: Report, device: Device, missing: Missing) -> Finding:
    named = f" ({_name(device)})" if device.identity.value else ""
    sentence = f"Device {device.index}{named} could not be probed completely: {visible(describe(missing))}."
    outcome = _DIED.get(missing.kind, Outcome.FAIL)
    cause = "the driver or a layer above it may be the cause; leave out one after the other to find it"
    command = f"vkzircon devices{report.emulation.options} --verbose"
    return Finding("extension.not-asked", _name(device), outcome, sentence, (), cause, command)


def _listed(report: Report, device: Device, found: Extension, seen: Hidden) -> Finding:
    name, identity = _name(device), device.identity.value
    evidence = _neighbours(device)
    if seen.commands:
        commands = " and ".join(seen.commands)
        sentence = f"{name} lists {EXTENSION}, but vkGetDeviceProcAddr returns NULL for {commands}."
        if seen.hidden_by:
            return _hidden(name, sentence, seen.hidden_by, options=report.emulation.options)
        cause = "no layer hides them, so the driver lists an extension that it does not implement"
        return Finding("extension.no-commands", name, Outcome.FAIL, sentence, evidence, cause, "vkzircon check")
    leg = _leg(report, device)
    if leg is None and identity is not None:
        sentence = f"{name} lists {EXTENSION}, but supports only Vulkan {identity.api_version.text}."
        cause = "the extension needs Vulkan 1.1, or VK_KHR_external_memory with VK_KHR_external_memory_capabilities"
        return Finding("extension.api-too-low", name, Outcome.FAIL, sentence, evidence, cause, "vkzircon check")
    emulated = " (emulated)" if report.emulation.active else ""
    sentence = f"{name} offers {EXTENSION} revision {found.revision}{emulated}, on {leg}."
    return Finding("extension.offered", name, Outcome.PASS, sentence, evidence)


def _leg(report: Report, device: Device) -> str | None:
    instance, identity = report.instance.value, device.identity.value
    if instance is None or identity is None:
        return None
    return dependency_leg(instance, identity, device.extensions.value or ())


def _neighbours(device: Device) -> tuple[str, ...]:
    """Name the other extensions of Fuchsia, which only its drivers have."""
    others = [e.name for e in device.extensions.value or () if e.name.startswith(_FUCHSIAN) and e.name != EXTENSION]
    return (f"it lists {', '.join(visible(name) for name in others)} as well",) if others else ()


def _hidden(name: str, sentence: str, layers: tuple[str, ...], *, options: str) -> Finding:
    shown = [visible(layer) for layer in layers]
    cause = f"the layer {shown[0]} hides it" if len(shown) == 1 else f"the layers {', '.join(shown)} hide it together"
    evidence = (f"without {', '.join(shown)} the device offers it",)
    command = f"VK_LOADER_LAYERS_DISABLE={quote(','.join(shown))} VK_INSTANCE_LAYERS= vkzircon doctor{options}"
    return Finding("extension.hidden", name, Outcome.FAIL, sentence, evidence, cause, command)


def _absent(report: Report, device: Device, seen: Hidden, emulate: bool) -> Finding:
    name, among = _name(device), len(device.extensions.value or ())
    sentence = f"{name} does not offer {EXTENSION}: it is not among its {among} extensions."
    if seen.hidden_by:
        return _hidden(name, sentence, seen.hidden_by, options=report.emulation.options)
    if emulate:
        return _not_emulated(report, device, seen, sentence)
    neighbours = _neighbours(device)
    if neighbours:
        cause = "this driver is for Fuchsia, but is too old for memory sharing or was built without it"
        return Finding("extension.neighbours-only", name, Outcome.FAIL, sentence, neighbours, cause, "vkzircon devices")
    if report.environment.platform == FUCHSIA:
        evidence = (*_driver(device.identity.value), *_too_low(report, device))
        cause = "this driver does not implement it, so no component can export this device's memory as a VMO"
        return Finding("extension.not-in-driver", name, Outcome.FAIL, sentence, evidence, cause, "vkzircon devices")
    return _on_linux(report, device, sentence)


def _driver(identity: Identity | None) -> tuple[str, ...]:
    driver = identity.driver.value if identity else None
    return (f"driver: {visible(driver.name)} {visible(driver.info)}".rstrip(),) if driver else ()


def _too_low(report: Report, device: Device) -> tuple[str, ...]:
    if _leg(report, device) is not None or device.identity.value is None:
        return ()
    version = device.identity.value.api_version.text
    return (f"Vulkan {version} without VK_KHR_external_memory: the extension needs more",)


def _on_linux(report: Report, device: Device, sentence: str) -> Finding:
    name = _name(device)
    if is_starnix(report):
        cause = "this is Starnix, whose Linux programs have no VMOs; only a native Fuchsia component can use it"
        system = (report.environment.system,)
        return Finding("extension.starnix", name, Outcome.INFO, sentence, system, cause)
    cause = "only drivers for Fuchsia have it"
    evidence = (*_driver(device.identity.value), *_too_low(report, device))
    if find_extension(device.extensions.value or (), HOST_MEMORY) is None:
        cause += f", and without {HOST_MEMORY} it cannot be emulated on this device either"
        return Finding("extension.not-fuchsia", name, Outcome.INFO, sentence, evidence, cause, "vkzircon devices")
    chosen = f" --device {device.index}" if len(report.devices) > 1 else ""
    cause += f"; vkzircon can emulate it on {HOST_MEMORY}, which this driver has"
    command = f"vkzircon --emulate{chosen}"
    return Finding("extension.not-fuchsia", name, Outcome.INFO, sentence, evidence, cause, command)


def _not_emulated(report: Report, device: Device, seen: Hidden, sentence: str) -> Finding:
    name = _name(device)
    evidence = (*_driver(device.identity.value), *((visible(seen.refusal),) if seen.refusal else ()))
    command = "vkzircon devices  # another device may support it"
    if not report.emulation.active:
        cause = "it follows from the problems above: the emulation layer was not loaded"
        return Finding("extension.no-emulation", name, Outcome.SKIP, sentence, evidence, cause)
    if find_extension(device.extensions.value or (), HOST_MEMORY) is None:
        cause = f"the emulation needs {HOST_MEMORY}, and this driver does not list it"
        return Finding("extension.no-host-memory", name, Outcome.FAIL, sentence, evidence, cause, command)
    if low := _too_low(report, device):
        cause = "the emulation needs what the extension depends on"
        return Finding("extension.api-too-low", name, Outcome.FAIL, sentence, (*evidence, *low), cause, command)
    cause = f"this driver lists {HOST_MEMORY}, but does not import the pages of a VMO: {visible(seen.refusal)}".rstrip(
        ": "
    )
    return Finding("extension.host-memory-unusable", name, Outcome.FAIL, sentence, evidence, cause, command)


def _of_instance(report: Report) -> Iterator[Finding]:
    listed = report.instance.value.extensions if report.instance.value else ()
    for name in SIBLING_INSTANCE_EXTENSIONS:
        if find_extension(listed, name) is not None:
            yield Finding("extension.neighbour", name, Outcome.PASS, f"The instance offers {name} as well.")
