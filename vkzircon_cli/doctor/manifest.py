# SPDX-License-Identifier: Apache-2.0
"""Checks the text of one manifest as the loader does before it loads a library.

Tried against loader 1.3.239; findings name the rules that differ in newer loaders or on Fuchsia.
"""

import re
import struct
from collections.abc import Iterator
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from shlex import quote
from typing import Any

from vkzircon_cli.checks import Outcome
from vkzircon_cli.doctor.finding import Finding
from vkzircon_cli.doctor.manifest_file import Unreadable, read_manifest
from vkzircon_cli.model.base import record
from vkzircon_cli.model.text import with_article

_BITS = struct.calcsize("P") * 8
_KNOWN_FORMATS = ("1.0.0", "1.0.1")
_VERSION = re.compile(r"\d+(\.\d+){0,3}")
_BETWEEN = re.compile(r"[.\"\n\r]+")
_INTEGER = re.compile(r"\s*[+-]?\d{1,18}", re.ASCII)
_ALL_PARTS = 4
# What the loader requires of layers.
REQUIRED = ("name", "type", "api_version", "implementation_version", "description")
_TYPES = ("GLOBAL", "INSTANCE")
_ENTRY_POINTS = ("vkNegotiateLoaderLayerInterfaceVersion", "vkGetInstanceProcAddr")


class ManifestKind(StrEnum):
    """The kind of manifest, by the folder or variable that it was found in."""

    DRIVER = "driver"
    EXPLICIT_LAYER = "explicit layer"
    IMPLICIT_LAYER = "implicit layer"


@record
class Manifest:
    """A manifest, read but not loaded.

    *name* is the layer's, *library* as written, *resolved* what the loader opens: a path, or a name for the linker. A
    meta-layer turns on its *components* and *blocks* others. *switch* is the variable that turns an implicit layer off,
    with its value, *enabler* the one that turns it on. A layer's library has one of the *entry_points*. *problem* is
    why the loader does not use it, *notes* are faults that it accepts. *may_stop*: some loaders then use no driver.
    """

    path: str
    kind: ManifestKind
    name: str = ""
    library: str = ""
    resolved: str = ""
    components: tuple[str, ...] = ()
    blocks: tuple[str, ...] = ()
    switch: tuple[str, str] | None = None
    enabler: tuple[str, str] | None = None
    entry_points: tuple[str, ...] = ()
    problem: Finding | None = None
    notes: tuple[Finding, ...] = ()
    may_stop: bool = False

    @property
    def is_driver(self) -> bool:
        """Whether this is a driver's manifest."""
        return self.kind is ManifestKind.DRIVER

    @property
    def prefix(self) -> str:
        """The first word of the ids of findings about its library."""
        return "manifest" if self.is_driver else "layer"


@record
class ManifestExam:
    """The result of examining a manifest and its library.

    *is_usable*: the loader gets a working driver or layer. *kills*: loading it crashes, ends or hangs the process.
    *stops*: because of it the loader gives up on all drivers. *is_on* is None for drivers.
    """

    manifest: Manifest
    is_usable: bool
    kills: bool
    is_on: bool | None
    finding: Finding
    stops: bool = False


def examine_any(path: str) -> tuple[Manifest, ...]:
    """Read a manifest of unknown kind; return an empty tuple if the file is not a manifest."""
    try:
        root = read_manifest(path)
    except Unreadable:
        return ()
    if "ICD" in root:
        return examine(path, ManifestKind.DRIVER)
    is_implicit = any(isinstance(part, dict) and "disable_environment" in part for part in _entries_of(root))
    kind = ManifestKind.IMPLICIT_LAYER if is_implicit else ManifestKind.EXPLICIT_LAYER
    return examine(path, kind) if "layer" in root or "layers" in root else ()


def examine(path: str, kind: ManifestKind) -> tuple[Manifest, ...]:
    """Read a manifest and check its text; a file may hold several layers."""
    blank = Manifest(path, kind)
    try:
        root = read_manifest(path)
    except Unreadable as unreadable:
        return (replace(blank, problem=_unreadable(path, unreadable), may_stop=unreadable.stops),)
    if problem := _misplaced(blank, root):
        return (replace(blank, problem=problem),)
    if kind is ManifestKind.DRIVER:
        return (_driver(blank, root, root.get("ICD")),)
    return tuple(_layer(blank, root, part) for part in _entries_of(root))


_COMMANDS = {
    "manifest.byte-order-mark": "sed -i '1s/^\\xef\\xbb\\xbf//' {}",
    "manifest.utf-16": "iconv -f UTF-16 -t UTF-8 {}",
    "manifest.bad-json": "python3 -m json.tool {}",
    "manifest.comments": "python3 -m json.tool {}",
    "manifest.truncated": "cat {}",
}


def _unreadable(path: str, why: Unreadable) -> Finding:
    line = f"{path}:{why.place}" if why.place else path
    command = _COMMANDS.get(why.id, "ls -ld {}").format(quote(path))
    outcome = Outcome.FAIL if why.read else Outcome.SKIP
    return fault(why.id, path, why.words, outcome, evidence=(line,), command=command)


