# SPDX-License-Identifier: Apache-2.0
"""The manifests that the loader read, as its own log names them.

Drivers and layers print into the same log. What they name is no manifest, and may be somebody's keys: only what the
loader says itself counts.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from vkzircon_cli.records import record
from vkzircon_cli.text import decode

_KIND = "(?:INFO|WARN|WARNING|PERF|ERROR|DEBUG|LAYER|DRIVER|VALIDATION)"
_LOADER = re.compile(rf"(?:\[Vulkan Loader\] )?{_KIND}(?: \| {_KIND})*:\s++(.*)")
# In a list, or "Manifest: PATH"; as found; else in a sentence, where a path with blanks has no end that shows.
_WHOLE_LINE = re.compile(r"(?:Manifest: +)?((?:\.{0,2}/.*|\S+)\.json)\Z")
_FOUND = re.compile(r"Found (?:ICD )?manifest file (.*?\.json)(?:, version\b| \(file version\b|\Z)")
_IN_A_SENTENCE = re.compile(r"""(?<![^\s"'])(/[^\s"']*?\.json)(?![\w.])""")
_MOST_FILES = 200
_MOST_BYTES = 64 * 1024


@record
class Manifest:
    """One file, *path* as facts have it: its first bytes, or why there are none, and how many more it has."""

    path: str
    data: bytes
    missing: str
    dropped: int


def manifests_in(log: bytes) -> tuple[bytes, ...]:
    """Give the paths that the loader's *log* names, each once."""
    lines = map(_LOADER.match, os.fsdecode(log).split("\n"))
    found = dict.fromkeys(os.fsencode(path) for line in lines if line for path in _named(line[1].rstrip()))
    return tuple(found)[:_MOST_FILES]


def _named(words: str) -> list[str]:
    whole = _WHOLE_LINE.match(words) or _FOUND.match(words)
    return [whole[1]] if whole else _IN_A_SENTENCE.findall(words)


def read_manifests(log: bytes) -> Iterator[Manifest]:
    """Read what the loader's *log* names; a file that cannot be read is told, and hinders no other."""
    for path in manifests_in(log):
        shown = decode(path)[0]
        try:
            # Never waits: what is no file (a pipe, a device) is not read.
            if not Path(os.fsdecode(path)).is_file():
                raise FileNotFoundError(2, "No such file")
            with Path(os.fsdecode(path)).open("rb") as file:
                data = file.read(_MOST_BYTES)
                size = os.fstat(file.fileno()).st_size
            yield Manifest(shown, data, "", max(0, size - len(data)))
        except (OSError, ValueError) as error:
            yield Manifest(shown, b"", getattr(error, "strerror", None) or str(error), 0)
