# SPDX-License-Identifier: Apache-2.0
"""Finds the emulation layer and makes the environment that turns it on."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import vkzircon_cli
from vkzircon_cli.bindings.dynlib import LAYER_NAME, CannotOpen, open_library
from vkzircon_cli.errors import CannotAsk, Usage, missing_package, of_newer_glibc
from vkzircon_cli.model.base import record
from vkzircon_cli.model.host import EMULATION_VARIABLE, LIBZIRCON_VARIABLE
from vkzircon_cli.model.request import Emulate, Request

_MANIFEST = "VkLayer_vkzircon_external_memory.json"
_LIBZIRCON = "libzircon.so"


@record
class Installation:
    """The paths of the layer's manifest and of the libzircon that belongs to it."""

    manifest: Path
    libzircon: Path


def folder_with(kind: str, *names: str) -> Path | None:
    """Return the folder *kind* of this package that has the files *names*, None if there is none."""
    # An editable install has Python files and other files in different folders.
    folders = (Path(folder) / "emulation" / kind for folder in vkzircon_cli.__path__)
    return next((folder for folder in folders if all((folder / name).is_file() for name in names)), None)


def find() -> Installation:
    """Return the layer that is installed with this package.

    Raises:
        CannotAsk: the package was installed without it.
    """
    if layer := folder_with("layer", _MANIFEST, _LIBZIRCON):
        return Installation(layer / _MANIFEST, layer / _LIBZIRCON)
    raise CannotAsk(
        "no-layer",
        "This vkzircon was installed without the emulation layer.",
        "Install a checkout of it on Linux with a C compiler and libvulkan-dev, and VKZIRCON_NO_LAYER unset.",
    )


def is_installed() -> bool:
    """Whether the layer is installed with this package."""
    try:
        return bool(find())
    except CannotAsk:
        return False


def open_libzircon(environ: Mapping[str, str]) -> Any:
    """Open the emulation's libzircon, which reads VKZIRCON_EMULATION of *environ* while it is opened.

    Raises:
        CannotAsk: libzircon or cffi is missing, or libzircon needs a newer glibc.
    """
    try:
        from vkzircon_cli.bindings import _abi
    except ImportError as gone:
        raise missing_package(gone) from gone
    os.environ[EMULATION_VARIABLE] = environ.get(EMULATION_VARIABLE, "")
    try:
        return open_library(str(find().libzircon)).through(_abi.ffi)
    except CannotOpen as refused:
        if newer := of_newer_glibc(refused):
            raise newer from refused
        raise


def with_environment(request: Request, environ: Mapping[str, str] = os.environ) -> Request:
    """Return *request* with what its emulation needs besides *environ*; a second call changes nothing.

    Raises:
        Usage, CannotAsk: as `variables` does.
    """
    if request.emulate is None or request.environ:
        return request
    return replace(request, environ=variables(environ, request.emulate))


def variables(environ: Mapping[str, str], asked: Emulate) -> dict[str, str]:
    """Return the variables that turn the layer on and name its libzircon, each with *environ*'s value in it.

    The layer stays where VK_INSTANCE_LAYERS names it, or else is the first, which later loaders put on top.

    Raises:
        Usage: VKZIRCON_LIBZIRCON names another library, so that a handle would have two kernels.
        CannotAsk: the layer is not installed.
    """
    installed = find()
    # After `emulate --print-env` these variables are set already.
    if environ.get(LIBZIRCON_VARIABLE) not in (None, "", str(installed.libzircon)):
        raise Usage(
            f"--emulate brings its own libzircon, and {LIBZIRCON_VARIABLE} names another.",
            f"Unset {LIBZIRCON_VARIABLE}, or leave out --emulate.",
        )
    # The loader ignores VK_ADD_LAYER_PATH if VK_LAYER_PATH is set, even if it is empty.
    path = "VK_LAYER_PATH" if "VK_LAYER_PATH" in environ else "VK_ADD_LAYER_PATH"
    layers = [name for name in environ.get("VK_INSTANCE_LAYERS", "").split(":") if name]
    if LAYER_NAME not in layers:
        layers.insert(0, LAYER_NAME)
    return {
        path: _joined(environ.get(path), str(installed.manifest.parent)),
        "VK_INSTANCE_LAYERS": ":".join(layers),
        LIBZIRCON_VARIABLE: str(installed.libzircon),
        EMULATION_VARIABLE: _settings(environ.get(EMULATION_VARIABLE) or "persona=strict", asked),
    }


def _settings(given: str, asked: Emulate) -> str:
    """Return VKZIRCON_EMULATION's value: a persona replaces the *given* one, faults are added."""
    words = given.split(",")
    if asked.persona is not None:
        words = [f"persona={asked.persona}", *(word for word in words if not word.startswith("persona="))]
    return ",".join([*words, *(f"fault={name}" for name in asked.faults)])


def _joined(before: str | None, folder: str) -> str:
    folders = [each for each in (before or "").split(os.pathsep) if each != folder]
    return os.pathsep.join([*folders, folder]) if before else folder
