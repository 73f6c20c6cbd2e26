# SPDX-License-Identifier: Apache-2.0
"""What a layer's manifest must say for the loader to take it, and what it says of turning the layer on and off."""

from typing import Any

NEEDED = ("name", "type", "api_version", "implementation_version", "description")
_TYPES = ("GLOBAL", "INSTANCE")
_NEGOTIATE, _GET = "vkNegotiateLoaderLayerInterfaceVersion", "vkGetInstanceProcAddr"


def entries_of(root: dict[str, Any]) -> list[Any]:
    """Give what the file says of each layer; beside a list of several the loader does not look at a single one."""
    several = root.get("layers")
    if isinstance(several, list | dict):
        return [*(several if isinstance(several, list) else several.values())]
    return [root.get("layer")]


def variable(value: Any) -> tuple[str, str] | None:
    """Read an object of a variable and its value, of which the first counts."""
    if isinstance(value, dict):
        for name, wanted in value.items():
            return str(name), str(wanted)
    return None


def deadly_switch(part: dict[str, Any]) -> str:
    """Say what the loader dies of in an implicit layer's switches, '' if of nothing."""
    off = part.get("disable_environment")
    if off and isinstance(off, dict | list) and not _is_switch(off):
        return "has a layer.disable_environment without a variable and its value, both text"
    if "enable_environment" in part and not _is_switch(part["enable_environment"]):
        return "has a layer.enable_environment without a variable and its value, both text"
    return ""


def _is_switch(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(next(iter(value.values()), None), str)


def problem(part: dict[str, Any], *, is_implicit: bool) -> tuple[str, str] | None:
    """Give the id and the words of what makes the loader pass a layer over, None if nothing does."""
    if is_implicit and not _is_switch(part.get("disable_environment")):
        return "manifest.missing-key", "has no layer.disable_environment with a variable: the loader passes it over"
    if part["type"] not in _TYPES:
        return "manifest.layer-type", f"has layer.type {part['type']!r}: the loader takes {' and '.join(_TYPES)} only"
    if "library_path" in part and "component_layers" in part:
        return "manifest.layer-library", "has both layer.library_path and layer.component_layers: it is passed over"
    return _library_problem(part) or _version_problem(part)


def _library_problem(part: dict[str, Any]) -> tuple[str, str] | None:
    if "library_path" not in part and "component_layers" not in part:
        return "manifest.missing-key", "has no layer.library_path, and the loader passes it over"
    library = part.get("library_path", "-")
    if not isinstance(library, str):
        return "manifest.wrong-type", "has a layer.library_path that is no text"
    words = "has an empty layer.library_path, which stands for the program itself: it may hang where the layer is on"
    return None if library else ("manifest.missing-key", words)


def _version_problem(part: dict[str, Any]) -> tuple[str, str] | None:
    if isinstance(part["api_version"], float):
        return "manifest.wrong-type", "has a layer.api_version that is no text, and the loader misreads it"
    return None


def entry_points(part: dict[str, Any]) -> tuple[str, ...]:
    """Name the functions of which the library must have one, under the names that the manifest gives them."""
    given = part.get("functions")
    named = given if isinstance(given, dict) else {}
    return tuple(str(named.get(name, name)) for name in (_NEGOTIATE, _GET))
