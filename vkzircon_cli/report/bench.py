# SPDX-License-Identifier: Apache-2.0
"""The bench: what sharing by VMO costs on a device, what copying costs there, and how many times that is.

It is a document of its own, as the matrix is. The JSON form is `to_document` of `BenchReport`.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from vkzircon_cli.checks import Outcome
from vkzircon_cli.checks.registry import describe, sentence_case
from vkzircon_cli.errors import Exit
from vkzircon_cli.model.base import Answer, Missing, MissingKind, record
from vkzircon_cli.model.bench import BenchDevice, Way
from vkzircon_cli.model.host import Environment
from vkzircon_cli.model.quantities import counted, duration, exactly, times
from vkzircon_cli.model.queries import UNNAMED, display_name, find_extension
from vkzircon_cli.model.spec import EXTENSION
from vkzircon_cli.report.report import Emulation, Header, Run, Tool, emulation_of
from vkzircon_cli.report.stop_reason import what_stopped
from vkzircon_cli.report.summary import Summary, outcome_of
from vkzircon_cli.stream.decoding import decode
from vkzircon_cli.stream.events import Culprit, Failure, Transcript

_DEATHS = {MissingKind.CRASHED: Outcome.CRASH, MissingKind.TIMED_OUT: Outcome.TIMEOUT}
MEASURED, NOT_MEASURED = "measured", "not-measured"
OF_EMULATION = (
    "The extension is emulated: these are times of the driver below and of vkzircon's own layer above it. They tell "
    "nothing of a Fuchsia driver."
)
OF_OVERHEAD = "what Python and the clock add to each time of a call; it is not taken off"
OF_HAND_OVER = (
    "By VMO: the calls that get a handle, ask its properties, import it and bind a buffer to it. By copy: memcpy into "
    "a mapped buffer that is there already. Neither has what follows: mapping, or a first touch of the pages. Whether "
    "what is shared is one memory is not looked at here: vkzircon check does."
)


@record
class Saving:
    """One *size* of which both ways were measured, by their medians: copying takes *ratio* times as long as sharing."""

    device: int
    size: int
    share_ns: int
    copy_ns: int
    ratio: float


@record
class BenchReport:
    """Everything that one bench measured; *seconds* is what it was given, and the *summary* counts measurements.

    *notes* say what the numbers are of, for whoever reads them out of a file.
    """

    schema_version: str
    tool: Tool
    summary: Summary
    error: Failure | None
    emulation: Emulation
    environment: Environment
    seconds: float
    notes: tuple[str, ...]
    devices: tuple[BenchDevice, ...]
    savings: tuple[Saving, ...]
    run: Run
    culprits: tuple[Culprit, ...] = ()

    @property
    def exit_code(self) -> Exit:
        """Give the exit code that the bench comes to."""
        return Exit(self.summary.exit_code)

    @property
    def measured(self) -> tuple[BenchDevice, ...]:
        """Give the devices that were measured, or were about to be."""
        return tuple(device for device in self.devices if offers(device))


def make_bench(transcript: Transcript, devices: tuple[BenchDevice, ...], seconds: float) -> BenchReport:
    """Sum up a transcript that has its header, and what it says of the *devices*."""
    header: Header = decode(Header, transcript.header)
    failure = what_stopped(transcript, header.environment, header.emulation.asked)
    savings = tuple(saving for device in devices for saving in _savings(device))
    emulation = emulation_of(transcript.facts, header.emulation)
    return BenchReport(
        schema_version=header.schema_version,
        tool=header.tool,
        summary=_summary(devices, savings, transcript.facts.closed, failure),
        error=failure,
        emulation=emulation,
        environment=header.environment,
        seconds=seconds,
        notes=((OF_EMULATION,) if emulation.active else ()) + (OF_HAND_OVER,),
        devices=devices,
        savings=savings,
        run=Run(header.started, transcript.ended_ms, transcript.steps, transcript.messages, transcript.output),
        culprits=transcript.culprits,
    )


def offers(device: BenchDevice) -> bool:
    """Tell whether a device lists the extension, as far as it was asked."""
    return device.extensions.value is not None and find_extension(device.extensions.value) is not None


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
    if failure is not None:
        worst = outcome_of(failure)
        return Summary(worst, failure.message, failure.exit_code, counts)
    missing = [each for each in (*_missing(chosen), closed.missing) if each is not None]
    if dead := next((each for each in missing if each.kind in _DEATHS), None):
        return Summary(_DEATHS[dead.kind], f"{sentence_case(describe(dead))}.", Exit.CRASHED, counts)
    able = [device for device in chosen if offers(device)]
    if not able:
        return Summary(Outcome.SKIP, f"{EXTENSION} is not offered by {_names(chosen)}.", Exit.NOT_OFFERED, counts)
    if not savings:
        return Summary(Outcome.FAIL, f"{_names(able)}: {_why_none(able, missing)}.", Exit.FAILED, counts)
    return Summary(Outcome.PASS, f"{_names(able)}: {headline(savings[-1])}.", Exit.OK, counts)


def headline(saving: Saving) -> str:
    """Say in words what sharing saves."""
    size, share, copy = exactly(saving.size), duration(saving.share_ns), duration(saving.copy_ns)
    said = f"sharing {size} takes {share}, copying it {copy}"
    if saving.share_ns > saving.copy_ns:
        return f"{said}: sharing takes {times(saving.share_ns / max(saving.copy_ns, 1))} times as long"
    return f"{said}: {times(saving.ratio)} times as long"


def _measurements(device: BenchDevice) -> Iterator[Answer[Any]]:
    yield from (row.timed for row in device.latencies)
    yield from (row.moved for row in device.bandwidths)
    yield from (row.timed for row in device.hand_overs)


def _missing(devices: Iterable[BenchDevice]) -> Iterator[Missing | None]:
    for device in devices:
        before: tuple[Answer[Any], ...] = (device.identity, device.extensions, device.memory, device.opened)
        after: tuple[Answer[Any], ...] = (device.choice, device.limits, device.overhead)
        yield from (answer.missing for answer in (*before, *after, *_measurements(device), device.closed))


def _why_none(devices: Sequence[BenchDevice], missing: Sequence[Missing]) -> str:
    """Say why nothing was both shared and copied: what the driver refused, or else what was not asked."""
    of_sharing = [row.timed.missing for device in devices for row in device.hand_overs if row.timed.missing]
    refused = [each for each in (*of_sharing, *missing) if each.kind is MissingKind.REFUSED]
    why = next(iter((*refused, *of_sharing, *missing)), None)
    return f"no buffer was shared, since {describe(why)}" if why else "no buffer was shared"


def _names(devices: Sequence[BenchDevice]) -> str:
    if len(devices) != 1:
        return counted(len(devices), "device")
    identity = devices[0].identity.value
    return display_name(identity) if identity else UNNAMED
