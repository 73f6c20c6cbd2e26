# SPDX-License-Identifier: Apache-2.0
"""Finds the emulation layer and builds the environment that turns it on. Never turned on unasked."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import vkzircon_cli
from vkzircon_cli.bindings.dynlib import LAYER_NAME, open_library
from vkzircon_cli.errors import CannotAsk, Usage, missing_package
from vkzircon_cli.model.base import record
from vkzircon_cli.model.host import EMULATION_VARIABLE, LIBZIRCON_VARIABLE
from vkzircon_cli.model.request import Emulate

_MANIFEST = "VkLayer_vkzircon_external_memory.json"
_LIBZIRCON = "libzircon.so"


@record
class Installation:
    """Where the layer's manifest and the libzircon that belongs to it are."""

    manifest: Path
    libzircon: Path


def find() -> Installation:
    """Find the layer that was installed with this package.

    Raises:
        CannotAsk: it was installed without one.
    """
    # An editable install has the Python files in one of the package's folders and the built ones in another.
    for folder in vkzircon_cli.__path__:
        layer = Path(folder) / "emulation" / "layer"
        if (layer / _MANIFEST).is_file() and (layer / _LIBZIRCON).is_file():
            return Installation(layer / _MANIFEST, layer / _LIBZIRCON)
    raise CannotAsk(
        "no-layer",
        "This vkzircon was installed without the emulation layer.",
        "Install it again on Linux with a C compiler and libvulkan-dev, and VKZIRCON_NO_LAYER unset.",
    )


def open_libzircon(environ: Mapping[str, str]) -> Any:
    """Open our own libzircon, which reads VKZIRCON_EMULATION of *environ* as it is opened.

    Raises:
        CannotAsk: there is none, or no cffi to open it with.
    """
    try:
        from vkzircon_cli.bindings import _abi
    except ImportError as gone:
        raise missing_package(gone) from gone
    os.environ[EMULATION_VARIABLE] = environ.get(EMULATION_VARIABLE, "")
    return open_library(str(find().libzircon)).through(_abi.ffi)


def variables(environ: Mapping[str, str], asked: Emulate) -> dict[str, str]:
    """Give the environment variables that put the layer first and our libzircon in reach, added to *environ*'s own.

    Raises:
        Usage: VKZIRCON_LIBZIRCON is set, so that two kernels would be asked about one handle.
        CannotAsk: there is no layer.
    """
    installed = find()
    # Where our own variables are set already, as --print-env does for a whole shell, they are not set twice.
    if environ.get(LIBZIRCON_VARIABLE) not in (None, "", str(installed.libzircon)):
        raise Usage(
            f"--emulate brings its own libzircon, and {LIBZIRCON_VARIABLE} names another.",
            f"Unset {LIBZIRCON_VARIABLE}, or leave out --emulate.",
        )
    # The loader ignores VK_ADD_LAYER_PATH where VK_LAYER_PATH is set, be it to nothing.
    path = "VK_LAYER_PATH" if "VK_LAYER_PATH" in environ else "VK_ADD_LAYER_PATH"
    layers = [name for name in environ.get("VK_INSTANCE_LAYERS", "").split(":") if name not in ("", LAYER_NAME)]
    return {
        path: _joined(environ.get(path), str(installed.manifest.parent)),
        "VK_INSTANCE_LAYERS": ":".join((LAYER_NAME, *layers)),
        LIBZIRCON_VARIABLE: str(installed.libzircon),
        EMULATION_VARIABLE: _settings(environ.get(EMULATION_VARIABLE) or "persona=strict", asked),
    }


def _settings(given: str, asked: Emulate) -> str:
    """Write what is asked for in the variable's own words; a persona replaces the given one, faults are added."""
    words = given.split(",")
    if asked.persona is not None:
        words = [f"persona={asked.persona}", *(word for word in words if not word.startswith("persona="))]
    return ",".join([*words, *(f"fault={name}" for name in asked.faults)])


def _joined(before: str | None, folder: str) -> str:
    folders = [each for each in (before or "").split(os.pathsep) if each != folder]
    return os.pathsep.join([*folders, folder]) if before else folder
