# SPDX-License-Identifier: Apache-2.0
"""Reads a saved report, matrix or bench, or a trace, which may be incomplete."""

import io
import json
import math
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

from vkzircon_cli.errors import ERROR_EXITS, Exit, Usage
from vkzircon_cli.model.base import Milliseconds, record
from vkzircon_cli.model.quantities import counted
from vkzircon_cli.model.text import visible
from vkzircon_cli.report.bench import BenchReport
from vkzircon_cli.report.matrix import MatrixReport
from vkzircon_cli.report.report import Report, make_report
from vkzircon_cli.saved.schema import parse
from vkzircon_cli.stream.decoding import decode
from vkzircon_cli.stream.document import SCHEMA_VERSION, Document, Header
from vkzircon_cli.stream.events import Event, own_message
from vkzircon_cli.stream.fold import Fold

MOST_BYTES = 64 << 20  # a trace of 2,000 devices has 16 MB
_WHAT_IT_TAKES = (
    "Pass a file that vkzircon report, check or devices wrote with --format json or --format trace, or that vkzircon "
    "matrix or bench wrote with --format json."
)
_BEGINNING = re.compile(rb'^\{"event": ?"header"', re.MULTILINE)
_STANDARD_INPUT = Path("-")
_MOST_VALUES = 2_000_000  # twice as many as in that trace; in each text, secrets are searched for
_MOST_WORDS = 300
_OF_A_RUN = ("header", "begin", "end", "done")  # the kinds of events that only a run of ours has
ZIP = b"PK\x03\x04"
# Documents besides reports that can be read: the class, and the key that identifies one of schema 1.3 or older.
_READ: dict[str, tuple[type[Any], str]] = {"matrix": (MatrixReport, "handle_type"), "bench": (BenchReport, "savings")}
# Our other documents by kind: the name in an error, and the same key.
_OTHERS = {
    "explain": ("an explanation", "explanations"),
    "diff": ("a difference of two documents", "areas"),
    "doctor": ("a diagnosis", "findings"),
    "survey": ("a survey", "question"),
}


def read(path: Path) -> Any:
    """Read the `Report`, `MatrixReport` or `BenchReport` in *path*, or fold the trace in it to a `Report`.

    ``-`` is standard input. Lines of other programs in a trace are left out, and a message in the report counts them.

    Raises:
        Usage: the file cannot be read, or is neither.
    """
    try:
        return _read(path)
    except MemoryError:
        pass  # what was read is freed before the message is made
    raise _unfit(path, " needs more memory than this process may have (ulimit -v)")


def _read(path: Path) -> Any:
    raw = _bytes(path)
    if raw.startswith(ZIP):
        raise _unfit(path, " is a zip, as vkzircon bundle writes them: unzip it, and pass the report.json in it")
    return read_bytes(path, raw)


def read_bytes(path: Path, raw: bytes) -> Any:
    """Read the document or trace in *raw*, the content of *path*, as `read` does."""
    if not raw.strip():
        raise _unfit(path, " is empty")
    header = _header(path, raw)
    if header is None:
        return _document(path, raw)
    _check_version(path, str(header.get("schema_version", "?")))
    return _trace(path, io.BytesIO(raw))


def _header(path: Path, raw: bytes) -> Event | None:
    """Return the header of a trace, which may come after lines of other programs; None if *raw* is not a trace."""
    beginning = _BEGINNING.search(raw)
    line, newline, _ = raw[beginning.start() if beginning else 0 :].partition(b"\n")
    header = _parsed(line)
    if beginning and header is None and not newline:
        raise _unfit(path, " is a trace that was cut off in its first line, so it contains no step")
    return header if _is_event(header) and header["event"] == "header" else None


def _bytes(path: Path) -> bytes:
    try:
        with open(0, "rb", closefd=False) if path == _STANDARD_INPUT else path.open("rb") as file:
            raw = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise _unfit(path, f" cannot be read: {error.strerror}") from error
    if len(raw) > MOST_BYTES:
        raise _unfit(path, f" is larger than {MOST_BYTES >> 20} MiB, too large for a report")
    if raw.count(b",") > _MOST_VALUES:
        raise _unfit(path, f" has more than {_MOST_VALUES:,} values, too many for a report")
    return raw


def _unfit(path: Path, why: str) -> Usage:
    name = "Standard input" if path == _STANDARD_INPUT else visible(str(path))
    return Usage(f"{name}{visible(why)[:_MOST_WORDS]}.", _WHAT_IT_TAKES)


def _parsed(line: bytes) -> Any:
    try:
        return _loads(line)
    except (ValueError, RecursionError):
        return None


def _loads(text: str | bytes) -> Any:
    return json.loads(text, parse_constant=_refuse, parse_float=_finite)


