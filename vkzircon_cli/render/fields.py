# SPDX-License-Identifier: Apache-2.0
"""Fields of a device, of its extension, and of the machine."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from vkzircon_cli.model.base import Answer
from vkzircon_cli.model.facts import Device, ExternalBuffer, Identity, Instance, Kernel, Loader, OpenDevice
from vkzircon_cli.model.host import Environment
from vkzircon_cli.model.quantities import about, counted
from vkzircon_cli.model.queries import UNNAMED, dependency_leg, device_name, find_extension
from vkzircon_cli.model.spec import (
    DEVICE_TYPE_CPU,
    EXTENSION,
    SIBLING_DEVICE_EXTENSIONS,
    SIBLING_INSTANCE_EXTENSIONS,
    Flags,
)
from vkzircon_cli.render.content import Field, why_missing
from vkzircon_cli.report.report import Report

if TYPE_CHECKING:
    from vkzircon_cli.model.queries import AnyDevice
    from vkzircon_cli.report.bench import BenchReport

# A driver's text with more lines becomes one line, with its line feeds escaped.
_MOST_LINES = 8
# With more names, the number is easier to read.
_MOST_FLAGS = 12


def title_of(device: "AnyDevice") -> str:
    """Return the heading of a device."""
    return f"Device {device.index}: {device_name(device)}"


def identity_fields(device: Device) -> Iterator[Field]:
    """Yield the identity that a device reports."""
    identity = device.identity.value
    if identity is None:
        yield Field("identity", (why_missing(device.identity.missing),), prose=True)
        return
    kind = "software (CPU)" if identity.type.value == DEVICE_TYPE_CPU else identity.type.name
    yield Field("type", (f"{kind}, Vulkan {identity.api_version.text}",))
    name, *info = driver_lines(identity)
    yield Field("driver", (name,))
    if info:
        yield Field("driver info", tuple(info), detail=True)
    if uuids := identity.uuids.value:
        yield Field("device UUID", (uuids.device_uuid,))
        yield Field("driver UUID", (uuids.driver_uuid,), detail=True)
    yield Field("vendor", (f"{identity.vendor_id:#06x}, device {identity.device_id:#06x}",), detail=True)
    if driver := identity.driver.value:
        yield Field("driver id", (f"{driver.id.name} ({driver.id.value})",), detail=True)
        yield Field("conformance", (driver.conformance_version,), detail=True)
    largest = identity.max_memory_allocation_size
    size = why_missing(largest.missing) if largest.value is None else f"{largest.value} bytes ({about(largest.value)})"
    words = f"at most {identity.max_memory_allocation_count}, of {size}"
    yield Field("allocations", (words,), prose=True, detail=True)


def extension_field(report: Report, device: Device) -> Field:
    """Return whether a device offers the extension, and its dependency there."""
    if device.extensions.value is None:
        words = why_missing(device.extensions.missing)
    elif (found := find_extension(device.extensions.value)) is None:
        words = f"{EXTENSION} is not offered"
    else:
        words = f"{EXTENSION} revision {found.revision}"
        if report.instance.value and device.identity.value:
            leg = dependency_leg(report.instance.value, device.identity.value, device.extensions.value)
            words += f", on {leg}" if leg else ", without what it depends on"
    return Field("extension", (words,), prose=True)


def extension_fields(report: Report, device: Device) -> Iterator[Field]:
    """Yield a device's capabilities, and how it was opened."""
    yield extension_field(report, device)
    siblings = tuple(_siblings(report, device))
    yield Field("siblings", siblings or ("none",), detail=not siblings)
    if device.external_buffers:
        yield Field("buffers", tuple(_buffers(device.external_buffers)), prose=True)
    if opened := device.opened.value:
        yield from _opened(opened)
    elif device.opened.missing:
        yield Field("opened", (why_missing(device.opened.missing),), prose=True, detail=True)


def _siblings(report: Report, device: Device) -> Iterator[str]:
    instance = report.instance.value.extensions if report.instance.value else ()
    siblings = [each for each in device.extensions.value or () if each.name in SIBLING_DEVICE_EXTENSIONS]
    siblings += [each for each in instance if each.name in SIBLING_INSTANCE_EXTENSIONS]
    yield from (f"{each.name} revision {each.revision}" for each in siblings)


def _buffers(buffers: Sequence[ExternalBuffer]) -> Iterator[str]:
    """Yield each answer once, with the usages that got it."""
    usages: dict[str, list[str]] = {}
    for buffer in buffers:
        found = buffer.properties.value
        able = " ".join(found.features.names) or "neither EXPORTABLE nor IMPORTABLE" if found else ""
        usages.setdefault(able or why_missing(buffer.properties.missing), []).append("|".join(buffer.usage.names))
    for features, of in usages.items():
        yield f"{'every usage' if len(of) == len(buffers) else ', '.join(of)}: {features}"


