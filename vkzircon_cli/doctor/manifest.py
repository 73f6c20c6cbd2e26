# SPDX-License-Identifier: Apache-2.0
"""What one manifest comes to: what it says, and what the loader makes of it before it loads anything.

Tried against loader 1.3.239, file by file; where newer loaders or Fuchsia's judge otherwise, that is said.
"""

import os
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from shlex import quote
from typing import Any

from vkzircon_cli.checks import Outcome
from vkzircon_cli.doctor.finding import Finding
from vkzircon_cli.doctor.reading import Unreadable, read_manifest
from vkzircon_cli.doctor.search import Found

_BITS = struct.calcsize("P") * 8
_KNOWN_FORMATS = ("1.0.0", "1.0.1")
_VERSION = re.compile(r"\d+(\.\d+){0,3}")


class Kind(StrEnum):
    """What a manifest is found as."""

    DRIVER = "driver"
    EXPLICIT_LAYER = "explicit layer"
    IMPLICIT_LAYER = "implicit layer"


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest as far as its text tells.

    *name* is the layer's ('' of a driver), *library* as written, *resolved* what the loader opens: a path, or a bare
    name that the linker searches for. *switch* is the variable that turns an implicit layer off, with its value.
    *problem* is what keeps the loader from using it at all, *notes* are what it overlooks. *stops_loader*: this file
    alone makes vkCreateInstance fail for all drivers.
    """

    path: str
    source: str
    kind: Kind
    name: str = ""
    library: str = ""
    resolved: str = ""
    switch: tuple[str, str] | None = None
    enabler: tuple[str, str] | None = None
    problem: Finding | None = None
    notes: tuple[Finding, ...] = ()
    stops_loader: bool = False


def examine(found: Found, kind: Kind) -> Manifest:
    """Read a manifest and judge what it says; of one with several layers the first counts."""
    blank = Manifest(found.path, found.source, kind)
    try:
        root = read_manifest(found.path)
    except Unreadable as nothing:
        return replace(blank, problem=_unreadable(found.path, nothing), stops_loader=nothing.stops)
    parts = _layers_of(root) if kind is not Kind.DRIVER else [root.get("ICD")]
    return _examined(blank, root, parts[0] if parts else None)


_MENDERS = {
    "manifest.byte-order-mark": "sed -i '1s/^\\xef\\xbb\\xbf//' {}",
    "manifest.utf-16": "iconv -f UTF-16 -t UTF-8 {}",
    "manifest.bad-json": "python3 -m json.tool {}",
    "manifest.comments": "python3 -m json.tool {}",
    "manifest.truncated": "cat {}",
}


def _unreadable(path: str, nothing: Unreadable) -> Finding:
    where = f"{path}:{nothing.place}" if nothing.place else path
    command = _MENDERS.get(nothing.id, "ls -l {}").format(quote(path))
    found = fault(nothing.id, path, nothing.words, evidence=(where,), cause=nothing.cause, command=command)
    return found if nothing.judged else replace(found, outcome=Outcome.SKIP)


def fault(id: str, path: str, words: str, **more: Any) -> Finding:
    """Make the finding of a manifest that the loader cannot use."""
    more.setdefault("command", f"ls -l {quote(path)}")
    return Finding(id, path, Outcome.FAIL, f"{path} {words}.", **more)


def _layers_of(root: dict[str, Any]) -> list[Any]:
    several = root.get("layers")
    return list(several) if isinstance(several, list) else [root.get("layer")]


def _examined(blank: Manifest, root: dict[str, Any], part: Any) -> Manifest:
    if problem := _misplaced(blank, root) or _incomplete(blank, root, part):
        return replace(blank, problem=problem, stops_loader=problem.id == "manifest.wrong-type")
    library = part["library_path"] if isinstance(part.get("library_path"), str) else ""
    made = replace(
        blank,
        name=str(part.get("name", "")) if blank.kind is not Kind.DRIVER else "",
        library=library,
        resolved=resolve(blank.path, library),
        switch=_variable(part.get("disable_environment")),
        enabler=_variable(part.get("enable_environment")),
        notes=tuple(_notes(blank.path, root, part)),
    )
    return replace(made, problem=_left_out(made, part))


def resolve(path: str, library: str) -> str:
    """Give what the loader opens for *library*: a name with a slash counts from the manifest's folder."""
    if "/" not in library or library.startswith("/"):
        return library
    # Never through Path.resolve(): the loader follows no links here, and neither does the linker's message.
    return os.path.normpath(Path(path).absolute().parent / library)


