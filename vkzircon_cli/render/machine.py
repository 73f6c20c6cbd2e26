# SPDX-License-Identifier: Apache-2.0
"""The machine on the page: loader, libzircon, system and the variables that change what Vulkan does."""

from collections.abc import Iterator

from vkzircon_cli.checks.registry import describe
from vkzircon_cli.facts import Kernel, Loader
from vkzircon_cli.render.sheet import Sheet
from vkzircon_cli.report import Report


def write_machine(sheet: Sheet, report: Report, verbose: bool) -> None:
    """Write where the report comes from."""
    sheet.heading("Machine")
    sheet.field("loader", *_loader(report))
    sheet.field("libzircon", *_kernel(report))
    sheet.field("system", _system(report))
    if enabled := list(_enabled_layers(report)):
        sheet.field("layers on", *enabled)
    for variable in report.environment.variables:
        sheet.field("set", f"{variable.name}={variable.value}")
    if verbose and report.instance.value:
        found = [
            f"{layer.name} {layer.api_version.text}: {layer.description}" for layer in report.instance.value.layers
        ]
        sheet.field("layers found", *(found or ["none"]))


def _loader(report: Report) -> Iterator[str]:
    loader: Loader | None = report.loader.value
    if loader is None:
        yield _missing(report.loader)
        return
    yield f"{loader.library}, Vulkan {loader.api_version.text}"
    if loader.path and loader.path != loader.library:
        yield loader.path


def _kernel(report: Report) -> Iterator[str]:
    kernel: Kernel | None = report.kernel.value
    if kernel is None:
        yield _missing(report.kernel)
        return
    page = kernel.page_size.value
    yield f"{kernel.library}, pages of {page} bytes" if page else kernel.library
    if kernel.path and kernel.path != kernel.library:
        yield kernel.path


def _missing(answer: object) -> str:
    missing = getattr(answer, "missing", None)
    return f"none: {describe(missing)}" if missing else "none"


def _system(report: Report) -> str:
    environment = report.environment
    privileged = ", raised privileges" if environment.elevated else ""
    shared = "" if environment.isolated else ", probed without a child process"
    return f"{environment.system} {environment.machine}, Python {environment.python}{privileged}{shared}"


def _enabled_layers(report: Report) -> Iterator[str]:
    if report.emulation.layer:
        yield report.emulation.layer
    for variable in report.environment.variables:
        if variable.name == "VK_INSTANCE_LAYERS":
            yield from (name for name in variable.value.split(":") if name and name != report.emulation.layer)
