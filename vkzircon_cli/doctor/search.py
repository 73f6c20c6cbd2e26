# SPDX-License-Identifier: Apache-2.0
"""Where the loader looks for manifests on Linux, in its own order, and what the variables that lead it name.

Source: Vulkan-Loader, LoaderDriverInterface.md and LoaderLayerInterface.md; tried against 1.3.239.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from vkzircon_cli.doctor.surroundings import Surroundings
from vkzircon_cli.environment import FUCHSIA

DRIVERS, EXPLICIT_LAYERS, IMPLICIT_LAYERS = "icd.d", "explicit_layer.d", "implicit_layer.d"
_SUFFIX = ".json"
# The first was /config in older trees; there is no search by XDG variables.
_FUCHSIAN = ("/vulkan-loader-configuration", "/config", "/pkg/data")
_MOST_FILES = 512


@dataclass(frozen=True, slots=True)
class Found:
    """A manifest's path, and the variable or folder that it was found by."""

    path: str
    source: str


@dataclass(frozen=True, slots=True)
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
    return _distinct((*_of_variable(where, "VK_ADD_DRIVER_FILES"), *_of_folders(where, DRIVERS)))


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
        return _of_variable(where, "VK_LAYER_PATH")
    return _distinct((*_of_variable(where, "VK_ADD_LAYER_PATH"), *_of_folders(where, EXPLICIT_LAYERS)))


def implicit_layers(where: Surroundings) -> tuple[Found, ...]:
    """Give the manifests of layers that are on by themselves."""
    return _distinct(_of_folders(where, IMPLICIT_LAYERS))


def entries(where: Surroundings, variable: str) -> tuple[Entry, ...]:
    """Give the entries of a variable, each as it is written."""
    texts = where.environ.get(variable, "").split(os.pathsep)
    return tuple(Entry(variable, text, os.path.lexists(text)) for text in texts if text)


def folders(where: Surroundings, kind: str) -> Iterator[str]:
    """Give the folders of one *kind* in the order of the search; empty entries are none."""
    if where.platform == FUCHSIA:
        yield from (f"{base}/vulkan/{kind}" for base in _FUCHSIAN)
        return
    home = "" if where.elevated else where.environ.get("HOME", "")
    config = _variable(where, "XDG_CONFIG_HOME") or (f"{home}/.config" if home else "")
    data = _variable(where, "XDG_DATA_HOME") or (f"{home}/.local/share" if home else "")
    bases = [
        config,
        *(_variable(where, "XDG_CONFIG_DIRS") or "/etc/xdg").split(os.pathsep),
        "/etc",
        data,
        *(_variable(where, "XDG_DATA_DIRS") or "/usr/local/share:/usr/share").split(os.pathsep),
    ]
    yield from dict.fromkeys(f"{base.rstrip('/')}/vulkan/{kind}" for base in bases if base)


def _variable(where: Surroundings, name: str) -> str:
    return "" if where.elevated else where.environ.get(name, "")


def _of_variable(where: Surroundings, variable: str) -> tuple[Found, ...]:
    """Give what a variable names: files, and folders whose manifests count."""
    if where.elevated:
        return ()
    paths = (path for entry in entries(where, variable) for path in _files(entry.text))
    return _distinct(Found(path, variable) for path in paths)


def _of_folders(where: Surroundings, kind: str) -> Iterator[Found]:
    for folder in folders(where, kind):
        yield from (Found(path, folder) for path in _files(folder) if path != folder)


def _files(path: str) -> list[str]:
    """Give the manifests in a folder, or the path itself where it is none."""
    try:
        names = sorted(each.name for each in Path(path).iterdir())
    except OSError:
        return [path] if path.endswith(_SUFFIX) else []
    return [f"{path.rstrip('/')}/{name}" for name in names if name.endswith(_SUFFIX)][:_MOST_FILES]


def _distinct(found: Iterator[Found] | tuple[Found, ...]) -> tuple[Found, ...]:
    return tuple({each.path: each for each in reversed(tuple(found))}.values())[::-1]
