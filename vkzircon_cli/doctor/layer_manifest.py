# SPDX-License-Identifier: Apache-2.0
"""Rules for layers' manifests: what the loader requires, and what turns a layer on or off."""

from typing import Any

REQUIRED = ("name", "type", "api_version", "implementation_version", "description")
_TYPES = ("GLOBAL", "INSTANCE")
_ENTRY_POINTS = ("vkNegotiateLoaderLayerInterfaceVersion", "vkGetInstanceProcAddr")


def entries_of(root: dict[str, Any]) -> list[Any]:
    """Return the file's layers; beside a list of several the loader ignores a single one."""
    several = root.get("layers")
    if isinstance(several, list | dict):
        return [*(several if isinstance(several, list) else several.values())]
    return [root.get("layer")]


def variable(value: Any) -> tuple[str, str] | None:
    """Return the variable and the value that an object holds; the first one counts."""
    pairs = value.items() if isinstance(value, dict) else ()
    return next(((str(name), str(wanted)) for name, wanted in pairs), None)


def deadly_switch(part: dict[str, Any]) -> str:
    """Describe an implicit layer's switch that crashes the loader, '' if none does."""
    off = part.get("disable_environment")
    if off and isinstance(off, dict | list) and not _is_switch(off):
        return "has a layer.disable_environment without a variable and its value, both text"
    if "enable_environment" in part and not _is_switch(part["enable_environment"]):
        return "has a layer.enable_environment without a variable and its value, both text"
    return ""


def _is_switch(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(next(iter(value.values()), None), str)


def problem(part: dict[str, Any], *, is_implicit: bool) -> tuple[str, str] | None:
    """Return the id and the words of what makes the loader ignore a layer, None if nothing does."""
    if is_implicit and not _is_switch(part.get("disable_environment")):
        return "manifest.missing-key", "has no layer.disable_environment with a variable: the loader ignores it"
    if part["type"] not in _TYPES:
        return "manifest.layer-type", f"has layer.type {part['type']!r}: the loader accepts only {' and '.join(_TYPES)}"
    if "library_path" in part and "component_layers" in part:
        return "manifest.layer-library", "has both layer.library_path and layer.component_layers: the loader ignores it"
    if isinstance(part["api_version"], float):
        return "manifest.wrong-type", "has a layer.api_version that is not a text, and the loader misreads it"
    return _library_problem(part)


def _library_problem(part: dict[str, Any]) -> tuple[str, str] | None:
    if "library_path" not in part and "component_layers" not in part:
        return "manifest.missing-key", "has no layer.library_path: the loader ignores it"
    library = part.get("library_path", "-")
    if not isinstance(library, str):
        return "manifest.wrong-type", "has a layer.library_path that is not a text"
    words = "has an empty layer.library_path, which means the program itself: it may hang where the layer is on"
    return None if library else ("manifest.missing-key", words)


def entry_points(part: dict[str, Any]) -> tuple[str, ...]:
    """Return the functions of which the library must have one, under the names that the manifest gives them."""
    given = part.get("functions")
    named = given if isinstance(given, dict) else {}
    return tuple(str(named.get(name, name)) for name in _ENTRY_POINTS)
