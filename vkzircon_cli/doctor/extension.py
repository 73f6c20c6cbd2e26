# SPDX-License-Identifier: Apache-2.0
"""Explains for each device why VK_FUCHSIA_external_memory is there or is missing."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from vkzircon_cli.checks import Outcome
from vkzircon_cli.checks.registry import DEATH_OF, describe
from vkzircon_cli.doctor.finding import Finding, branch
from vkzircon_cli.doctor.layer_bisect import Hidden, without_layers
from vkzircon_cli.emulation.installation import is_installed
from vkzircon_cli.errors import Exit
from vkzircon_cli.model.base import Missing
from vkzircon_cli.model.facts import Device, Extension
from vkzircon_cli.model.host import FUCHSIA, LIBZIRCON_VARIABLE
from vkzircon_cli.model.quantities import counted
from vkzircon_cli.model.queries import HOST_MEMORY, dependency_leg, display_name, find_extension
from vkzircon_cli.model.spec import EXTENSION, SIBLING_INSTANCE_EXTENSIONS, result_name
from vkzircon_cli.model.text import visible
from vkzircon_cli.report.report import Report
from vkzircon_cli.report.stop_reason import ENDED_THE_RUN, FIRST_ONLY, doctors_hint, filter_of_emulation, is_limited
from vkzircon_cli.stream.events import Failure

_FUCHSIAN = "VK_FUCHSIA_"
_MOST_MESSAGES = 5
_ALONE = " No device could be probed beside it."
_FOLLOWS = "it follows from the problems above"
_VK_RESULT = re.compile(r"VkResult (-?\d+)")  # the layer has no table of names
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
        *(_Explained(report, device, hidden.get(device.index)).finding(emulate) for device in report.devices),
        *_of_instance(report),
    ]
    offering = sum(child.id == "extension.offered" for child in children)
    sentence = f"{offering} of {counted(len(report.devices), 'device')} can use {EXTENSION}."
    if not report.devices:
        sentence = "There is no device that could be asked."
    return branch("extension", EXTENSION, sentence, children)


def is_starnix(report: Report) -> bool:
    """Whether this Linux is Fuchsia's Starnix, where no Vulkan driver can export a VMO."""
    where = report.environment
    return _STARNIX in where.system.lower() or (where.agent is None and _STARNIX_NODE.exists())


def _passed(report: Report) -> Iterator[Finding]:
    """Yield a failure that did not happen again: an occasional failure is worse than a permanent one."""
    for message in report.run.messages:
        if message.text.startswith(FIRST_ONLY):
            cause = "a driver or a layer fails occasionally, or the machine was very slow"
            command = f"vkzircon check{report.options} --stress"
            yield Finding("probe.passed", "Vulkan", Outcome.WARN, visible(message.text), (), cause, command)


def _culprits(report: Report, known: Collection[str]) -> Iterator[Finding]:
    """Yield drivers and layers that fail only when they are used, which their manifests do not show."""
    answers = (answer for device in report.devices for answer in (device.identity, device.extensions))
    is_bad = report.error is not None or any(answer.missing is not None for answer in answers)
    for culprit in report.culprits:
        if culprit.path not in known:
            path, sentence = visible(culprit.path), visible(culprit.sentence)
            evidence = (path,) if path not in culprit.sentence else ()
            if culprit.kind in ("driver", "layer"):
                sentence += " The other drivers were probed without it." if culprit.left_out else _ALONE
            # If the probe fails also without the culprit, the other failure is the problem.
            outcome = Outcome.WARN if culprit.left_out and is_bad else Outcome.FAIL
            yield Finding("probe.culprit", path, outcome, sentence, evidence, "", visible(culprit.command))


def _stopped(report: Report, is_explained: bool, suspects: Sequence[str]) -> Iterator[Finding]:
    """Yield why the devices could not be probed as requested; it is skipped where an earlier finding explains it."""
    failure = report.error
    if failure is None or failure.cause in ENDED_THE_RUN:
        return
    words = [visible(m.text) for m in report.run.messages if m.severity == "error"]
    evidence = tuple(dict.fromkeys(words))[:_MOST_MESSAGES]
    doctor = doctors_hint(report.environment)
    message, hint = visible(failure.message), visible(failure.hint.removesuffix(doctor).rstrip())
    guilty = [culprit for culprit in report.culprits if not culprit.left_out]
    if not report.devices and (is_explained or guilty):
        yield Finding(f"probe.{failure.cause}", "Vulkan", Outcome.SKIP, message, evidence, _FOLLOWS)
        return
    outcome, cause = Outcome.FAIL, ""
    if failure.exit_code == Exit.CRASHED:
        outcome = Outcome.TIMEOUT if failure.cause == "driver-hung" else Outcome.CRASH
        evidence += tuple(f"suspect: {visible(path)}" for path in suspects[:_MOST_MESSAGES])
        if len(suspects) == 1:
            hint, cause = "", "it is the only driver that loads, so the cause is this driver or an implicit layer"
    evidence += (hint,) if hint else ()  # the hint is advice, not a cause
    yield Finding(f"probe.{failure.cause}", "Vulkan", outcome, message, evidence, cause, _remedy(failure, report))


