# SPDX-License-Identifier: Apache-2.0
"""The bench: the cost of sharing by VMO on a device, the cost of copying on it, and the ratio of the two.

The bench is a document of its own, like the matrix.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import KW_ONLY
from typing import Any, Literal

from vkzircon_cli.checks import Outcome
from vkzircon_cli.checks.registry import describe
from vkzircon_cli.errors import Exit
from vkzircon_cli.model.base import Answer, MissingKind, record
from vkzircon_cli.model.bench import BenchDevice, Way
from vkzircon_cli.model.quantities import duration, exactly, times
from vkzircon_cli.model.queries import offers_extension
from vkzircon_cli.model.spec import EXTENSION
from vkzircon_cli.report.report import common_fields
from vkzircon_cli.report.summary import names_of, of_end
from vkzircon_cli.stream.document import Document, Summary
from vkzircon_cli.stream.events import Failure
from vkzircon_cli.stream.fold import Transcript

MEASURED, NOT_MEASURED = "measured", "not-measured"
OF_EMULATION = (
    "The extension is emulated: these are times of the real driver and of vkzircon's own layer above it, and "
    "no measure of a Fuchsia driver."
)
OF_OVERHEAD = "the time that {} and the clock add to each call; it is not subtracted"
OF_HAND_OVER = (
    "By VMO: the calls that get a handle, query its properties, import it and bind a buffer to it. By copy: memcpy to "
    "a mapped buffer that exists already. Neither includes what follows: mapping, or the first access to the pages. "
    "Whether both sides see the same bytes is not tested here: vkzircon check does that."
)


@record
class Saving:
    """The median times to share and to copy *size* bytes; *ratio* is the copy's time divided by the sharing's."""

    device: int
    size: int
    share_ns: int
    copy_ns: int
    ratio: float


@record
class BenchReport(Document):
    """The measurements of one bench; *seconds* is its time limit, and *summary* counts the measurements.

    *notes* explain what the numbers cover, for readers of a saved file.
    """

    _: KW_ONLY
    kind: Literal["bench"] = "bench"
    seconds: float
    notes: tuple[str, ...]
    devices: tuple[BenchDevice, ...]
    savings: tuple[Saving, ...]

    @property
    def measured(self) -> tuple[BenchDevice, ...]:
        """The devices that were measured, or were about to be."""
        return tuple(device for device in self.devices if offers_extension(device))


def make_bench(transcript: Transcript, devices: tuple[BenchDevice, ...], seconds: float) -> BenchReport:
    """Summarize a transcript that has its header, with the measurements of *devices*."""
    common = common_fields(transcript)
    savings = tuple(saving for device in devices for saving in _savings(device))
    return BenchReport(
        **common,
        summary=_summary(devices, savings, transcript.facts.closed, common["error"]),
        seconds=seconds,
        notes=((OF_EMULATION,) if common["emulation"].active else ()) + (OF_HAND_OVER,),
        devices=devices,
        savings=savings,
    )


def _savings(device: BenchDevice) -> Iterator[Saving]:
    medians = {(row.size, row.way): row.timed.value.median_ns for row in device.hand_overs if row.timed.value}
    for size in dict.fromkeys(row.size for row in device.hand_overs):
        share_ns, copy_ns = (medians.get((size, way)) for way in (Way.VMO, Way.COPY))
        if share_ns is not None and copy_ns is not None:
            yield Saving(device.index, size, share_ns, copy_ns, round(copy_ns / max(share_ns, 1), 3))


def _summary(
    devices: Sequence[BenchDevice], savings: Sequence[Saving], closed: Answer[bool], failure: Failure | None
) -> Summary:
    chosen = [device for device in devices if device.selected]
    answers = [answer for device in chosen for answer in _measurements(device)]
    counts = {
        MEASURED: sum(answer.value is not None for answer in answers),
        NOT_MEASURED: sum(answer.value is None for answer in answers),
    }
    asked = [*_asked(chosen), closed]
    if ended := of_end(failure, asked, counts):
        return ended
    able = [device for device in chosen if offers_extension(device)]
    if not able:
        return Summary(Outcome.SKIP, f"{EXTENSION} is not offered by {names_of(chosen)}.", Exit.NOT_OFFERED, counts)
    if not savings:
        return Summary(Outcome.FAIL, f"{names_of(able)}: {_why_none(able, asked)}.", Exit.FAILED, counts)
    return Summary(Outcome.PASS, f"{names_of(able)}: {headline(savings[-1])}.", Exit.OK, counts)


def headline(saving: Saving) -> str:
    """Compare sharing with copying in words."""
    size, share, copy = exactly(saving.size), duration(saving.share_ns), duration(saving.copy_ns)
    if saving.share_ns > saving.copy_ns:
        slower = times(saving.share_ns / max(saving.copy_ns, 1))
        return f"copying {size} takes {copy}, sharing it {share} ({slower}x slower)"
    return f"sharing {size} takes {share}, copying it {copy} ({times(saving.ratio)}x slower)"


def _measurements(device: BenchDevice) -> Iterator[Answer[Any]]:
    yield from (row.timed for row in device.latencies)
    yield from (row.moved for row in device.bandwidths)
    yield from (row.timed for row in device.hand_overs)


def _asked(devices: Iterable[BenchDevice]) -> Iterator[Answer[Any]]:
    for device in devices:
        yield from (device.identity, device.extensions, device.memory, device.opened)
        yield from (device.choice, device.limits, device.overhead)
        yield from (*_measurements(device), device.closed)


def _why_none(devices: Sequence[BenchDevice], asked: Sequence[Answer[Any]]) -> str:
    """Return the reason why no size was both shared and copied: a refusal first, else a question that was skipped."""
    of_sharing = [row.timed for device in devices for row in device.hand_overs]
    missing = [answer.missing for answer in (*of_sharing, *asked) if answer.missing]
    refused = [each for each in missing if each.kind is MissingKind.REFUSED]
    why = next(iter((*refused, *missing)), None)
    return f"no buffer was shared, since {describe(why)}" if why else "no buffer was shared"
