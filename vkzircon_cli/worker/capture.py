# SPDX-License-Identifier: Apache-2.0
"""What driver and layers print while they are asked: caught, bounded, and kept out of the result."""

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
    """The first `_LIMIT` bytes of what was printed, and how many more there were."""

    kept: bytearray = field(default_factory=bytearray)
    dropped: int = 0

    def add(self, data: bytes) -> None:
        """Take what came."""
        room = _LIMIT - len(self.kept)
        self.kept += data[:room]
        self.dropped += max(0, len(data) - room)

    def event(self) -> Event:
        """Give it as an event; bytes that are not UTF-8 stand as escapes."""
        text, in_hex = decode(bytes(self.kept))
        return {"event": "output", "text": text, "dropped": self.dropped, "text_hex": in_hex}


class OwnOutput:
    """Catches what C code prints in this very process, while Python's own streams go on leading to where they led."""

    def __init__(self) -> None:
        self.capture = Capture()
        self._saved: dict[int, int] = {}
        self._streams = (sys.__stdout__, sys.__stderr__)

    def __enter__(self) -> Self:
        """Put a pipe in the place of standard output and standard error, those of them that are open."""
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
        """Take what was printed since: a full pipe would stop whoever prints."""
        with suppress(BlockingIOError):
            while data := os.read(self._read, _CHUNK):
                self.capture.add(data)

    def __exit__(self, *_: object) -> None:
        """Put back what was there."""
        for descriptor, saved in self._saved.items():
            os.dup2(saved, descriptor)
            os.close(saved)
        os.close(self._read)
        sys.__stdout__, sys.__stderr__ = self._streams  # type: ignore[misc]