def _refuse(number: str) -> Any:
    raise ValueError(f"{number} is not JSON")


def _finite(number: str) -> float:
    return float(number) if math.isfinite(float(number)) else _refuse(f"{number[:20]}, an infinite number,")


@record
class _Unread:
    """The fields of an event that the fold takes as they are."""

    step: str = ""
    fact: str = ""
    device: int | None = None
    devices: tuple[int, ...] = ()
    ms: Milliseconds = 0.0


def _trace(path: Path, lines: Iterable[bytes]) -> Report:
    """Fold *lines*. The fold decodes answers and messages; it takes the fields of `_Unread` as they are.

    The steps of a second run, behind the first one in the file, would replace those of the first: a file has one run.
    """
    fold, foreign, has_begun = Fold(), 0, False
    for number, line in enumerate(lines, start=1):
        event = _parsed(line)
        if event is None and not line.endswith(b"\n"):
            fold.is_broken_off = True  # a truncated event, at the end
        elif not _is_event(event):
            foreign += bool(line.strip())
        elif has_begun and event["event"] == "header":
            raise _unfit(path, f", line {number}: the trace of another run begins here; pass a file with one run")
        else:
            has_begun = has_begun or event["event"] in _OF_A_RUN
            try:
                decode(_Unread, event)
                fold.add(event)
            except (KeyError, TypeError, ValueError) as error:
                raise _unfit(path, f", line {number}: this is not an event of a trace") from error
    if foreign:
        fold.add(own_message("warning", f"vkzircon ignored {counted(foreign, 'line')} of other programs in the trace."))
    return _judged(path, fold)


def _is_event(event: Any) -> bool:
    return isinstance(event, dict) and isinstance(event.get("event"), str)


def _judged(path: Path, fold: Fold) -> Report:
    try:
        transcript = fold.transcript()
        parse(Header, json.dumps(transcript.header))
        return _ended(make_report(transcript))
    except Usage:
        raise  # an unknown version, or an unknown condition
    except (KeyError, TypeError, ValueError, AttributeError, StopIteration, RecursionError) as error:
        raise _unfit(path, f" has events that do not fit together: {error}") from error


def _document(path: Path, raw: bytes) -> Any:
    try:
        text = raw.decode(json.detect_encoding(raw))
        document = _loads(text)
    except json.JSONDecodeError as error:
        raise _unfit(path, f" is not JSON: {error.msg} at line {error.lineno}, column {error.colno}") from error
    except RecursionError as error:
        raise _unfit(path, " is nested too deeply for a report") from error
    except ValueError as error:
        raise _unfit(path, f" is not JSON: {error}") from error
    kind = _kind_of(path, document)
    shape, _ = _READ.get(kind, (Report, ""))
    if not document.keys() <= shape.__dataclass_fields__.keys():  # each error of pydantic would copy unknown keys
        text = json.dumps({name: document[name] for name in shape.__dataclass_fields__ if name in document})
    del document  # it needs more memory than the report
    try:
        return _ended(parse(shape, text))
    except ValueError as error:
        raise _unfit(path, f" is not a complete {kind if kind in _READ else 'report'}: {error}") from error


Ended = TypeVar("Ended", bound=Document)


def _ended(report: Ended) -> Ended:
    """Return *report* if its exit code is one of ours, and that of its error where it has one."""
    code, error = report.summary.exit_code, report.error
    if code not in set(Exit):
        raise ValueError(f"summary.exit_code: {code} is not an exit code of vkzircon")
    if error is not None and (error.exit_code not in ERROR_EXITS or error.exit_code != code):
        raise ValueError(f"error.exit_code: {error.exit_code}, where the report ends with {code}")
    return report


def _kind_of(path: Path, document: Any) -> str:
    """Return the kind of a document that can be read, and refuse others."""
    version = document.get("schema_version") if isinstance(document, dict) else None
    if isinstance(version, int) and not isinstance(version, bool):  # a later version may be a number
        _check_version(path, str(version))
    if not isinstance(version, str):
        raise _unfit(path, " is JSON, but not a report of vkzircon")
    keys = [(kind, key) for kinds in (_READ, _OTHERS) for kind, (_, key) in kinds.items()]
    kind = str(document.get("kind") or next((kind for kind, key in keys if key in document), "report"))
    if kind in _OTHERS:
        raise _unfit(path, f" is {_OTHERS[kind][0]}, not a report")
    _check_version(path, version)
    return kind


def _check_version(path: Path, version: str) -> None:
    if version.split(".", maxsplit=1)[0] != SCHEMA_VERSION.split(".")[0]:
        unfit = _unfit(path, f" has schema version {version[:20]}; this vkzircon reads {SCHEMA_VERSION}")
        raise Usage(unfit.message, "Use the vkzircon that wrote it, or a newer one.")
