# SPDX-License-Identifier: Apache-2.0
"""Reads what was captured elsewhere: a report, or a trace that may stop anywhere."""

import json
from pathlib import Path
from typing import Any

from vkzircon_cli.errors import Usage
from vkzircon_cli.events import Event, Fold, decode
from vkzircon_cli.report import SCHEMA_VERSION, Report, make_report
from vkzircon_cli.text import visible

_MOST_BYTES = 64 << 20
_WHAT_IT_TAKES = "Give a file that vkzircon wrote with --format json or --format trace."


def read(path: Path) -> Report:
    """Read the report in *path*, or fold the trace in it.

    Raises:
        Usage: it cannot be read, or is neither.
    """
    raw = _bytes(path)
    first, newline, rest = raw.partition(b"\n")
    if _is_header(first):
        return _trace(path, first, rest if newline else b"")
    return _report(path, raw)


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            raw = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise Usage(f"{_shown(path)} cannot be read: {error.strerror}.", _WHAT_IT_TAKES) from error
    if len(raw) > _MOST_BYTES:
        raise Usage(f"{_shown(path)} is larger than {_MOST_BYTES >> 20} MiB, as no report is.", _WHAT_IT_TAKES)
    return raw


def _shown(path: Path) -> str:
    return visible(str(path).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace"))


def _is_header(line: bytes) -> bool:
    event = _parsed(line)
    return isinstance(event, dict) and event.get("event") == "header"


def _parsed(line: bytes) -> Any:
    try:
        return json.loads(line, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


def _trace(path: Path, header: bytes, rest: bytes) -> Report:
    fold = Fold()
    lines = [header, *rest.split(b"\n")]
    for number, line in enumerate(lines, start=1):
        event = _parsed(line)
        is_last = number == len(lines)
        if event is None and (is_last or not line):
            continue  # an event that was cut short, or the end of a whole stream
        try:
            fold.add(_event(event))
        except (KeyError, TypeError, ValueError) as error:
            raise Usage(f"{_shown(path)}, line {number}: this is no event of a trace.", _WHAT_IT_TAKES) from error
    return _judged(path, fold)


def _event(event: Any) -> Event:
    if not isinstance(event, dict) or not isinstance(event.get("event"), str):
        raise TypeError(event)
    return event


def _judged(path: Path, fold: Fold) -> Report:
    try:
        return _known(path, make_report(fold.transcript()))
    except (KeyError, TypeError, ValueError, AttributeError, StopIteration) as error:
        raise Usage(f"{_shown(path)} has events that do not fit together: {error}.", _WHAT_IT_TAKES) from error


def _report(path: Path, raw: bytes) -> Report:
    try:
        document = json.loads(raw, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise Usage(f"{_shown(path)} is not JSON: {error.msg} at {where}.", _WHAT_IT_TAKES) from error
    except (ValueError, RecursionError) as error:
        raise Usage(f"{_shown(path)} is not JSON: {visible(str(error))}.", _WHAT_IT_TAKES) from error
    if not isinstance(document, dict) or not isinstance(document.get("schema_version"), str):
        raise Usage(f"{_shown(path)} is JSON, but not a report of vkzircon.", _WHAT_IT_TAKES)
    if "handle_type" in document:
        raise Usage(f"{_shown(path)} is a matrix, which cannot be shown again.", _WHAT_IT_TAKES)
    _check_version(path, document["schema_version"])
    try:
        report: Report = decode(Report, document)
    except (KeyError, TypeError, ValueError, AttributeError, StopIteration) as error:
        raise Usage(f"{_shown(path)} is not a whole report: {visible(str(error))}.", _WHAT_IT_TAKES) from error
    return report


def _known(path: Path, report: Report) -> Report:
    _check_version(path, report.schema_version)
    return report


def _check_version(path: Path, version: str) -> None:
    if version.split(".", maxsplit=1)[0] != SCHEMA_VERSION.split(".")[0]:
        said = f"{_shown(path)} has schema version {visible(version)[:20]}; this vkzircon reads {SCHEMA_VERSION}."
        raise Usage(said, "Use the vkzircon that wrote it, or a newer one.")
