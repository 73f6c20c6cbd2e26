# SPDX-License-Identifier: Apache-2.0
"""A device on the page: who it is, and which extension it offers."""

from collections.abc import Iterator, Sequence

from rich.text import Text

from vkzircon_cli.model.facts import Device, DriverIdentity, ExternalBuffer, Identity, OpenDevice
from vkzircon_cli.model.quantities import counted
from vkzircon_cli.model.queries import UNNAMED, dependency_leg, display_name, find_extension
from vkzircon_cli.model.spec import DEVICE_TYPE_CPU, EXTENSION, SIBLING_DEVICE_EXTENSIONS, SIBLING_INSTANCE_EXTENSIONS
from vkzircon_cli.render.answers import why_missing
from vkzircon_cli.render.memory import write_memory
from vkzircon_cli.render.writer import Sheet
from vkzircon_cli.report.report import Report

# Beyond these a driver's text of many lines is shown in one, its line feeds escaped.
_MOST_LINES = 8


def write_devices(sheet: Sheet, report: Report, verbose: bool) -> None:
    """Write everything about each selected device, and a line for each of the others."""
    for device in report.devices:
        if device.selected:
            _write_device(sheet, report, device, verbose)
    sheet.blank()
    for device in report.devices:
        if not device.selected:
            sheet.value(sheet.join(_title(sheet, device), " (not selected)"))


def _write_device(sheet: Sheet, report: Report, device: Device, verbose: bool) -> None:
    write_title(sheet, device)
    write_identity(sheet, device, verbose)
    write_extension(sheet, report, device)
    sheet.field("siblings", *siblings(report, device))
    if device.opened.value:
        sheet.field("entry points", *entry_point_lines(device.opened.value, verbose))
    for words in buffer_answers(device.external_buffers):
        sheet.field("buffers", words, prose=True)
    if verbose:
        _write_limits(sheet, device)
    write_memory(sheet, device, verbose)


def write_title(sheet: Sheet, device: Device) -> None:
    """Write the line that a device's record begins with."""
    sheet.blank()
    sheet.value(_title(sheet, device))


def _title(sheet: Sheet, device: Device) -> Text:
    identity = device.identity.value
    return sheet.text(f"Device {device.index}: {display_name(identity) if identity else UNNAMED}", "bold")


def write_identity(sheet: Sheet, device: Device, verbose: bool) -> None:
    """Write who the device says it is."""
    identity = device.identity.value
    if identity is None:
        sheet.field("identity", why_missing(device.identity.missing), prose=True)
        return
    sheet.field("type", "software (CPU)" if identity.type.value == DEVICE_TYPE_CPU else identity.type.name)
    sheet.field("driver", *driver_lines(identity))
    sheet.field("Vulkan", identity.api_version.text)
    if uuids := identity.uuids.value:
        sheet.field("device UUID", uuids.device_uuid)
        sheet.field("driver UUID", uuids.driver_uuid)
    if verbose:
        _write_numbers(sheet, identity)


def _write_numbers(sheet: Sheet, identity: Identity) -> None:
    sheet.field("vendor", f"{identity.vendor_id:#06x}, device {identity.device_id:#06x}")
    if driver := identity.driver.value:
        sheet.field("driver id", f"{driver.id.name} ({driver.id.value})")
        sheet.field("conformance", driver.conformance_version)


def write_extension(sheet: Sheet, report: Report, device: Device) -> None:
    """Write whether the device offers the extension, and what that rests on."""
    offered = device.extensions.value is None or find_extension(device.extensions.value) is not None
    sheet.field("extension", extension_words(report, device), prose=offered)


def extension_words(report: Report, device: Device) -> str:
    """Say whether the device offers the extension, and what that rests on."""
    if device.extensions.value is None:
        return why_missing(device.extensions.missing)
    found = find_extension(device.extensions.value)
    if found is None:
        return f"{EXTENSION} is not offered"
    return f"{EXTENSION} revision {found.revision}{_leg(report, device)}"


def _leg(report: Report, device: Device) -> str:
    if report.instance.value is None or device.identity.value is None:
        return ""
    leg = dependency_leg(report.instance.value, device.identity.value, device.extensions.value or ())
    return f", on {leg}" if leg else ", without what it depends on"


def siblings(report: Report, device: Device) -> list[str]:
    """Name the other extensions of Fuchsia's that are there."""
    offered = [each for each in device.extensions.value or () if each.name in SIBLING_DEVICE_EXTENSIONS]
    if report.instance.value:
        offered += [each for each in report.instance.value.extensions if each.name in SIBLING_INSTANCE_EXTENSIONS]
    return [f"{each.name} revision {each.revision}" for each in offered] or ["none"]


def driver_lines(identity: Identity) -> Iterator[str]:
    """Say which driver it is, and in which version, and what it says of itself."""
    driver, version = identity.driver.value, identity.driver_version
    name = (driver.name.strip() or UNNAMED) if driver else ""
    # A version without a text is a number whose packing only its vendor knows.
    yield f"{name} {version.text}".strip() if version.text else f"{name}, version {version.value:#x}".lstrip(", ")
    if driver:
        yield from _info(driver)


def _info(driver: DriverIdentity) -> Iterator[str]:
    lines = driver.info.rstrip("\n").split("\n")
    if len(lines) <= _MOST_LINES and all(line.strip() for line in lines):
        yield from lines
    elif driver.info:
        yield driver.info


def entry_point_lines(opened: OpenDevice, verbose: bool) -> Iterator[str]:
    """Say how many entry points were found, and which were not; *verbose* names all."""
    resolved = [entry.name for entry in opened.entry_points if entry.resolved]
    yield f"{len(resolved)} of {len(opened.entry_points)} resolved"
    if verbose:
        yield from resolved
    yield from (f"{entry.name} is NULL" for entry in opened.entry_points if not entry.resolved)


def buffer_answers(buffers: Sequence[ExternalBuffer]) -> Iterator[str]:
    """Say each answer once, with the usages that got it."""
    usages: dict[str, list[str]] = {}
    for buffer in buffers:
        usages.setdefault(_features(buffer), []).append("|".join(buffer.usage.names))
    for features, of in usages.items():
        yield f"{'every usage' if len(of) == len(buffers) else ', '.join(of)}: {features}"


def _features(buffer: ExternalBuffer) -> str:
    found = buffer.properties.value
    if found is None:
        return why_missing(buffer.properties.missing)
    return " ".join(found.features.names) or "neither EXPORTABLE nor IMPORTABLE"


def _write_limits(sheet: Sheet, device: Device) -> None:
    if identity := device.identity.value:
        largest = identity.max_memory_allocation_size
        size = f"{largest.value} bytes" if largest.value is not None else why_missing(largest.missing)
        sheet.field("allocations", f"at most {identity.max_memory_allocation_count}, of {size}", prose=True)
    if opened := device.opened.value:
        sheet.field("enabled", *(opened.enabled_extensions or ["no extension"]))
        for family in opened.queue_families:
            used = ", used here" if family.index == opened.queue_family else ""
            flags = " ".join(family.flags.names) or "none"
            sheet.field("queue family", f"{family.index}: {counted(family.count, 'queue')}, {flags}{used}", prose=True)
