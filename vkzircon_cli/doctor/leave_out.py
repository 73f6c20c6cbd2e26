# SPDX-License-Identifier: Apache-2.0
"""The variables that leave drivers and layers out of a run, and the search for the fewest that must be left out."""

import os
from collections.abc import Callable, Sequence
from typing import TypeVar

from vkzircon_cli.doctor.manifest import ManifestKind
from vkzircon_cli.doctor.manifest_check import ManifestExam
from vkzircon_cli.doctor.surroundings import Surroundings
from vkzircon_cli.model.loader_filters import layer_filter

T = TypeVar("T")

_ENABLE = "VK_LOADER_LAYERS_ENABLE"
# A file that stops the loader is left out with its whole folder, by the variable that holds the folder's parent.
_BY_DEFAULT = {"XDG_DATA_DIRS": "/usr/local/share:/usr/share", "XDG_CONFIG_DIRS": "/etc/xdg"}
_IN_HOME = {"XDG_DATA_HOME": "/.local/share/vulkan/", "XDG_CONFIG_HOME": "/.config/vulkan/"}


def fewest(items: Sequence[T], helps: Callable[[Sequence[T]], bool]) -> list[T]:
    """Return as few items as possible that help if left out; all of them together are known to help."""
    if len(items) == 1:
        return list(items)
    if (one := next(([item] for item in items if helps([item])), None)) is not None:
        return one
    off = next(list(items[:count]) for count in range(1, len(items) + 1) if count == len(items) or helps(items[:count]))
    for item in tuple(off):
        rest = [other for other in off if other is not item]
        off = rest if rest and helps(rest) else off
    return off


def only_drivers(paths: Sequence[str]) -> dict[str, str]:
    """Return the variables that name the only drivers to read; loaders before 1.3.207 know the older one."""
    named = os.pathsep.join(paths)
    return {"VK_DRIVER_FILES": named, "VK_ICD_FILENAMES": named}


def layers_off(exams: Sequence[ManifestExam], where: Surroundings, on: Sequence[ManifestExam] = ()) -> dict[str, str]:
    """Return the variables that turn layers off, implicit ones by their own switch; the others stay *on*."""
    environ = {exam.manifest.switch[0]: exam.manifest.switch[1] or "1" for exam in exams if exam.manifest.switch}
    names = {exam.manifest.name for exam in exams if exam.manifest.kind is ManifestKind.EXPLICIT_LAYER}
    if not names:
        return environ
    asked = where.environ.get("VK_INSTANCE_LAYERS", "")
    environ["VK_INSTANCE_LAYERS"] = os.pathsep.join(name for name in asked.split(os.pathsep) if name not in names)
    parts = [part for part in where.environ.get(_ENABLE, "").split(",") if part]
    kept = [part for part in parts if not any(_enables(part, name) for name in names)]
    others = [exam.manifest.name for exam in on if exam.manifest.name not in names]
    kept += [name for name in others if any(_enables(part, name) for part in parts if part not in kept)]
    return environ | {_ENABLE: ",".join(kept)} if parts else environ


def _enables(part: str, name: str) -> bool:
    return layer_filter({_ENABLE: part}, name, is_implicit=False) is True


def without(
    bad: Sequence[ManifestExam], drivers: Sequence[ManifestExam], layers: Sequence[ManifestExam], where: Surroundings
) -> dict[str, str] | None:
    """Return the variables that leave the *bad* ones out, None if there are none or no driver would be left."""
    good = [exam.path for exam in drivers if exam.is_usable]
    environ = only_drivers(good) if good else None
    for exam in bad:
        if environ is not None and exam in layers:
            off = _folder_off(exam.path, where) if exam.stops_loader else layers_off([exam], where)
            environ = environ | off if off is not None else None
    return environ


def _folder_off(path: str, where: Surroundings) -> dict[str, str] | None:
    """Return the variable without the folder of *path*, None if none leads there; its other files go too."""
    parent, _, _ = path.partition("/vulkan/")
    for variable, default in _BY_DEFAULT.items():
        folders = [folder for folder in (where.environ.get(variable) or default).split(os.pathsep) if folder]
        kept = [folder for folder in folders if folder.rstrip("/") != parent]
        if len(kept) < len(folders):
            return {variable: os.pathsep.join(kept) or "/nonexistent"}
    for variable, inside in _IN_HOME.items():
        if where.environ.get(variable, "").rstrip("/") == parent or inside in path:
            return {variable: "/nonexistent"}
    return None
