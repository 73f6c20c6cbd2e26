# SPDX-License-Identifier: Apache-2.0
"""Is the extension there, with what it rests on and the commands it brings?"""

from collections.abc import Iterator

from vkzircon_cli.checks.registry import PRACTICE, Finding, Outcome, check, unanswered
from vkzircon_cli.model.facts import Device, Facts
from vkzircon_cli.model.queries import dependency_leg, find_extension
from vkzircon_cli.model.spec import EXTENSION, EXTENSION_REVISION


def _step(device: Device, name: str) -> str:
    return f"device{device.index}/{name}"


@check(
    "extension.listed",
    meaning=f"The device lists {EXTENSION}.",
    rule="VK_FUCHSIA_external_memory (appendix)",
    advice="Only Fuchsia's drivers have it; on Linux try the emulation: vkzircon --emulate.",
    needs_extension=False,
)
def listed(_: Facts, device: Device) -> Iterator[Finding]:
    step = _step(device, "extensions")
    if device.extensions.value is None:
        yield unanswered(device.extensions.missing, step=step)  # type: ignore[arg-type]
    elif (found := find_extension(device.extensions.value)) is None:
        among = len(device.extensions.value)
        yield Finding(Outcome.SKIP, f"{EXTENSION} is not among the device's {among} extensions", step=step)
    else:
        yield Finding(Outcome.PASS, f"{EXTENSION} revision {found.revision} is listed", step=step)


@check(
    "extension.revision",
    meaning=f"The extension has revision {EXTENSION_REVISION}, the one this program was written for.",
    rule=PRACTICE,
    advice="Results still hold; look for a newer vkzircon that knows what the revision changed.",
)
def revision(_: Facts, device: Device) -> Iterator[Finding]:
    found = find_extension(device.extensions.value or ())
    if found is not None:
        outcome = Outcome.PASS if found.revision == EXTENSION_REVISION else Outcome.INFO
        yield Finding(outcome, f"the driver says revision {found.revision}", step=_step(device, "extensions"))


@check(
    "extension.dependencies",
    meaning="What the extension rests on is there: Vulkan 1.1, or the two KHR external memory extensions.",
    rule="vk.xml, depends of VK_FUCHSIA_external_memory",
    advice="The driver must offer Vulkan 1.1, or VK_KHR_external_memory with VK_KHR_external_memory_capabilities.",
)
def dependencies(facts: Facts, device: Device) -> Iterator[Finding]:
    instance, identity = facts.instance.value, device.identity.value
    if instance is None or identity is None:
        return
    leg = dependency_leg(instance, identity, device.extensions.value or ())
    step = _step(device, "extensions")
    if leg is None:
        needs = "needs Vulkan 1.1 or VK_KHR_external_memory with VK_KHR_external_memory_capabilities"
        yield Finding(Outcome.FAIL, f"{needs}; Vulkan {identity.api_version.text} and neither is here", step=step)
    else:
        yield Finding(Outcome.PASS, f"it rests on {leg}", step=step)


@check(
    "extension.entry-points",
    meaning="vkGetDeviceProcAddr gives both commands of the extension when it is enabled.",
    rule="initialization.adoc, vkGetDeviceProcAddr",
    advice="The driver, or a layer above it, hides the command: unset VK_INSTANCE_LAYERS and look again.",
)
def entry_points(_: Facts, device: Device) -> Iterator[Finding]:
    if device.opened.value is None:
        return
    for entry in device.opened.value.entry_points:
        outcome = Outcome.PASS if entry.resolved else Outcome.FAIL
        says = "resolved" if entry.resolved else "advertised, but vkGetDeviceProcAddr gives NULL"
        yield Finding(outcome, says, entry.name, _step(device, "open"))
