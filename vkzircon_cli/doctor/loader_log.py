# SPDX-License-Identifier: Apache-2.0
"""Reads the manifests that the loader's log names.

Drivers and layers print into the same log, and a path that they print may be a private key. Only lines of the loader
itself count.
"""

import os
import re
from collections.abc import Iterable, Iterator

from vkzircon_cli.doctor.manifest_file import Unreadable, parse, read_bytes
from vkzircon_cli.model.base import record
from vkzircon_cli.model.text import decode

_KIND = "(?:INFO|WARN|WARNING|PERF|ERROR|DEBUG|LAYER|DRIVER|VALIDATION)"
_LOADER = re.compile(rf"(?:\[Vulkan Loader\] )?{_KIND}(?: \| {_KIND})*:\s++(.*)")
# A line with a path only, or "Manifest: PATH"; "Found manifest file PATH"; a path in a sentence, up to a blank.
_WHOLE_LINE = re.compile(r"(?:Manifest: +)?((?:\.{0,2}/.*|\S+)\.json)\Z")
_FOUND = re.compile(r"Found (?:ICD )?manifest file (.*?\.json)(?:, version\b| \(file version\b|\Z)")
_IN_A_SENTENCE = re.compile(r"""(?<![^\s"'])(/[^\s"']*?\.json)(?![\w.])""")
_MOST_FILES = 200
_MOST_BYTES = 64 * 1024
_VERSION, _SECTIONS = "file_format_version", ("ICD", "layer", "layers")


@record
class LoggedManifest:
    """One file: its first bytes, or why there are none, and how many more bytes it has."""

    path: str
    data: bytes
    missing: str
    dropped: int


def manifests_in(log: bytes) -> tuple[bytes, ...]:
    """Return the paths that the loader's *log* names, each once."""
    return tuple(map(os.fsencode, paths_in(os.fsdecode(log).split("\n"))))


def paths_in(lines: Iterable[str]) -> tuple[str, ...]:
    """Return the paths that the *lines* of the loader's log name, each once."""
    said = filter(None, map(_LOADER.match, lines))
    return tuple(dict.fromkeys(path for line in said for path in _named(line[1].rstrip())))[:_MOST_FILES]


def _named(words: str) -> list[str]:
    whole = _WHOLE_LINE.match(words) or _FOUND.match(words)
    return [whole[1]] if whole else _IN_A_SENTENCE.findall(words)


def read_manifests(log: bytes) -> Iterator[LoggedManifest]:
    """Read the manifests that the loader's *log* names, or say why one is not read.

    A bundle may be made as root and published, and a folder of manifests may belong to another user. Only manifests
    are read, and no link is followed out of its folder.
    """
    for path in manifests_in(log):
        shown = decode(path)[0]
        try:
            raw = _manifest(os.fsdecode(path))
        except Unreadable as unreadable:
            place = f" ({unreadable.place})" if unreadable.place else ""
            yield LoggedManifest(shown, b"", f"{unreadable.words}{place}", 0)
        else:
            yield LoggedManifest(shown, raw[:_MOST_BYTES], "", max(0, len(raw) - _MOST_BYTES))


def name_manifests(log: bytes, missing: str) -> Iterator[LoggedManifest]:
    """Yield the manifests that the loader's *log* names without their bytes, and why they are *missing*."""
    yield from (LoggedManifest(decode(path)[0], b"", missing, 0) for path in manifests_in(log))


def _manifest(path: str) -> bytes:
    """Read a file that has the keys of a manifest.

    Raises:
        Unreadable: it is not a manifest.
    """
    raw = read_bytes(path, within_folder=True)
    root = parse(raw)
    if _VERSION not in root:
        raise Unreadable("manifest.missing-key", f"is not a manifest: it has no {_VERSION}")
    if not any(section in root for section in _SECTIONS):
        raise Unreadable("manifest.missing-key", f"is not a manifest: it has none of {', '.join(_SECTIONS)}")
    return raw