def fault(id: str, path: str, words: str, outcome: Outcome = Outcome.FAIL, **more: Any) -> Finding:
    """Return the finding about a manifest that the loader cannot use; its command is `ls` unless *more* has one."""
    more.setdefault("command", f"ls -l {quote(path)}")
    return Finding(id, path, outcome, f"{path} {words}.", **more)


def _wrong_type(blank: Manifest, words: str, *, is_deadly: bool = True) -> Manifest:
    problem = fault("manifest.wrong-type", blank.path, words)
    return replace(blank, problem=problem, may_stop=is_deadly)


def _driver(blank: Manifest, root: dict[str, Any], part: Any) -> Manifest:
    path = blank.path
    if isinstance(part, list) and part:
        return _wrong_type(blank, "has an ICD that is a list")
    if missing := _missing(path, root, "ICD", part, ("library_path", "api_version")):
        return replace(blank, problem=missing)
    library = part["library_path"]
    if not isinstance(library, str):
        # Of a value that is not a text, loader 1.3.239 takes the JSON, and cannot strip the quotes of a single digit.
        is_deadly = type(library) in (int, float) and library in range(10)
        return _wrong_type(blank, "has an ICD.library_path that is not a text", is_deadly=is_deadly)
    if not library:
        return replace(blank, problem=_missing_key(path, "ICD.library_path", "has an empty"))
    notes = tuple(_notes(path, root, part, is_driver=True))
    resolved, problem = _resolved(path, library), _left_out(path, part)
    return replace(blank, library=library, resolved=resolved, notes=notes, problem=problem)


def _layer(blank: Manifest, root: dict[str, Any], part: Any) -> Manifest:
    path = blank.path
    is_implicit = blank.kind is ManifestKind.IMPLICIT_LAYER
    if isinstance(part, list) and part:
        return _wrong_type(blank, "has a layer that is a list")
    if missing := _missing(path, root, "layer", part, REQUIRED):
        return replace(blank, problem=missing)
    deadly = _deadly_switch(part) if is_implicit else ""
    library = part.get("library_path")
    library = library if isinstance(library, str) else ""
    names = part.get("functions") if isinstance(part.get("functions"), dict) else {}
    problem = ("manifest.wrong-type", deadly) if deadly else _layer_problem(part, is_implicit=is_implicit)
    return replace(
        blank,
        name=part["name"] if isinstance(part["name"], str) else "",
        library=library,
        resolved=_resolved(path, library),
        components=texts(part.get("component_layers")),
        blocks=texts(part.get("blacklisted_layers")),
        switch=_variable(part.get("disable_environment")) if is_implicit else None,
        enabler=_variable(part.get("enable_environment")) if is_implicit else None,
        entry_points=tuple(str(names.get(name, name)) for name in _ENTRY_POINTS),
        notes=tuple(_notes(path, root, part, is_driver=False)),
        problem=fault(problem[0], path, problem[1]) if problem else _left_out(path, part),
        may_stop=bool(deadly),
    )


def _entries_of(root: dict[str, Any]) -> list[Any]:
    """Return the file's layers; beside a list of several the loader ignores a single one."""
    several = root.get("layers")
    return elements(several) if isinstance(several, list | dict) else [root.get("layer")]


def elements(value: Any) -> list[Any]:
    """Return the elements of a list, or the values of an object, which the loader takes for a list."""
    return [*value.values()] if isinstance(value, dict) else value if isinstance(value, list) else []


def texts(value: Any) -> tuple[str, ...]:
    """Return the texts in a list."""
    return tuple(each for each in elements(value) if isinstance(each, str))


def _variable(value: Any) -> tuple[str, str] | None:
    """Return the variable and the value that an object holds; the first one counts."""
    pairs = value.items() if isinstance(value, dict) else ()
    return next(((str(name), str(wanted)) for name, wanted in pairs), None)


def _deadly_switch(part: dict[str, Any]) -> str:
    """Describe an implicit layer's switch that crashes the loader, '' if none does."""
    off = part.get("disable_environment")
    if off and isinstance(off, dict | list) and not _is_switch(off):
        return "has a layer.disable_environment without a variable and its value, both text"
    if "enable_environment" in part and not _is_switch(part["enable_environment"]):
        return "has a layer.enable_environment without a variable and its value, both text"
    return ""


