# SPDX-License-Identifier: Apache-2.0
"""The loader's own filters: which drivers and layers VK_LOADER_*_SELECT, _ENABLE and _DISABLE choose by name.

Loader 1.3.239 reads a filter as parts between commas, without regard to case. A part may have a star at either end, or
be one of a few words that stand for many names.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

_ALL, _IMPLICIT, _EXPLICIT = "~all~", "~implicit~", "~explicit~"


def driver_filter(environ: Mapping[str, str], path: str) -> str:
    """Return the variable that leaves out the driver with the manifest *path*, '' if none does."""
    name = Path(path).name
    if chosen := _parts(environ, "VK_LOADER_DRIVERS_SELECT"):
        return "" if _matches(name, chosen) else "VK_LOADER_DRIVERS_SELECT"
    left_out = _parts(environ, "VK_LOADER_DRIVERS_DISABLE")
    return "VK_LOADER_DRIVERS_DISABLE" if _matches(name, left_out) else ""


def layer_filter(environ: Mapping[str, str], name: str, *, is_implicit: bool) -> bool | None:
    """Whether a filter turns the layer *name* on, None if none turns it on or off; on takes precedence over off."""
    word = _IMPLICIT if is_implicit else _EXPLICIT
    if _matches(name, _parts(environ, "VK_LOADER_LAYERS_ENABLE"), word):
        return True
    return False if _matches(name, _parts(environ, "VK_LOADER_LAYERS_DISABLE"), word) else None


def _parts(environ: Mapping[str, str], variable: str) -> tuple[str, ...]:
    return tuple(part.lower() for part in environ.get(variable, "").split(",") if part)


def _matches(name: str, parts: Iterable[str], *words: str) -> bool:
    return any(part in (_ALL, *words) or _fits(name.lower(), part) for part in parts)


def _fits(name: str, part: str) -> bool:
    starts, ends = part.startswith("*"), part.endswith("*")
    if part == "*":
        return True
    inside = part[starts : len(part) - ends]
    if not inside:
        return False
    if starts and ends:
        return inside in name
    return name.endswith(inside) if starts else name.startswith(inside) if ends else name == inside
