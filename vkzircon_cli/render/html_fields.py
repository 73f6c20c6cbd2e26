# SPDX-License-Identifier: Apache-2.0
"""Labelled values of the HTML page: who a device is, what the machine is like, what was said."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from vkzircon_cli.model.base import Answer, record
from vkzircon_cli.model.facts import Device, Identity, Instance
from vkzircon_cli.model.quantities import about, counted
from vkzircon_cli.model.queries import UNNAMED, display_name
from vkzircon_cli.model.spec import DEVICE_TYPE_CPU
from vkzircon_cli.render.answers import why_missing
from vkzircon_cli.render.device import buffer_answers, driver_lines, entry_point_lines, extension_words, siblings
from vkzircon_cli.render.html_sharing import flag_words
from vkzircon_cli.render.machine import enabled_layers, kernel_words, loader_words, system_words
from vkzircon_cli.report.report import Report
from vkzircon_cli.stream.document import Document

T = TypeVar("T")
_MOST_SAID = 200


@record
class Field:
    """A label and its values, each on its own line."""

    label: str
    values: tuple[str, ...]


@record
class Said:
    """Lines that somebody said, each different one once with how often it came; *more* counts those left out."""

    title: str
    lines: tuple[tuple[str, int], ...]
    more: int


def title_of(device: Device) -> str:
    """Write the heading of a device."""
    name = display_name(device.identity.value) if device.identity.value else UNNAMED
    return f"Device {device.index}: {name}"


def identity_fields(device: Device) -> Iterator[Field]:
    """Say who a device is."""
    identity = device.identity.value
    if identity is None:
        yield Field("identity", (why_missing(device.identity.missing),))
        return
    yield Field("type", ("software (CPU)" if identity.type.value == DEVICE_TYPE_CPU else identity.type.name,))
    yield Field("driver", tuple(driver_lines(identity)))
    yield Field("Vulkan", (identity.api_version.text,))
    yield Field("vendor", (f"{identity.vendor_id:#06x}, device {identity.device_id:#06x}",))
    if driver := identity.driver.value:
        yield Field("driver id", (f"{driver.id.name} ({driver.id.value})",))
        yield Field("conformance", (driver.conformance_version,))
    if uuids := identity.uuids.value:
        yield Field("device UUID", (uuids.device_uuid,))
        yield Field("driver UUID", (uuids.driver_uuid,))
    yield Field("allocations", (_allocations(identity),))


def _allocations(identity: Identity) -> str:
    largest = identity.max_memory_allocation_size
    size = (
        f"{largest.value} bytes ({about(largest.value)})" if largest.value is not None else why_missing(largest.missing)
    )
    return f"at most {identity.max_memory_allocation_count}, of {size}"


def extension_fields(report: Report, device: Device) -> Iterator[Field]:
    """Say what a device offers, and with what it was opened."""
    yield Field("extension", (extension_words(report, device),))
    yield Field("siblings", tuple(siblings(report, device)))
    for words in buffer_answers(device.external_buffers):
        yield Field("buffers", (words,))
    if opened := device.opened.value:
        yield Field("entry points", tuple(entry_point_lines(opened, True)))
        yield Field("enabled", opened.enabled_extensions or ("no extension",))
        yield Field("queue families", tuple(_queues(device)))
    elif device.opened.missing:
        yield Field("opened", (why_missing(device.opened.missing),))


def _queues(device: Device) -> Iterator[str]:
    opened = device.opened.value
    for family in opened.queue_families if opened else ():
        used = ", used here" if opened and family.index == opened.queue_family else ""
        yield f"{family.index}: {counted(family.count, 'queue')}, {flag_words(family.flags)}{used}"


def machine_fields(report: Report) -> Iterator[Field]:
    """Say where the report comes from."""
    yield _library("loader", report.loader, loader_words)
    yield _library("libzircon", report.kernel, kernel_words)
    yield Field("system", (system_words(report.environment),))
    yield Field("layers", tuple(enabled_layers(report)) or ("none was turned on",))
    if report.instance.value:
        yield from _instance(report.instance.value)
    elif report.instance.missing:
        yield Field("instance", (why_missing(report.instance.missing),))
    for variable in report.environment.variables:
        yield Field(variable.name, (variable.value,))


def _library(label: str, answer: Answer[T], told: Callable[[T], tuple[str, str, str]]) -> Field:
    if answer.value is None:
        return Field(label, (why_missing(answer.missing),))
    library, path, words = told(answer.value)
    return Field(label, (f"{library}, {words}" if words else library, *([path] if path not in ("", library) else [])))


def _instance(instance: Instance) -> Iterator[Field]:
    yield Field("instance", (f"Vulkan {instance.api_version.text}, {counted(len(instance.extensions), 'extension')}",))
    yield Field("enabled", instance.enabled_extensions or ("no instance extension",))
    layers = tuple(f"{layer.name} {layer.api_version.text}: {layer.description}" for layer in instance.layers)
    yield Field("layers found", layers or ("none",))


def said(report: Document) -> list[Said]:
    """Give what loader, driver and layers said while they were asked."""
    messages = (f"{message.severity}: {message.text}" for message in report.run.messages)
    told = [
        _said("The loader said", messages),
        _said("Driver and layers printed", report.run.output.text.expandtabs().split("\n")),
    ]
    return [each for each in told if each.lines]


def _said(title: str, lines: Iterable[str]) -> Said:
    times = Counter(line.rstrip() for line in lines if line.strip())
    return Said(title, tuple(times.items())[:_MOST_SAID], max(len(times) - _MOST_SAID, 0))