def _variable(value: Any) -> tuple[str, str] | None:
    """Read an object of one variable and its value."""
    if isinstance(value, dict):
        for name, wanted in value.items():
            return str(name), str(wanted)
    return None


def _misplaced(manifest: Manifest, root: dict[str, Any]) -> Finding | None:
    path = manifest.path
    if manifest.kind is Kind.DRIVER and "ICD" not in root and ("layer" in root or "layers" in root):
        return fault("manifest.is-a-layer", path, "is a layer's manifest, where a driver's belongs")
    if manifest.kind is not Kind.DRIVER and "ICD" in root and "layer" not in root:
        return fault("manifest.is-a-driver", path, "is a driver's manifest, where a layer's belongs")
    if "manifest_path" in root and "file_format_version" not in root:
        return _fuchsia_metadata(path, root)
    return None


def _fuchsia_metadata(path: str, root: dict[str, Any]) -> Finding:
    """Judge a Fuchsia driver package's metadata.json, which lies where a manifest belongs."""
    if root.get("version") != 1:
        words = f"is the metadata of a Fuchsia driver package, of version {root.get('version')!r}, where 1 is known"
    elif not isinstance(root.get("file_path"), str):
        words = "is the metadata of a Fuchsia driver package, and has no file_path: the loader service passes it over"
    else:
        words = "is the metadata of a Fuchsia driver package, not the manifest that it points to"
    return fault("manifest.fuchsia-metadata", path, words, evidence=(f"manifest_path: {root['manifest_path']}",))


def _incomplete(manifest: Manifest, root: dict[str, Any], part: Any) -> Finding | None:
    path, section = manifest.path, "ICD" if manifest.kind is Kind.DRIVER else "layer"
    if "file_format_version" not in root:
        return _missing(path, "file_format_version")
    if not isinstance(part, dict):
        return _missing(path, section)
    wanted = ("library_path", "api_version") if manifest.kind is Kind.DRIVER else ("name", "api_version")
    for key in wanted:
        if key not in part:
            return _missing(path, f"{section}.{key}")
    if "library_path" in part and not isinstance(part["library_path"], str):
        cause = "The loader ends the whole program there." if manifest.kind is Kind.DRIVER else ""
        return fault("manifest.wrong-type", path, f"has a {section}.library_path that is no text", cause=cause)
    if part.get("library_path") == "":
        return _missing(path, f"{section}.library_path", "has an empty")
    return None


def _missing(path: str, key: str, has: str = "has no") -> Finding:
    words = f"{has} {key}, and the loader passes it over"
    return fault("manifest.missing-key", path, words, evidence=(f"{path}: {key}",))


def _left_out(manifest: Manifest, part: dict[str, Any]) -> Finding | None:
    """Tell what the loader leaves out on purpose."""
    api = part.get("api_version")
    if manifest.kind is Kind.DRIVER and isinstance(api, str) and re.fullmatch(r"[1-7]\.\d+\.\d+\.\d+", api):
        return _passed_over(
            manifest.path, f"its api_version {api} has a variant other than 0, which is no ordinary Vulkan"
        )
    arch = part.get("library_arch")
    if arch in ("32", "64") and arch != str(_BITS):
        return _passed_over(manifest.path, f"its library is for {arch} bits, and this process has {_BITS}")
    return None


def _passed_over(path: str, why: str) -> Finding:
    return Finding("manifest.left-out", path, Outcome.INFO, f"{path} is left out by the loader's choice: {why}.")


def _notes(path: str, root: dict[str, Any], part: dict[str, Any]) -> Iterator[Finding]:
    version = root["file_format_version"]
    if version not in _KNOWN_FORMATS and "ICD" in root:
        words = f"{path} has file_format_version {version!r}, which the loader does not know, and uses all the same."
        yield Finding("manifest.format-version", path, Outcome.INFO, words)
    api = part.get("api_version")
    if not isinstance(api, str) or not _VERSION.fullmatch(api):
        words = f"{path} has api_version {api!r}: this loader takes it, newer ones and Fuchsia's pass the file over."
        yield Finding("manifest.api-version", path, Outcome.INFO, words)
    if part.get("is_portability_driver") is True:
        words = f"{path} is a portability driver: only programs that ask for such see it, as vkzircon does."
        yield Finding("manifest.portability", path, Outcome.INFO, words)
    if "\\" in str(part.get("library_path", "")):
        words = f"{path} names {part['library_path']}: a backslash is no separator here."
        mend = f"grep -n library_path {quote(path)}"
        yield Finding("manifest.backslashes", path, Outcome.WARN, words, command=mend)
