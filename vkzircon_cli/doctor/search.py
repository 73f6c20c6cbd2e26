# SPDX-License-Identifier: Apache-2.0
"""Where the loader looks for manifests on Linux, in its own order, and what the variables that lead it name.

Source: Vulkan-Loader, LoaderDriverInterface.md and LoaderLayerInterface.md; tried against 1.3.239.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from vkzircon_cli.doctor.surroundings import Surroundings
from vkzircon_cli.model.base import record
from vkzircon_cli.model.host import FUCHSIA

DRIVERS, EXPLICIT_LAYERS, IMPLICIT_LAYERS = "icd.d", "explicit_layer.d", "implicit_layer.d"
_SUFFIX = ".json"
# The first was /config in older trees; there is no search by XDG variables.
_FUCHSIAN = ("/vulkan-loader-configuration", "/config", "/pkg/data")
_MOST_FILES = 512


@record
class Found:
    """A manifest's path, and the variable or folder that it was found by."""

    path: str
    source: str


@record
class Entry:
    """One entry of a variable that names files or folders, as written, and whether that is there."""

    variable: str
    text: str
    is_there: bool


def drivers(where: Surroundings) -> tuple[Found, ...]:
    """Give the driver manifests that the loader reads."""
    chosen = driver_variable(where)
    if chosen:
        return _of_variable(where, chosen)
    return _added(where, "VK_ADD_DRIVER_FILES", DRIVERS)


def driver_variable(where: Surroundings) -> str:
    """Name the variable that replaces the search for drivers, '' where none is in force; an empty one is."""
    if where.elevated:
        return ""
    return next((name for name in ("VK_DRIVER_FILES", "VK_ICD_FILENAMES") if name in where.environ), "")


def layer_variable(where: Surroundings) -> str:
    """Name the variable that says where explicit layers are: it replaces the search, or is added to it."""
    return "VK_LAYER_PATH" if "VK_LAYER_PATH" in where.environ else "VK_ADD_LAYER_PATH"


def explicit_layers(where: Surroundings) -> tuple[Found, ...]:
    """Give the manifests of layers that are on only where they are asked for."""
    if layer_variable(where) == "VK_LAYER_PATH" and not where.elevated:
        return tuple(dict.fromkeys(_of_variable(where, "VK_LAYER_PATH")))
    return _added(where, "VK_ADD_LAYER_PATH", EXPLICIT_LAYERS)


def implicit_layers(where: Surroundings) -> tuple[Found, ...]:
    """Give the manifests of layers that are on by themselves."""
    return _added(where, "", IMPLICIT_LAYERS)


def entries(where: Surroundings, variable: str) -> tuple[Entry, ...]:
    """Give the entries of a variable, each as it is written."""
    texts = where.environ.get(variable, "").split(os.pathsep)
    return tuple(Entry(variable, text, os.path.lexists(text)) for text in texts if text)


def folders(where: Surroundings, kind: str) -> Iterator[str]:
    """Give the folders of one *kind* in the order of the search; empty entries are none."""
    if where.platform == FUCHSIA:
        yield from (f"{base}/vulkan/{kind}" for base in _FUCHSIAN)
        return
    home = None if where.elevated else where.environ.get("HOME")
    bases = [
        _variable(where, "XDG_CONFIG_HOME") or ("" if home is None else f"{home}/.config"),
        _variable(where, "XDG_CONFIG_DIRS") or "/etc/xdg",
        "/etc",
        _variable(where, "XDG_DATA_HOME") or ("" if home is None else f"{home}/.local/share"),
        _variable(where, "XDG_DATA_DIRS") or "/usr/local/share:/usr/share",
    ]
    every = (base.removesuffix("/") for base in os.pathsep.join(bases).split(os.pathsep) if base)
    yield from dict.fromkeys(f"{base}/vulkan/{kind}" for base in every)


def _variable(where: Surroundings, name: str) -> str:
    return "" if where.elevated else where.environ.get(name, "")


def _of_variable(where: Surroundings, variable: str) -> tuple[Found, ...]:
    """Give what a variable names: files, and folders whose manifests count; what it names twice is read twice."""
    if where.elevated:
        return ()
    return tuple(Found(path, variable) for entry in entries(where, variable) for path in _files(entry.text))


def _added(where: Surroundings, variable: str, kind: str) -> tuple[Found, ...]:
    """Give what a variable adds before the folders, which are searched once each."""
    added = () if where.elevated else entries(where, variable)
    places = dict.fromkeys(entry.text for entry in added) | dict.fromkeys(folders(where, kind))
    sources = {entry.text: variable for entry in added}
    return tuple(Found(path, sources.get(place, place)) for place in places for path in _files(place))


def _files(path: str) -> list[str]:
    """Give the manifests in a folder, or the path itself where it is none."""
    if path.endswith(_SUFFIX):
        return [path]
    try:
        names = [each.name for each in Path(path).iterdir()]  # in the order of the folder, as the loader reads it
    except OSError:
        return []
    return [f"{path}/{name}" for name in names if name.endswith(_SUFFIX)][:_MOST_FILES]
