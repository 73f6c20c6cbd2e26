# SPDX-License-Identifier: Apache-2.0
"""A device on the page: who it is, and which extension it offers."""

from collections.abc import Iterator

from vkzircon_cli.checks.registry import describe
from vkzircon_cli.facts import Device, DriverIdentity, Identity, OpenDevice
from vkzircon_cli.offer import UNNAMED, dependency_leg, display_name, find_extension
from vkzircon_cli.render.memory import write_memory
from vkzircon_cli.render.sheet import Sheet
from vkzircon_cli.report import Report
from vkzircon_cli.vocabulary import EXTENSION, SIBLING_DEVICE_EXTENSIONS, SIBLING_INSTANCE_EXTENSIONS, Version

# Beyond these a driver's text of many lines is shown in one, its line feeds escaped.
_MOST_LINES = 8


def write_device(sheet: Sheet, report: Report, device: Device, verbose: bool) -> None:
    """Write everything about one device, or that it was not selected."""
    identity = device.identity.value
    if not device.selected:
        name = display_name(identity) if identity else UNNAMED
        sheet.blank()
        sheet.value(sheet.join(sheet.text(f"Device {device.index}: {name}", "bold"), " (not selected)"))
        return
    write_title(sheet, device)
    write_identity(sheet, device, verbose)
    sheet.field("extension", *_extension(report, device))
    if device.opened.value:
        sheet.field("entry points", *_entry_points(device.opened.value))
    if device.external_buffers:
        sheet.field("buffers", *_buffers(device))
    sheet.field("siblings", *_siblings(report, device))
    write_memory(sheet, device, verbose)


def write_title(sheet: Sheet, device: Device) -> None:
    """Write the line that a device's record begins with."""
    identity = device.identity.value
    name = display_name(identity) if identity else UNNAMED
    sheet.blank()
    sheet.value(sheet.text(f"Device {device.index}: {name}", "bold"))


def write_identity(sheet: Sheet, device: Device, verbose: bool) -> None:
    """Write who the device says it is."""
    identity = device.identity.value
    if identity is None:
        sheet.field("identity", describe(device.identity.missing) if device.identity.missing else "unknown", prose=True)
        return
    uuids = identity.uuids.value
    sheet.field("type", _type(identity))
    sheet.field("driver", *_driver(identity))
    sheet.field("Vulkan", identity.api_version.text)
    if uuids:
        sheet.field("device UUID", uuids.device_uuid)
        sheet.field("driver UUID", uuids.driver_uuid)
    if verbose:
        sheet.field("vendor", f"{identity.vendor_id:#x}, device {identity.device_id:#x}")


def extension_in_words(device: Device) -> str:
    """Say whether the device offers the extension."""
    if device.extensions.value is None:
        return f"unknown: {describe(device.extensions.missing)}" if device.extensions.missing else "unknown"
    found = find_extension(device.extensions.value)
    return f"{EXTENSION} revision {found.revision}" if found else f"{EXTENSION} is not offered"


def _type(identity: Identity) -> str:
    return "software (CPU)" if identity.type.name == "cpu" else identity.type.name


def _driver(identity: Identity) -> Iterator[str]:
    driver = identity.driver.value
    version = _version(identity.driver_version)
    if driver is None:
        yield f"version {version}"
        return
    yield f"{driver.name.strip() or UNNAMED} {version}"
    yield from _info(driver)


def _version(version: Version) -> str:
    return version.text or f"{version.value:#x}"


def _info(driver: DriverIdentity) -> Iterator[str]:
    lines = driver.info.rstrip("\n").split("\n")
    if len(lines) <= _MOST_LINES and all(line.strip() for line in lines):
        yield from lines
    elif driver.info:
        yield driver.info


def _extension(report: Report, device: Device) -> Iterator[str]:
    found = find_extension(device.extensions.value or ())
    yield extension_in_words(device)
    if found and report.instance.value and device.identity.value:
        leg = dependency_leg(report.instance.value, device.identity.value, device.extensions.value or ())
        yield f"rests on {leg}" if leg else "what it depends on is missing"


def _entry_points(opened: OpenDevice) -> Iterator[str]:
    for entry in opened.entry_points:
        yield entry.name if entry.resolved else f"{entry.name} is NULL"


def _buffers(device: Device) -> Iterator[str]:
    for buffer in device.external_buffers:
        usage = "|".join(buffer.usage.names)
        if buffer.properties.value is None:
            yield f"{usage}: {describe(buffer.properties.missing) if buffer.properties.missing else ''}"
        else:
            yield f"{usage}: {' '.join(buffer.properties.value.features.names) or 'neither exportable nor importable'}"


def _siblings(report: Report, device: Device) -> Iterator[str]:
    offered = [e for e in device.extensions.value or () if e.name in SIBLING_DEVICE_EXTENSIONS]
    if report.instance.value:
        offered += [e for e in report.instance.value.extensions if e.name in SIBLING_INSTANCE_EXTENSIONS]
    for extension in offered:
        yield f"{extension.name} revision {extension.revision}"
    if not offered:
        yield "none"
