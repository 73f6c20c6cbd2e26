# SPDX-License-Identifier: Apache-2.0
"""Frames: how a forked process sends its parent texts that no library in it can forge.

A library can write to every descriptor of its process. So each text is a line with a key of its process, which was
drawn before any library was loaded and which is never in an argument, a variable or a file, and with its length.
"""

import os
from collections.abc import Callable, Iterator

_MOST_BYTES = 16 << 20  # bytes of a line; every text is far shorter


def frame(key: bytes, text: bytes) -> bytes:
    """Return the frame of *text*, which has no line feed. It begins with one: a library may have begun a line."""
    return b"\n%s %d %s\n" % (key, len(text), text)


def frame_writer(end: int, key: bytes) -> Callable[[bytes], None]:
    """Return a function that writes a text as a frame. It ends a copy of this process, which a library may fork."""
    ours = os.getpid()

    def write(text: bytes) -> None:
        if os.getpid() != ours:
            os._exit(0)
        os.write(end, frame(key, text))

    return write


class FrameReader:
    """Turns the bytes of a pipe into texts; *refused* counts the lines that are not frames with this *key*."""

    def __init__(self, key: bytes) -> None:
        self.refused = 0
        self._key = key
        self._rest = bytearray()
        self._is_too_long = False

    def texts(self, data: bytes) -> Iterator[bytes]:
        """Yield the texts whose frames end in *data*."""
        for line in self._lines(data):
            key, _, rest = line.partition(b" ")
            length, _, text = rest.partition(b" ")
            if key == self._key and length == b"%d" % len(text):
                yield text
            else:
                self.refused += 1

    def _lines(self, data: bytes) -> list[bytes]:
        """Return the lines that end in *data*; keep the rest, but no more of it than a line may have."""
        *lines, rest = data.split(b"\n")
        if lines:
            lines[0] = b"" if self._is_too_long else bytes(self._rest) + lines[0]
            self._rest.clear()
            self._is_too_long = False
        self._rest += rest
        if len(self._rest) > _MOST_BYTES and not self._is_too_long:
            self._is_too_long = True
            self.refused += 1
        if self._is_too_long:
            self._rest.clear()
        return [line for line in lines if line]
