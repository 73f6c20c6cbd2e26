# SPDX-License-Identifier: Apache-2.0
"""What the loader sees of this process: its variables, what each does, and the manifests, in the loader's order.

Source: Vulkan-Loader, LoaderDriverInterface.md and LoaderLayerInterface.md; tried against 1.3.239.
"""

import os
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import chain
from pathlib import Path
from shlex import quote

from vkzircon_cli.bindings.dynlib import LOADER_NAMES
from vkzircon_cli.checks import Outcome
from vkzircon_cli.doctor.finding import Finding, branch, shown
from vkzircon_cli.model.base import record
from vkzircon_cli.model.host import FUCHSIA, LIBVULKAN_VARIABLE, VARIABLES, KnownVariable, is_elevated, platform
from vkzircon_cli.model.quantities import counted

DRIVERS, EXPLICIT_LAYERS, IMPLICIT_LAYERS = "icd.d", "explicit_layer.d", "implicit_layer.d"
_SUFFIX = ".json"
# The first was /config in older trees; the loader of Fuchsia reads no XDG variables.
_ON_FUCHSIA = ("/vulkan-loader-configuration", "/config", "/pkg/data")
OF_FOLDERS = ("XDG_CONFIG_HOME", "XDG_CONFIG_DIRS", "XDG_DATA_HOME", "XDG_DATA_DIRS")
_MOST_FILES = 512
# Loaders before 1.3.234 do not read the first one, and keep the layers on (LoaderLayerInterface.md, Layer Filtering).
WITHOUT_LAYERS: Mapping[str, str | None] = {
    "VK_LOADER_LAYERS_DISABLE": "~all~",
    **dict.fromkeys(("VK_LOADER_LAYERS_ENABLE", "VK_LOADER_LAYERS_ALLOW", "VK_INSTANCE_LAYERS")),
}
_EMPTY = {"driver": Outcome.FAIL, "explicit layer": Outcome.WARN, "implicit layer": Outcome.INFO}


@record
class Surroundings:
    """What the loader would see.

    *environ* has the variables; bytes that are not UTF-8 are surrogate escapes. In an *elevated* process the loader
    ignores most variables. *timeout_s* is the time in which a library must load. *exists* is true of a dangling link.
    """

    platform: str
    elevated: bool
    environ: Mapping[str, str]
    timeout_s: float
    exists: Callable[[str], bool] = os.path.lexists

    @property
    def trusted(self) -> Mapping[str, str]:
        """Return the variables that the loader does not ignore in a process with these privileges."""
        return {} if self.elevated else self.environ


def surroundings(timeout_s: float, changed: Mapping[str, str] | None = None) -> Surroundings:
    """Return the surroundings of this process with the variables that are *changed* for the probe."""
    return Surroundings(
        platform=platform(),
        elevated=is_elevated(),
        environ={**os.environ, **(changed or {})},
        timeout_s=timeout_s,
    )


