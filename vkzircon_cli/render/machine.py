# SPDX-License-Identifier: Apache-2.0
"""The machine as fields: loader, libzircon, system, and the layers and variables that change what Vulkan does."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from vkzircon_cli.model.facts import Instance
from vkzircon_cli.model.host import Environment
from vkzircon_cli.model.quantities import counted
from vkzircon_cli.render.content import Field
from vkzircon_cli.render.marks import why_missing
from vkzircon_cli.report.report import Report

if TYPE_CHECKING:
    from vkzircon_cli.report.bench import BenchReport


def machine_fields(report: Report) -> Iterator[Field]:
    """Yield where a report comes from."""
    loader, kernel = report.loader.value, report.kernel.value
    if loader is None:
        yield Field("loader", (why_missing(report.loader.missing),), prose=True)
    else:
        yield _library("loader", loader.library, loader.path, f"Vulkan {loader.api_version.text}")
    if kernel is None:
        yield Field("libzircon", (why_missing(report.kernel.missing),), prose=True)
    else:
        size = kernel.page_size.value
        yield _library("libzircon", kernel.library, kernel.path, f"pages of {size} bytes" if size else "")
    yield _system(report.environment)
    if layers := tuple(_enabled_layers(report)):
        yield Field("layers", layers)
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


def _library(label: str, library: str, path: str, about: str) -> Field:
    named = f"{library}, {about}" if about else library
    return Field(label, (named, path) if path not in ("", library) else (named,))


def _system(environment: Environment) -> Field:
    """Return the system that a report was made on, and with which rights."""
    privileged = ", raised privileges" if environment.elevated else ""
    shared = "" if environment.isolated else ", not isolated: a driver that crashes ends this program too"
    words = f"{environment.system} {environment.machine}, Python {environment.python}{privileged}{shared}"
    return Field("system", (words,), prose=True)


def _variables(environment: Environment) -> Iterator[Field]:
    """Yield the variables that were set, where there are any."""
    if environment.variables:
        yield Field("variables", tuple(f"{each.name}={each.value}" for each in environment.variables))


def _enabled_layers(report: Report) -> Iterator[str]:
    """Yield the layers that were asked for; the loader skips one that is not installed without a message."""
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
