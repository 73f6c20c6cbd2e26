# SPDX-License-Identifier: Apache-2.0
"""Does the device have the extension, its dependencies and its commands?"""

from collections.abc import Iterator

from vkzircon_cli.checks.registry import PRACTICE, Outcome, RowResult, check
from vkzircon_cli.checks.rows import Judgement, Row, Rows, each, holds, step
from vkzircon_cli.model.base import Answer
from vkzircon_cli.model.facts import Device, EntryPoint, Extension, Facts
from vkzircon_cli.model.queries import dependency_leg, find_extension
from vkzircon_cli.model.spec import EXTENSION, EXTENSION_REVISION


def _extensions(device: Device) -> Rows[tuple[Extension, ...]]:
    return [Row("", step(device, "extensions"), device.extensions)]


@check("extension.listed", "VK_FUCHSIA_external_memory (appendix)", needs_extension=False)
@each(_extensions)
def listed(extensions: tuple[Extension, ...]) -> Judgement:
    found = find_extension(extensions)
    if found is None:
        return Outcome.SKIP, f"{EXTENSION} is not among the device's {len(extensions)} extensions"
    return Outcome.PASS, f"{EXTENSION} revision {found.revision} is listed"


def _revision(device: Device) -> Rows[int]:
    found = find_extension(device.extensions.value or ())
    return [row.about(Answer(found.revision)) for row in _extensions(device) if found is not None]


@check("extension.revision", PRACTICE)
@each(_revision)
def revision(number: int) -> Judgement:
    return holds(number == EXTENSION_REVISION, f"the driver reports revision {number}", worth=Outcome.INFO)


@check("extension.dependencies", "vk.xml, depends of VK_FUCHSIA_external_memory")
def dependencies(facts: Facts, device: Device) -> Iterator[RowResult]:
    instance, identity = facts.instance.value, device.identity.value
    if instance is None or identity is None:
        return
    leg = dependency_leg(instance, identity, device.extensions.value or ())
    (row,) = _extensions(device)
    if leg is None:
        needs = "needs Vulkan 1.1 or VK_KHR_external_memory with VK_KHR_external_memory_capabilities"
        yield row.found(
            Outcome.FAIL, f"{needs}; the device has Vulkan {identity.api_version.text} and neither extension"
        )
    else:
        yield row.found(Outcome.PASS, f"the device has {leg}")


def _entry_points(device: Device) -> Rows[EntryPoint]:
    entries = device.opened.value.entry_points if device.opened.value is not None else ()
    return [Row(entry.name, step(device, "open"), Answer(entry)) for entry in entries]


@check("extension.entry-points", "initialization.adoc, vkGetDeviceProcAddr")
@each(_entry_points)
def entry_points(entry: EntryPoint) -> Judgement:
    return holds(entry.resolved, "resolved", "advertised, but vkGetDeviceProcAddr returns NULL")
