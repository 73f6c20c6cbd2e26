# SPDX-License-Identifier: Apache-2.0
"""Captures what drivers and layers print: bounded, and kept out of the result."""

import os
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self, TextIO

from vkzircon_cli.model.text import decode
from vkzircon_cli.stream.events import Event

_LIMIT = 64 * 1024
_CHUNK = 64 * 1024


@dataclass(slots=True)
class Capture:
    """The first `_LIMIT` bytes of the output; *dropped* counts the others."""

    kept: bytearray = field(default_factory=bytearray)
    dropped: int = 0

    def add(self, data: bytes) -> None:
        """Append *data*."""
        room = _LIMIT - len(self.kept)
        self.kept += data[:room]
        self.dropped += max(0, len(data) - room)

    def event(self) -> Event:
        """Return the event that holds the output, with escapes for bytes that are not UTF-8."""
        text, in_hex = decode(bytes(self.kept))
        return {"event": "output", "text": text, "dropped": self.dropped, "text_hex": in_hex}


class OwnOutput:
    """Captures what C code prints in this process; Python's own streams keep their targets."""

    def __init__(self) -> None:
        self.capture = Capture()
        self._saved: dict[int, int] = {}
        self._streams = (sys.__stdout__, sys.__stderr__)

    def __enter__(self) -> Self:
        """Replace standard output and standard error by a pipe; those that were closed lead to it too."""
        self._read, write = os.pipe()
        os.set_blocking(self._read, False)
        for descriptor in (1, 2):
            with suppress(OSError):
                self._saved[descriptor] = os.dup(descriptor)
            os.dup2(write, descriptor)
        os.close(write)
        sys.__stdout__, sys.__stderr__ = (self._moved(i + 1, stream) for i, stream in enumerate(self._streams))  # type: ignore[misc, assignment]
        return self

    def _moved(self, descriptor: int, stream: TextIO | None) -> TextIO | None:
        if stream is None or descriptor not in self._saved:
            return None
        return os.fdopen(self._saved[descriptor], "w", encoding=stream.encoding, closefd=False)

    def drain(self) -> None:
        """Read the pipe empty: a full pipe would block the printing thread."""
        with suppress(BlockingIOError):
            while data := os.read(self._read, _CHUNK):
                self.capture.add(data)

    def __exit__(self, *_: object) -> None:
        """Restore both descriptors."""
        for descriptor, saved in self._saved.items():
            os.dup2(saved, descriptor)
            os.close(saved)
        os.close(self._read)
        sys.__stdout__, sys.__stderr__ = self._streams  # type: ignore[misc]
