# SPDX-License-Identifier: Apache-2.0
"""The manifests that the loader read, as its own log names them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_NAMED = re.compile(r"(/[^\n\"]*?\.json)(?![\w.])")
_MOST_FILES = 200
_MOST_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Manifest:
    """One file: its first bytes, or why there are none, and how many more it has."""

    path: str
    data: bytes
    missing: str
    dropped: int


def manifests_in(log: str) -> tuple[str, ...]:
    """Give the paths that the loader's *log* names, each once."""
    return tuple(dict.fromkeys(_NAMED.findall(log)))[:_MOST_FILES]


def read_manifests(log: str) -> Iterator[Manifest]:
    """Read what the loader's *log* names; a file that cannot be read is told, and hinders no other."""
    for path in manifests_in(log):
        try:
            # Never waits: what is no file (a pipe, a device) is not read.
            if not Path(path).is_file():
                raise FileNotFoundError(2, "No such file")
            with Path(path).open("rb") as file:
                data = file.read(_MOST_BYTES)
            yield Manifest(path, data, "", max(0, Path(path).stat().st_size - len(data)))
        except (OSError, ValueError) as error:
            yield Manifest(path, b"", getattr(error, "strerror", None) or str(error), 0)
