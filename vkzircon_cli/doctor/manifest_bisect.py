# SPDX-License-Identifier: Apache-2.0
"""Finds the layers' manifests that kill the loader while it reads them, by leaving out half of them at a time.

No switch turns such a layer off: the loader reads the manifest to find the switch. So a folder with links to those
manifests that are tried replaces the usual folders.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from vkzircon_cli.doctor.search import Surroundings

# A file that stops the loader is left out with its whole folder, by the variable that holds the folder's parent.
_BY_DEFAULT = {"XDG_DATA_DIRS": "/usr/local/share:/usr/share", "XDG_CONFIG_DIRS": "/etc/xdg"}
_IN_HOME = {"XDG_DATA_HOME": "/.local/share/vulkan/", "XDG_CONFIG_HOME": "/.config/vulkan/"}
_NOWHERE = "/nonexistent"
_MOST_PROBES = 24  # 20 find one among 512
_Helps = Callable[[Mapping[str, str]], bool]


def folder_off(path: str, where: Surroundings) -> dict[str, str] | None:
    """Return the variable without the folder of *path*, None if none leads there; its other files go too."""
    parent, _, _ = path.partition("/vulkan/")
    for variable, default in _BY_DEFAULT.items():
        folders = [folder for folder in (where.environ.get(variable) or default).split(os.pathsep) if folder]
        kept = [folder for folder in folders if folder.rstrip("/") != parent]
        if len(kept) < len(folders):
            return {variable: os.pathsep.join(kept) or _NOWHERE}
    for variable, inside in _IN_HOME.items():
        if where.environ.get(variable, "").rstrip("/") == parent or inside in path:
            return {variable: _NOWHERE}
    return None


def fatal_manifests(paths: Sequence[str], where: Surroundings, helps: _Helps) -> tuple[str, ...]:
    """Return those of *paths*, as few as possible, without which the loader lives; () if others are to blame.

    *helps* probes with the variables that it gets. Manifests that no variable of folders leads to are always read.
    """
    import tempfile  # 3 ms, which only a crash needs

    suspects = [path for path in dict.fromkeys(paths) if folder_off(path, where) is not None]
    with suppress(OSError), tempfile.TemporaryDirectory(prefix="vkzircon-") as folder:
        numbers = iter(range(_MOST_PROBES))

        def helps_without(out: Sequence[str]) -> bool:
            kept = [path for path in suspects if path not in out]
            return helps(_reading(kept, f"{folder}/{next(numbers)}"))

        with suppress(StopIteration):  # it takes too many together
            # If the links to all of them help too, a file that is none of them is to blame.
            if suspects and helps_without(suspects) and not helps_without(()):
                return tuple(_halved(suspects, [], helps_without))
    return ()


def _reading(manifests: Sequence[str], base: str) -> dict[str, str]:
    """Return the variables by which the loader reads only *manifests*, through links in a new folder *base*."""
    for number, path in enumerate(manifests):
        folder = Path(base, "vulkan", Path(path).parent.name)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number}.json").symlink_to(Path(path).absolute())
    return {**dict.fromkeys((*_BY_DEFAULT, *_IN_HOME), _NOWHERE), "XDG_DATA_HOME": base}


def _halved(suspects: Sequence[str], out: Sequence[str], helps: Callable[[Sequence[str]], bool]) -> list[str]:
    """Return those *suspects* that must be left out besides *out*; it helps to leave out all of both."""
    if len(suspects) == 1:
        return list(suspects)
    first, second = suspects[: len(suspects) // 2], suspects[len(suspects) // 2 :]
    for half in (first, second):
        if helps([*half, *out]):
            return _halved(half, out, helps)
    return _halved(first, [*out, *second], helps) + _halved(second, [*out, *first], helps)