def _is_switch(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(next(iter(value.values()), None), str)


def _layer_problem(part: dict[str, Any], *, is_implicit: bool) -> tuple[str, str] | None:
    """Return the id and the words of the fault for which the loader ignores a layer, None if it has none."""
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


def _resolved(path: str, library: str) -> str:
    """Return what the loader opens for *library*: a name with a slash is relative to the manifest's folder."""
    if "/" not in library or library.startswith("/"):
        return library
    # Not normalized, as in the loader: if the folder is a link, the system resolves "..".
    return f"{Path(path).absolute().parent}/{library}"


def _misplaced(manifest: Manifest, root: dict[str, Any]) -> Finding | None:
    path = manifest.path
    if manifest.is_driver and "ICD" not in root and ("layer" in root or "layers" in root):
        return fault("manifest.is-a-layer", path, "is a layer's manifest in a folder for drivers")
    if not manifest.is_driver and "ICD" in root and "layer" not in root:
        return fault("manifest.is-a-driver", path, "is a driver's manifest in a folder for layers")
    if "manifest_path" in root and "file_format_version" not in root:
        return _fuchsia_metadata(path, root)
    return None


def _fuchsia_metadata(path: str, root: dict[str, Any]) -> Finding:
    """Return the finding about a Fuchsia driver package's metadata.json in a folder for manifests."""
    if root.get("version") != 1:
        words = f"is the metadata of a Fuchsia driver package, of the unknown version {root.get('version')!r}"
    elif not isinstance(root.get("file_path"), str):
        words = "is the metadata of a Fuchsia driver package without a file_path: the loader service ignores it"
    else:
        words = "is the metadata of a Fuchsia driver package, not the manifest that it points to"
    return fault("manifest.fuchsia-metadata", path, words, evidence=(f"manifest_path: {root['manifest_path']}",))


def _missing(path: str, root: dict[str, Any], section: str, part: Any, needed: tuple[str, ...]) -> Finding | None:
    if "file_format_version" not in root:
        return _missing_key(path, "file_format_version")
    if not isinstance(part, dict):
        return _missing_key(path, section)
    return next((_missing_key(path, f"{section}.{key}") for key in needed if key not in part), None)


def _missing_key(path: str, key: str, has: str = "has no") -> Finding:
    """Return the finding about a key that the loader requires."""
    words = f"{has} {key}: the loader ignores it"
    return fault("manifest.missing-key", path, words, evidence=(f"{path}: {key}",))


def _left_out(path: str, part: dict[str, Any]) -> Finding | None:
    """Return the finding about a driver or layer that the loader leaves out by design, if it does."""
    api = part.get("api_version")
    if isinstance(api, str) and _variant(api):
        return passed_over(path, f'its api_version "{api}" has a variant other than 0, which is not plain Vulkan')
    arch = part.get("library_arch")
    if arch in ("32", "64") and arch != str(_BITS):
        return passed_over(path, f"its library is for {arch} bits, and this process has {_BITS}")
    return None


def _variant(api: str) -> int:
    """Return the variant as the loader reads it: numbers are cut to 16 bits and overflow into those before them."""
    numbers = [int((_INTEGER.match(each) or ["0"])[0]) & 0xFFFF for each in _BETWEEN.split(api) if each]
    variant, major, minor, patch = ([0, *numbers, 0, 0, 0] if len(numbers) < _ALL_PARTS else numbers)[:_ALL_PARTS]
    return ((variant << 29 | major << 22 | minor << 12 | patch) & 0xFFFFFFFF) >> 29


def passed_over(path: str, why: str) -> Finding:
    """Return the finding about a manifest that the loader leaves out by design."""
    return Finding("manifest.left-out", path, Outcome.INFO, f"{path} is left out by the loader: {why}.")


def _notes(path: str, root: dict[str, Any], part: dict[str, Any], *, is_driver: bool) -> Iterator[Finding]:
    version = root["file_format_version"]
    if is_driver and version not in _KNOWN_FORMATS:
        words = f"{path} has file_format_version {version!r}, which the loader does not know but accepts."
        known = f"It knows {' and '.join(_KNOWN_FORMATS)}."
        yield Finding("manifest.format-version", path, Outcome.INFO, words, cause=known)
    api = part.get("api_version")
    if not isinstance(api, str) or not _VERSION.fullmatch(api):
        words = f"{path} has api_version {api!r}: this loader accepts it, newer ones and Fuchsia's ignore the file."
        yield Finding("manifest.api-version", path, Outcome.INFO, words, cause='It must be a text such as "1.3.0".')
    if part.get("is_portability_driver") is True:
        words = f"{path} is a portability driver: only programs that ask for such drivers see it, as vkzircon does."
        yield Finding("manifest.portability", path, Outcome.INFO, words)
    if "\\" in str(part.get("library_path", "")):
        words = f"{path} names {part['library_path']}: a backslash does not separate folders here."
        mend = f"grep -n library_path {quote(path)}"
        yield Finding("manifest.backslashes", path, Outcome.WARN, words, command=mend)


def layer_finding(manifest: Manifest, on: bool | None) -> Finding:
    """Return the finding that a layer is *on* or off."""
    switch = f"; {'='.join(manifest.switch)} turns it off" if manifest.switch and on else ""
    state = "on" if on else "off"
    words = f"{manifest.name}, {with_article(manifest.kind)}, is {state}{switch}."
    return Finding(f"layer.{state}", manifest.path, Outcome.INFO, words, (manifest.path,))