def names_tried(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names under which the loader is searched for, in the probe's order."""
    chosen = environ.get(LIBVULKAN_VARIABLE)
    return (chosen,) if chosen else LOADER_NAMES


def nameable(manifests: Iterable[str]) -> list[str]:
    """Return those manifests that a variable can name: the separator of its entries cannot be quoted."""
    return [each for each in dict.fromkeys(manifests) if os.pathsep not in each]


def only_drivers(manifests: Sequence[str]) -> dict[str, str]:
    """Return the variables that name the only drivers to read; older loaders read only the second one."""
    return dict.fromkeys(("VK_DRIVER_FILES", "VK_ICD_FILENAMES"), os.pathsep.join(nameable(manifests)))


def drivers(where: Surroundings) -> tuple[str, ...]:
    """Return the driver manifests that the loader reads; a file named twice is read twice."""
    chosen = driver_variable(where)
    return _files(entries(where, chosen)) if chosen else _added(where, "VK_ADD_DRIVER_FILES", DRIVERS)


def hidden_drivers(where: Surroundings, outcome: Outcome) -> list[Finding]:
    """Return each variable of search folders without which the loader would read more drivers."""
    seen, found = set(drivers(where)), []
    for name in filter(where.trusted.__contains__, OF_FOLDERS):
        others = {other: value for other, value in where.environ.items() if other != name}
        if hidden := [path for path in drivers(replace(where, environ=others)) if path not in seen]:
            words = f"{name} hides {counted(len(hidden), 'driver manifest')} in the usual folders."
            evidence = (f"{name}={shown(where.environ[name])}", *map(shown, hidden))
            found.append(Finding("variable.hides", name, outcome, words, evidence, "", f"unset {name}"))
    return found


def driver_variable(where: Surroundings) -> str:
    """Return the variable that replaces the search for drivers, even if it is empty; '' if there is none."""
    return next((name for name in ("VK_DRIVER_FILES", "VK_ICD_FILENAMES") if name in where.trusted), "")


def layer_variable(where: Surroundings) -> str:
    """Return the variable that names explicit layers; if VK_LAYER_PATH is set, the loader ignores the other one."""
    return "VK_LAYER_PATH" if "VK_LAYER_PATH" in where.environ else "VK_ADD_LAYER_PATH"


def explicit_layers(where: Surroundings) -> tuple[str, ...]:
    """Return the manifests of layers that are on only if they are named."""
    if "VK_LAYER_PATH" in where.trusted:
        return _files(dict.fromkeys(entries(where, "VK_LAYER_PATH")))
    return _added(where, "VK_ADD_LAYER_PATH", EXPLICIT_LAYERS)


def implicit_layers(where: Surroundings) -> tuple[str, ...]:
    """Return the manifests of layers that are on by default; older loaders read the usual folders in any case."""
    chosen = _files(entries(where, "VK_IMPLICIT_LAYER_PATH"))
    return tuple(dict.fromkeys((*chosen, *_added(where, "VK_ADD_IMPLICIT_LAYER_PATH", IMPLICIT_LAYERS))))


def entries(where: Surroundings, variable: str) -> tuple[str, ...]:
    """Return the entries of a variable that names files or folders, as written, if the loader reads it."""
    return tuple(filter(None, where.trusted.get(variable, "").split(os.pathsep)))


def folders(where: Surroundings, kind: str) -> Iterator[str]:
    """Yield the folders of one *kind* in the order of the search; empty entries are skipped."""
    if where.platform == FUCHSIA:
        yield from (f"{base}/vulkan/{kind}" for base in _ON_FUCHSIA)
        return
    given = where.trusted
    home = given.get("HOME")
    bases = [
        given.get("XDG_CONFIG_HOME") or ("" if home is None else f"{home}/.config"),
        given.get("XDG_CONFIG_DIRS") or "/etc/xdg",
        "/etc",
        given.get("XDG_DATA_HOME") or ("" if home is None else f"{home}/.local/share"),
        given.get("XDG_DATA_DIRS") or "/usr/local/share:/usr/share",
    ]
    every = (base.removesuffix("/") for base in os.pathsep.join(bases).split(os.pathsep) if base)
    yield from dict.fromkeys(f"{base}/vulkan/{kind}" for base in every)


def _added(where: Surroundings, variable: str, kind: str) -> tuple[str, ...]:
    """Return the files of a variable, then those of the folders; each folder is searched once."""
    return _files(dict.fromkeys((*entries(where, variable), *folders(where, kind))))


def _files(places: Iterable[str]) -> tuple[str, ...]:
    """Return the manifests that *places* name, and those in folders, in the folder's own order, as the loader does."""
    each = ([path] if path.endswith(_SUFFIX) else _manifests_in(path)[:_MOST_FILES] for path in places)
    return tuple(chain.from_iterable(each))


def _manifests_in(folder: str) -> list[str]:
    with suppress(OSError):
        return [f"{folder}/{each.name}" for each in Path(folder).iterdir() if each.name.endswith(_SUFFIX)]
    return []


def crowded_folders(manifests: Iterable[str]) -> Iterator[Finding]:
    """Yield the folders that have more manifests than the examined ones, whose paths are *manifests*."""
    for folder, examined in Counter(path.rpartition("/")[0] for path in dict.fromkeys(manifests)).items():
        if examined >= _MOST_FILES and (number := len(_manifests_in(folder))) > examined:
            words = f"{folder} has {number} manifests, of which only {examined} were examined."
            yield Finding("folder.crowded", folder, Outcome.WARN, words, command=f"ls {quote(folder)}")


def variables_finding(where: Surroundings, loader: str, settings: Iterable[Finding] = ()) -> Finding:
    """Return the effect of each variable that is set, and of the loader's *settings* file.

    *loader* is the loader's file, '' if none opens: a loader that reads a variable has its name in its file.
    """
    text = b""
    with suppress(OSError):  # '' is the current folder, which is no file
        text = Path(loader).read_bytes()
    children = [_effect(known, where, text) for name, known in VARIABLES.items() if name in where.environ]
    number = counted(len(children), "variable") if children else "No variable"
    words = "affect the loader are" if len(children) > 1 else "affects the loader is"
    return branch("variables", "environment", f"{number} that {words} set.", (*children, *settings))


def _effect(known: KnownVariable, where: Surroundings, loader: bytes) -> Finding:
    name, value = known.name, where.environ[known.name]
    by = next((other for other in known.yields_to if other in where.environ), "")

    def finding(word: str, outcome: Outcome, said: str, cause: str = "", command: str = f"unset {name}") -> Finding:
        evidence = (f"{name}={shown(value)}",)
        return Finding(f"variable.{word}", name, outcome, f"{name} {said}.", evidence, cause, command)

    if where.elevated and known.is_secure:
        cause = "the loader ignores it in a process with raised privileges (set-user-ID, set-group-ID)"
        return finding("ignored", Outcome.WARN, "is ignored", cause, "id")
    if loader and name.startswith("VK_") and name.encode() not in loader:
        return finding("unknown", Outcome.WARN, "is ignored", "the loader that opens does not read this variable")
    if by:
        cause = f"{by} is set{'' if where.environ[by] else ' (to nothing)'} and overrides it"
        return finding("overridden", Outcome.INFO, f"is ignored beside {by}", cause, f"unset {by}")
    if value:
        return finding("in-force", Outcome.INFO, known.effect)
    if known.removes:
        cause = "a variable that is set but empty is not the same as an unset one"
        return finding("empty", _EMPTY[known.removes], f"is empty, so the loader finds no {known.removes}", cause)
    return finding("empty", Outcome.INFO, "is empty and has no effect")


def layer_variables(where: Surroundings, known: Collection[str]) -> Iterator[Finding]:
    """Yield the folders of layers that do not exist, and the layers asked for that are not among the *known* ones."""
    yield from missing_entries(where, layer_variable(where))
    for layer in where.environ.get("VK_INSTANCE_LAYERS", "").split(os.pathsep):
        if layer and layer not in known:
            words = f"VK_INSTANCE_LAYERS names {layer}, which is not installed: the loader ignores it."
            yield Finding("layer.not-installed", layer, Outcome.WARN, words, command="vulkaninfo --summary")


def missing_entries(where: Surroundings, variable: str, *, with_manifests: bool = False) -> Iterator[Finding]:
    """Yield the entries that do not exist. Manifests are left out by default: they are reported as unreadable."""
    for entry in entries(where, variable):
        slip = _slip(entry)
        if not where.exists(entry) and (with_manifests or slip or not entry.endswith(_SUFFIX)):
            words = f'{variable} names "{entry}", which does not exist{f": {slip}" if slip else ""}.'
            yield Finding("variable.not-found", entry, Outcome.FAIL, words, command=f"unset {variable}")


def _slip(text: str) -> str:
    """Return a likely mistake in an entry, '' if there is none."""
    if text[:1] in "\"'" and text[-1:] == text[:1]:
        return "the quotes are part of the value"
    if text.startswith("~"):
        return "the shell did not expand the ~"
    if text != text.strip():
        return "a blank is part of the value"
    if "," in text:
        return f"entries are separated by {os.pathsep!r}, not by commas"
    return ""