def _opened(opened: OpenDevice) -> Iterator[Field]:
    resolved = tuple(entry.name for entry in opened.entry_points if entry.resolved)
    null = tuple(f"{entry.name} is NULL" for entry in opened.entry_points if not entry.resolved)
    yield Field("entry points", (f"{len(resolved)} of {len(opened.entry_points)} resolved", *null), detail=not null)
    if resolved:
        yield Field("resolved", resolved, detail=True)
    yield Field("enabled", opened.enabled_extensions or ("no extension",), detail=True)
    families = tuple(
        f"{family.index}: {counted(family.count, 'queue')}, {flag_words(family.flags)}"
        f"{', used here' if family.index == opened.queue_family else ''}"
        for family in opened.queue_families
    )
    yield Field("queues", families or ("none",), prose=True, detail=True)


def driver_lines(identity: Identity) -> Iterator[str]:
    """Yield the driver's name with its version, then its own description."""
    driver, version = identity.driver.value, identity.driver_version
    name = (driver.name.strip() or UNNAMED) if driver else ""
    # A version without a text is a number in the vendor's own packing.
    yield f"{name} {version.text}".strip() if version.text else f"{name}, version {version.value:#x}".lstrip(", ")
    if driver and driver.info:
        lines = driver.info.rstrip("\n").split("\n")
        yield from lines if len(lines) <= _MOST_LINES and all(line.strip() for line in lines) else [driver.info]


def flag_words(flags: Flags) -> str:
    """Format a word of flags: their names, or the number if there are too many."""
    if not flags.names:
        return "none"
    return " ".join(flags.names) if len(flags.names) <= _MOST_FLAGS else f"{flags.value:#x}"


def machine_fields(report: Report) -> Iterator[Field]:
    """Yield the origin of a report."""
    loader, kernel = report.loader.value, report.kernel.value
    size = kernel.page_size.value if kernel else None
    yield _library("loader", report.loader, f"Vulkan {loader.api_version.text}" if loader else "")
    if loader and loader.path not in {"", loader.library}:
        yield Field("loader file", (loader.path,), detail=True)
    yield _library("libzircon", report.kernel, f"pages of {size} bytes" if size else "", detail=kernel is not None)
    if kernel and kernel.path not in {"", kernel.library}:
        yield Field("libzircon file", (kernel.path,), detail=True)
    yield _system(report.environment)
    if layers := tuple(_enabled_layers(report)):
        yield Field("layers", layers, detail=layers == (report.emulation.layer,))
    yield from _variables(report.environment)
    if report.instance.value:
        yield from _instance(report.instance.value)
    elif report.instance.missing:
        yield Field("instance", (why_missing(report.instance.missing),), prose=True, detail=True)


def host_fields(bench: "BenchReport") -> Iterator[Field]:
    """Yield where and when a bench was made."""
    yield _system(bench.environment)
    yield Field("started", (bench.run.started,))
    yield from _variables(bench.environment)


def _library(label: str, answer: Answer[Loader] | Answer[Kernel], about: str, *, detail: bool = False) -> Field:
    if (found := answer.value) is None:
        return Field(label, (why_missing(answer.missing),), prose=True)
    return Field(label, (f"{found.library}, {about}" if about else found.library,), detail=detail)


def _system(environment: Environment) -> Field:
    """Return the system that a report was made on, and with which rights."""
    privileged = ", raised privileges" if environment.elevated else ""
    shared = "" if environment.isolated else ", not isolated: a driver that crashes ends this program too"
    by = f"agent: {environment.agent}" if environment.agent is not None else f"Python {environment.python}"
    words = f"{environment.system} {environment.machine}".rstrip() + f", {by}{privileged}{shared}"
    return Field("system", (words,), prose=True)


def _variables(environment: Environment) -> Iterator[Field]:
    """Yield the variables that were set, if there are any."""
    if environment.variables:
        yield Field("variables", tuple(f"{each.name}={each.value}" for each in environment.variables))


def _enabled_layers(report: Report) -> Iterator[str]:
    """Yield the layers that were asked for; the loader silently skips one that is not installed."""
    if report.emulation.layer:
        yield report.emulation.layer
    installed = {layer.name for layer in report.instance.value.layers} if report.instance.value else None
    for variable in report.environment.variables:
        if variable.name == "VK_INSTANCE_LAYERS":
            for name in variable.value.split(":"):
                if name and name != report.emulation.layer:
                    yield name if installed is None or name in installed else f"{name} (not installed)"


def _instance(instance: Instance) -> Iterator[Field]:
    words = f"Vulkan {instance.api_version.text}, {counted(len(instance.extensions), 'extension')}"
    yield Field("instance", (words,), detail=True)
    yield Field("enabled", instance.enabled_extensions or ("no instance extension",), detail=True)
    layers = tuple(f"{layer.name} {layer.api_version.text}: {layer.description}" for layer in instance.layers)
    yield Field("layers found", layers or ("none",), detail=True)