# By the cause of a failure; `_remedy` has those that need more than a fixed command.
_REMEDIES = {
    **dict.fromkeys(("no-process", "no-memfd", "limit"), "ulimit -a"),
    "no-layer": "python3 -m pip install --force-reinstall .",
}


def _remedy(failure: Failure, report: Report) -> str:
    """Return the command that solves a failure, '' if the other findings have it."""
    if failure.cause in ("no-package", "no-binding"):
        return failure.hint.partition(": ")[2]
    if failure.cause == "no-libzircon" and any(v.name == LIBZIRCON_VARIABLE for v in report.environment.variables):
        return f"unset {LIBZIRCON_VARIABLE}"
    if failure.cause == "no-emulation" and (variable := filter_of_emulation(report.environment)):
        return f"unset {variable.name}"
    is_elsewhere = report.environment.agent is not None
    usual = "" if is_elsewhere or report.environment.platform == FUCHSIA else "VK_LOADER_DEBUG=all vulkaninfo --summary"
    return _REMEDIES.get(failure.cause, usual)


class _Explained:
    """Why one device has the extension or not; *seen* is what layers hide from it."""

    def __init__(self, report: Report, device: Device, seen: Hidden | None) -> None:
        self._report, self._device, self._seen = report, device, seen or Hidden()
        through = report.environment.options
        self._devices, self._check = f"vkzircon devices{through}", f"vkzircon check{through}"
        self._emulate = f"vkzircon --emulate{f' --device {device.index}' if len(report.devices) > 1 else ''}{through}"
        self._identity = device.identity.value
        self._name = display_name(self._identity)
        self._extensions = device.extensions.value or ()
        instance = report.instance.value
        self._leg = dependency_leg(instance, self._identity, self._extensions) if instance and self._identity else None
        others = [each.name for each in self._extensions if each.name.startswith(_FUCHSIAN) and each.name != EXTENSION]
        # The other extensions of Fuchsia, which only its drivers have.
        self._neighbours = (f"it lists {', '.join(map(visible, others))} as well",) if others else ()

    def finding(self, emulate: bool) -> Finding:
        """Return the explanation; with *emulate* the extension was to be emulated."""
        missing = self._device.identity.missing or self._device.extensions.missing
        if missing is not None:
            return self._unanswered(missing)
        found = find_extension(self._extensions)
        return self._listed(found) if found else self._absent(emulate)

    def _absent(self, emulate: bool) -> Finding:
        sentence = f"{self._name} does not offer {EXTENSION}: it is not among its {len(self._extensions)} extensions."
        if self._seen.hidden_by:
            return self._hidden(sentence)
        if emulate:
            return self._not_emulated(sentence)
        if self._neighbours:
            cause = "this driver is for Fuchsia, but is too old for memory sharing or was built without it"
            return self._made("neighbours-only", Outcome.FAIL, sentence, self._neighbours, cause, self._devices)
        if self._report.environment.platform == FUCHSIA:
            cause = "this driver does not implement it, so no component can export this device's memory as a VMO"
            evidence = (*self._driver(), *self._too_low())
            return self._made("not-in-driver", Outcome.FAIL, sentence, evidence, cause, self._devices)
        return self._on_linux(sentence)

    def _made(self, word: str, outcome: Outcome, *rest: Any) -> Finding:
        """Return a finding about the device; *rest* are sentence, evidence, cause and command."""
        return Finding(f"extension.{word}", self._name, outcome, *rest)

    def _unanswered(self, missing: Missing) -> Finding:
        named = f" ({self._name})" if self._identity else ""
        sentence = f"Device {self._device.index}{named} could not be probed completely: {visible(describe(missing))}."
        if is_limited(self._report.error):
            return self._made("not-asked", Outcome.SKIP, sentence, (), _FOLLOWS)
        cause = "the driver or a layer above it may be the cause; leave out one after the other to find it"
        command = f"vkzircon devices{self._report.options} --verbose"
        return self._made("not-asked", DEATH_OF.get(missing.kind, Outcome.FAIL), sentence, (), cause, command)

    def _listed(self, found: Extension) -> Finding:
        if self._seen.commands:
            commands = " and ".join(self._seen.commands)
            sentence = f"{self._name} lists {EXTENSION}, but vkGetDeviceProcAddr returns NULL for {commands}."
            if self._seen.hidden_by:
                return self._hidden(sentence)
            cause = "no layer hides them, so the driver lists an extension that it does not implement"
            return self._made("no-commands", Outcome.FAIL, sentence, self._neighbours, cause, self._check)
        if self._leg is None and self._identity is not None:
            sentence = f"{self._name} lists {EXTENSION}, but supports only Vulkan {self._identity.api_version.text}."
            cause = "the extension needs Vulkan 1.1, or VK_KHR_external_memory with VK_KHR_external_memory_capabilities"
            return self._made("api-too-low", Outcome.FAIL, sentence, self._neighbours, cause, self._check)
        emulated = " (emulated)" if self._report.emulation.active else ""
        sentence = f"{self._name} offers {EXTENSION} revision {found.revision}{emulated}, on {self._leg}."
        return self._made("offered", Outcome.PASS, sentence, self._neighbours)

    def _hidden(self, sentence: str) -> Finding:
        layers = [visible(layer) for layer in self._seen.hidden_by]
        shown = ", ".join(layers)
        cause = f"the layers {shown} hide it together" if len(layers) > 1 else f"the layer {shown} hides it"
        command = f"{without_layers(layers)} vkzircon doctor{self._report.options}"
        return self._made("hidden", Outcome.FAIL, sentence, (f"without {shown} the device offers it",), cause, command)

    def _driver(self) -> tuple[str, ...]:
        driver = self._identity.driver.value if self._identity else None
        return (f"driver: {visible(driver.name)} {visible(driver.info)}".rstrip(),) if driver else ()

    def _too_low(self) -> tuple[str, ...]:
        if self._leg is not None or self._identity is None:
            return ()
        version = self._identity.api_version.text
        return (f"Vulkan {version} without VK_KHR_external_memory: the extension needs more",)

    def _on_linux(self, sentence: str) -> Finding:
        if is_starnix(self._report):
            cause = "this is Starnix, whose Linux programs have no VMOs; only a native Fuchsia component can use it"
            return self._made("starnix", Outcome.INFO, sentence, (self._report.environment.system,), cause)
        cause, command = "only drivers for Fuchsia have it", self._devices
        if find_extension(self._extensions, HOST_MEMORY) is None:
            cause += f", and without {HOST_MEMORY} it cannot be emulated on this device either"
        elif is_installed():
            cause += f"; vkzircon can emulate it on {HOST_MEMORY}, which this driver has"
            command = self._emulate
        return self._made("not-fuchsia", Outcome.INFO, sentence, (*self._driver(), *self._too_low()), cause, command)

    def _not_emulated(self, sentence: str) -> Finding:
        refusal = _VK_RESULT.sub(lambda found: result_name(int(found[1])), visible(self._seen.refusal))
        evidence = (*self._driver(), *filter(None, [refusal]))
        is_stopped = is_limited(self._report.error)
        if is_stopped or not self._report.emulation.active:
            cause = _FOLLOWS if is_stopped else f"{_FOLLOWS}: the emulation layer was not loaded"
            return self._made("no-emulation", Outcome.SKIP, sentence, evidence, cause)
        if find_extension(self._extensions, HOST_MEMORY) is None:
            word, cause = "no-host-memory", f"the emulation needs {HOST_MEMORY}, and this driver does not list it"
        elif low := self._too_low():
            word, cause = "api-too-low", "the emulation needs the dependencies of the extension"
            evidence += low
        else:
            word, cause = "host-memory-unusable", f"this driver lists {HOST_MEMORY}, but the emulation cannot use it"
            cause += f": {refusal}" if refusal else ""
        command = f"{self._devices}  # another device may support it"
        return self._made(word, Outcome.FAIL, sentence, evidence, cause, command)


def _of_instance(report: Report) -> Iterator[Finding]:
    listed = report.instance.value.extensions if report.instance.value else ()
    for name in SIBLING_INSTANCE_EXTENSIONS:
        if find_extension(listed, name) is not None:
            yield Finding("extension.neighbour", name, Outcome.PASS, f"The instance offers {name} as well.")
