# SPDX-License-Identifier: Apache-2.0
"""The files of a survey: found in folders, by globs or by name, and looked at without an engine.

A plain report is left to the engine. Traces, bundles, compressed files and all other files that `show` reads become
reports here.
"""

import glob
import hashlib
import os
import re
import stat
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path

from vkzircon_cli.errors import Usage
from vkzircon_cli.model.base import record
from vkzircon_cli.model.text import visible
from vkzircon_cli.render.json import render_json
from vkzircon_cli.report.report import Report
from vkzircon_cli.saved.load import MOST_BYTES, ZIP, read_bytes
from vkzircon_cli.stream.document import SCHEMA_VERSION

INDEX = "index.parquet"  # of a folder with exported tables
MOST_REPORT_BYTES = 16 << 20  # the engine needs a buffer of this size for each thread
_GZIP = b"\x1f\x8b"
_HEAD = 400
MAJOR = SCHEMA_VERSION.partition(".")[0]
_PLAIN = re.compile(rb'\s*\{\s*"schema_version":\s*"%s\.\d+"' % MAJOR.encode())
_KIND = re.compile(rb'"kind":\s*"(\w+)"')
_READ_AS_PATTERN = frozenset("*?[{")  # by the engine, in names of files


@record
class File:
    """A file: its absolute path, its size in bytes, its time in ns, and the *problem* if it cannot be read at all."""

    path: str
    size: int
    modified: int
    problem: str = ""


def find(paths: Sequence[str]) -> Iterator[File]:
    """Yield each file once, in the order of names; folders are searched to the bottom, except for exported tables.

    Raises:
        Usage: a path leads to nothing.
    """
    found: dict[str, File] = {}
    for path in paths:
        names = [path] if os.path.lexists(path) else sorted(glob.glob(path, recursive=True))  # noqa: PTH207 # a pathlib pattern is relative
        if not names:
            raise Usage(f'There is no file "{visible(path)}".', "Pass files, folders, or a pattern in quotes.")
        for name in names:
            whole = os.path.normpath(Path(name).absolute())
            found.update((file.path, file) for file in (_below(whole) if Path(whole).is_dir() else [_file(whole)]))
    yield from (found[name] for name in sorted(found))


def _below(folder: str) -> Iterator[File]:
    try:
        with os.scandir(folder) as entries:
            inside = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        yield File(folder, 0, 0, f"cannot be read: {error.strerror}.")
        return
    if any(entry.name == INDEX for entry in inside):
        return
    for entry in inside:
        if entry.is_dir(follow_symlinks=False):
            yield from _below(entry.path)
        else:
            yield _file(entry.path)


def _file(path: str) -> File:
    try:
        status = Path(path).stat()
    except OSError as error:
        return File(path, 0, 0, f"cannot be read: {error.strerror}.")
    if stat.S_ISREG(status.st_mode):
        return File(path, status.st_size, status.st_mtime_ns)
    # A link to a folder may lead back to where it is, and a pipe may never end.
    kind = "is a link to a folder, which is not followed" if stat.S_ISDIR(status.st_mode) else "is not a regular file"
    return File(path, 0, 0, f"{kind}.")


def content_of(file: File) -> bytes:
    """Return the bytes of a file, one more than `MOST_BYTES` at most."""
    with Path(file.path).open("rb") as opened:
        return opened.read(MOST_BYTES + 1)


def digest_of(content: bytes) -> str:
    """Return the hash by which equal contents are found."""
    return hashlib.sha256(content, usedforsecurity=False).hexdigest()


def is_plain(file: File, content: bytes) -> bool:
    """Whether the engine can read a file: a complete report of this major version, and a name that is no pattern."""
    head = content[:_HEAD]
    kind = _KIND.search(head)
    return (
        _PLAIN.match(head) is not None
        and (kind is None or kind[1] == b"report")
        and content[-_HEAD:].rstrip().endswith(b"}")
        and len(content) <= MOST_REPORT_BYTES
        and file.path.isprintable()
        and _READ_AS_PATTERN.isdisjoint(file.path)
    )


def converted(file: File, content: bytes) -> str:
    """Return the report in a file that `show` can read, or in a bundle, or in a compressed one, as JSON.

    Raises:
        Usage: there is no report in it.
    """
    path = Path(file.path)
    document = read_bytes(path, _unpacked(path, content))
    if not isinstance(document, Report):
        raise Usage(f"{visible(file.path)} is a {document.kind}, not a report.")
    text = render_json(document)
    if len(text.encode()) > MOST_REPORT_BYTES:
        raise Usage(f"{visible(file.path)} has a report of more than {MOST_REPORT_BYTES >> 20} MiB.")
    return text


def _unpacked(path: Path, content: bytes) -> bytes:
    if content.startswith(_GZIP):
        try:
            content = zlib.decompressobj(wbits=31).decompress(content, MOST_BYTES + 1)
        except zlib.error as error:
            raise Usage(f"{visible(str(path))} cannot be decompressed: {error}.") from error
    elif content.startswith(ZIP):
        try:
            with zipfile.ZipFile(BytesIO(content)) as archive:
                name = next(name for name in archive.namelist() if name.rpartition("/")[2] == "report.json")
                with archive.open(name) as opened:
                    content = opened.read(MOST_BYTES + 1)
        except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, OSError, EOFError) as error:
            raise Usage(f"{visible(str(path))} cannot be unpacked: {error}.") from error
        except StopIteration:
            raise Usage(f"{visible(str(path))} is a zip without a report.json.") from None
    if len(content) > MOST_BYTES:
        raise Usage(f"{visible(str(path))} is larger than {MOST_BYTES >> 20} MiB, too large for a report.")
    return content


def reason(file: File, error: Usage) -> str:
    """Return why a file is no report, without its name."""
    return error.message.removeprefix(visible(file.path)).lstrip(" ,")
