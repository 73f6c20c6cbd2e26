# SPDX-License-Identifier: Apache-2.0
"""The machine on the page: loader, libzircon, system and the variables that change what Vulkan does."""

from collections.abc import Callable, Iterator
from typing import TypeVar

from vkzircon_cli.model.base import Answer
from vkzircon_cli.model.facts import Instance, Kernel, Loader
from vkzircon_cli.model.host import Environment
from vkzircon_cli.model.quantities import counted
from vkzircon_cli.render.answers import why_missing
from vkzircon_cli.render.writer import Sheet
from vkzircon_cli.report.report import Report

T = TypeVar("T")


def write_machine(sheet: Sheet, report: Report, verbose: bool) -> None:
    """Write where the report comes from."""
    sheet.heading("Machine")
    _write_library(sheet, "loader", report.loader, loader_words)
    _write_library(sheet, "libzircon", report.kernel, kernel_words)
    sheet.field("system", system_words(report.environment), prose=True)
    if enabled := list(enabled_layers(report)):
        sheet.field("layers", *enabled)
    if variables := report.environment.variables:
        sheet.field("variables", *(f"{variable.name}={variable.value}" for variable in variables))
    if verbose and report.instance.value:
        _write_instance(sheet, report.instance.value)


def _write_library(sheet: Sheet, label: str, answer: Answer[T], told: Callable[[T], tuple[str, str, str]]) -> None:
    if answer.value is None:
        sheet.field(label, why_missing(answer.missing), prose=True)
        return
    library, path, about = told(answer.value)
    sheet.field(label, f"{library}, {about}" if about else library, *([path] if path not in ("", library) else []))


def loader_words(loader: Loader) -> tuple[str, str, str]:
    """Give the loader's library, the file behind it, and its version."""
    return loader.library, loader.path, f"Vulkan {loader.api_version.text}"


def kernel_words(kernel: Kernel) -> tuple[str, str, str]:
    """Give libzircon's library, the file behind it, and the size of pages."""
    size = kernel.page_size.value
    return kernel.library, kernel.path, f"pages of {size} bytes" if size else ""


def _write_instance(sheet: Sheet, instance: Instance) -> None:
    sheet.field("instance", f"Vulkan {instance.api_version.text}, {counted(len(instance.extensions), 'extension')}")
    sheet.field("enabled", *(instance.enabled_extensions or ["no instance extension"]))
    layers = [f"{layer.name} {layer.api_version.text}: {layer.description}" for layer in instance.layers]
    sheet.field("layers found", *(layers or ["none"]))


def system_words(environment: Environment) -> str:
    """Say on which system the report was made, and with what rights."""
    privileged = ", raised privileges" if environment.elevated else ""
    shared = "" if environment.isolated else ", not isolated: a driver that crashes takes this program along"
    return f"{environment.system} {environment.machine}, Python {environment.python}{privileged}{shared}"


def enabled_layers(report: Report) -> Iterator[str]:
    """Name the layers that were turned on; the loader goes on without a word where one is not installed."""
    if report.emulation.layer:
        yield report.emulation.layer
    installed = {layer.name for layer in report.instance.value.layers} if report.instance.value else None
    for variable in report.environment.variables:
        if variable.name == "VK_INSTANCE_LAYERS":
            for name in variable.value.split(":"):
                if name and name != report.emulation.layer:
                    yield name if installed is None or name in installed else f"{name} (not installed)"
