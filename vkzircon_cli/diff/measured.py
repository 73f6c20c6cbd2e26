# SPDX-License-Identifier: Apache-2.0
"""Compares what only a matrix or a bench has: cells of a matrix by usage, tiling and format, and figures of a bench."""

from collections.abc import Iterator, Mapping
from typing import Any

from vkzircon_cli.checks.registry import describe
from vkzircon_cli.diff.differ import Mismatch
from vkzircon_cli.diff.labels import FactPath, RowLabel, Table
from vkzircon_cli.diff.model import Area, ChangeKind
from vkzircon_cli.model.base import Answer, MissingKind
from vkzircon_cli.model.bench import BenchDevice
from vkzircon_cli.model.matrix import MatrixDevice, Support
from vkzircon_cli.model.quantities import about, duration, exactly, times

# A figure that changes by less is noise.
LEAST_RATIO = 1.5
_BUFFER, _IMAGE = Table("buffer", (), ""), Table("image format", ("format",), "")
_FORMAT_NOT_SUPPORTED = "VK_ERROR_FORMAT_NOT_SUPPORTED"


def cells(before: MatrixDevice, after: MatrixDevice, path: FactPath) -> Iterator[Mismatch]:
    """Yield the cells of a matrix that differ; a format that one of them did not ask for makes no difference."""
    buffers = RowLabel(_BUFFER, (), None)
    yield from _answers(before.buffers, after.buffers, path.into(MatrixDevice, "buffers").at(buffers, ""))
    was, now = ({image.format.value: image for image in device.image_formats} for device in (before, after))
    for value in was:
        if value in now:
            name = was[value].format.name
            here = path.into(MatrixDevice, "image_formats").at(RowLabel(_IMAGE, (name,), None), name)
            yield from _answers(was[value].answers, now[value].answers, here)


Supports = Answer[tuple[Support, ...]]
# The result, '' if it is a success, and the features.
Cell = tuple[str, frozenset[str]]


def _answers(before: Supports, after: Supports, path: FactPath) -> Iterator[Mismatch]:
    if before.value is None or after.value is None:
        yield from _unanswered(before, after, path.labelled("answer", Area.SHARING))
        return
    was, now = _by_usage(before.value), _by_usage(after.value)
    for usage in was:
        here = path.labelled(usage, Area.SHARING)
        if usage in now and was[usage] != now[usage]:
            yield Mismatch(here, _direction(was[usage], now[usage]), _features(was[usage]), _features(now[usage]))


def _unanswered(before: Answer[Any], after: Answer[Any], path: FactPath) -> Iterator[Mismatch]:
    """Yield a mismatch if an answer is missing, unless one side did not ask the question."""
    kinds = {each.missing.kind for each in (before, after) if each.missing}
    if before.missing != after.missing and MissingKind.NOT_ASKED not in kinds:
        was, now = (describe(each.missing) if each.missing else "an answer" for each in (before, after))
        yield Mismatch(path, ChangeKind.CHANGED, was, now)


def _by_usage(supports: tuple[Support, ...]) -> dict[str, Cell]:
    """Return the cell of each tiling, usage and create flag."""
    return {
        " ".join(filter(None, (support.tiling, usage, support.create_flag and f"with {support.create_flag}"))): _cell(
            support
        )
        for support in supports
        for usage in support.usages
    }


def _cell(support: Support) -> Cell:
    found = support.properties
    if found is None:
        return ("" if support.result == _FORMAT_NOT_SUPPORTED else support.result or ""), frozenset()
    return "" if found.written else "nothing was written", frozenset(found.features.names if found.written else ())


def _features(cell: Cell) -> str:
    result, features = cell
    return "|".join(sorted(features)) or result or "not supported"


def _direction(before: Cell, after: Cell) -> ChangeKind:
    """Return whether features were only lost or only gained; DEDICATED_ONLY is a condition, not a gain."""
    was, now = (cell[1] - {"DEDICATED_ONLY"} for cell in (before, after))
    if was == now:
        return ChangeKind.CHANGED
    return ChangeKind.WORSE if now < was else ChangeKind.BETTER if now > was else ChangeKind.CHANGED


def figures(before: BenchDevice, after: BenchDevice, path: FactPath) -> Iterator[Mismatch]:
    """Yield the figures of a bench that differ by at least `LEAST_RATIO`; a time is better if it is shorter."""
    of_before, of_after = _figures(before), _figures(after)
    for name, (field, was) in of_before.items():
        if name not in of_after:
            continue  # another --size or --device
        here = path.into(BenchDevice, field).labelled(name, Area.FIGURES)
        now = of_after[name][1]
        if was.value is None or now.value is None:
            yield from _unanswered(was, now, here)
        else:
            yield from _figure(was.value, now.value, here)


def _figures(device: BenchDevice) -> Mapping[str, tuple[str, Answer[Any]]]:
    found: dict[str, tuple[str, Answer[Any]]] = {row.call: ("latencies", row.timed) for row in device.latencies}
    found |= {f"{row.move}, {row.place} memory": ("bandwidths", row.moved) for row in device.bandwidths}
    return found | {f"{exactly(row.size)} by {row.way}": ("hand_overs", row.timed) for row in device.hand_overs}


def _figure(before: Any, after: Any, path: FactPath) -> Iterator[Mismatch]:
    """Compare two timings or two speeds."""
    slower = _cost(after) / _cost(before)
    if 1 / LEAST_RATIO < slower < LEAST_RATIO:
        return
    kind = ChangeKind.WORSE if slower > 1 else ChangeKind.BETTER
    word = f"{times(slower)}x slower" if slower > 1 else f"{times(1 / slower)}x faster"
    yield Mismatch(path, kind, _said(before), f"{_said(after)} ({word})")


def _cost(figure: Any) -> float:
    """Return the nanoseconds of a round, or of a byte where bytes are moved."""
    speed = getattr(figure, "bytes_per_second", None)
    return float(max(figure.median_ns, 1) if speed is None else 1 / max(speed, 1))


def _said(figure: Any) -> str:
    speed = getattr(figure, "bytes_per_second", None)
    return duration(figure.median_ns) if speed is None else f"{about(speed)}/s"
