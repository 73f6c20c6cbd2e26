# SPDX-License-Identifier: Apache-2.0
"""Reports for tests of HTML pages: real captures, every way in which a run ends, and the largest possible report."""

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import reports
from reports import (
    concluded,
    device,
    emulated,
    good_report,
    identity,
    memory,
    refused,
    result,
    round_trip,
    said,
    stopped,
    with_devices,
    with_variables,
    without_extension,
)

from vkzircon_cli.checks import Outcome
from vkzircon_cli.model.base import Answer, Missing, MissingKind
from vkzircon_cli.model.facts import Device
from vkzircon_cli.model.spec import Named
from vkzircon_cli.model.vmo import Comparison, Image, ImageTrip, Tiling
from vkzircon_cli.report.report import Report
from vkzircon_cli.stream.decoding import decode
from vkzircon_cli.stream.fold import StepTime

_CAPTURES = {path.stem: path for path in (Path(__file__).parent / "golden" / "captures").glob("*.json")}
CRASH = Missing(MissingKind.CRASHED, "vkQueueSubmit", "SIGSEGV", "")
LONG = "W" * 256


def broken_device() -> Device:
    """Make the broken device, with a crash for one image, wrong bytes in another, and a refused import."""
    broken = reports.broken_device()
    wrong = ImageTrip(1, 4096, Comparison(4096, 4096, 0))
    images = (
        Image(Tiling.LINEAR, Named(9, "R8_UNORM"), Answer(wrong)),
        Image(Tiling.OPTIMAL, Named(9, "R8_UNORM"), Answer(None, CRASH)),
    )
    refusal = replace(broken.imports[0], imported=Answer(None, refused("vkAllocateMemory", "VK_ERROR_UNKNOWN")))
    return replace(broken, images=images, imports=(refusal, *broken.imports[1:]))


def failed() -> Report:
    """Make a report that has every outcome."""
    return concluded(
        with_variables(with_devices(good_report(), broken_device()), VK_DRIVER_FILES="/opt/verdant.json"),
        Outcome.FAIL,
        "Verdant X1: failed export.size.",
        1,
        result(Outcome.PASS, "extension.listed", "VK_FUCHSIA_external_memory revision 1 is listed."),
        result(Outcome.INFO, "export.same-koid", "Memory type 2: the two handles have two koids."),
        result(Outcome.SKIP, "capabilities.semaphore", "VK_FUCHSIA_external_semaphore is not listed."),
        result(Outcome.WARN, "export.rights", "Memory types 1, 2: INSPECT is missing."),
        result(Outcome.FAIL, "export.size", "Memory type 1: the VMO has 100 bytes for an allocation of 65536."),
        result(Outcome.CRASH, "data.gpu-fill", "Memory type 1: the driver crashed in vkQueueSubmit (SIGSEGV)."),
    )


def crashed() -> Report:
    """Make the report of a stream that was cut off: its last step has no end."""
    steps = (StepTime("loader", 0.0, 1.25), StepTime("device0/type0/export.plain", 1.5, None))
    report = concluded(
        emulated(with_devices(good_report(), replace(broken_device(), imports=(), data=(), images=()))),
        Outcome.CRASH,
        "The driver crashed in vkGetMemoryZirconHandleFUCHSIA (SIGSEGV).",
        5,
        result(Outcome.CRASH, "export.memory-type", "Memory type 0: the driver crashed."),
    )
    report = said(report, "".join(f"verdant: page fault at {n:#x}\n" for n in range(300)), ["wrong ELF class"], 512)
    return replace(report, run=replace(report.run, steps=steps))


def largest() -> Report:
    """Make a report with 32 memory types, 16 heaps and 400 steps."""
    big = device(has=memory([7] * 32, [1 << 30, *[1 << n for n in range(12, 27)]]))
    rows = [
        replace(row.properties.value, memory_type_bits=0x1FFFFFFFF) for row in big.properties if row.properties.value
    ]
    properties = tuple(replace(row, properties=Answer(found)) for row, found in zip(big.properties, rows, strict=True))
    wrong = tuple(replace(row, round_trip=Answer(round_trip(row.memory_type % 16 * 4099))) for row in big.data)
    report = with_devices(good_report(), replace(big, properties=properties, data=wrong))
    steps = tuple(StepTime(f"device0/type{n % 32}/import.same-device.plain{n}", n, 0.5) for n in range(400))
    return replace(report, run=replace(report.run, steps=steps, duration_ms=400.0))


def crowd() -> Report:
    """Make a report of 12 devices with steps of each: some lack the extension, some are not selected."""
    devices = [device(n, identity(f"Verdant X{n}")) for n in range(12)]
    devices[3:6] = [without_extension(each) for each in devices[3:6]]
    devices[8:] = [replace(each, selected=False) for each in devices[8:]]
    kinds = ("identity", "buffer/x", "type0/export.plain", "type0/import.twice", "type0/data.gpu-fill")
    steps = tuple(StepTime(f"device{n}/{kind}", 10.0 * n, 9.0) for n in range(12) for kind in kinds)
    checks = [result(Outcome.WARN, "device.unique", "Its UUID is not its own.", n) for n in range(8)]
    report = concluded(with_devices(good_report(), *devices), Outcome.WARN, "8 devices share.", 0, *checks)
    return replace(report, run=replace(report.run, steps=steps, duration_ms=120.0))


def unbroken() -> Report:
    """Make a report in which every foreign name is one word of 256 characters."""
    bad = replace(broken_device(), identity=Answer(identity(LONG, info=LONG)))
    report = with_variables(with_devices(emulated(failed()), bad), VK_DRIVER_FILES=LONG * 4)
    return concluded(said(report, LONG, [LONG]), Outcome.FAIL, LONG, 1, result(Outcome.FAIL, f"require {LONG}", LONG))


_MADE = {
    "good": good_report,
    "failed": failed,
    "crashed": crashed,
    "no-driver": lambda: stopped(good_report(), "No Vulkan driver was found.", "Install one for this device."),
    "no-memory": lambda: with_devices(good_report(), replace(without_extension(device()), memory=Answer(None, CRASH))),
    "largest": largest,
    "crowd": crowd,
    "unbroken": unbroken,
}
NAMES = (*_CAPTURES, *_MADE)


@cache
def report_named(name: str) -> Report:
    """Return the report called *name*, one of `NAMES`."""
    if name in _MADE:
        return _MADE[name]()
    report: Report = decode(Report, json.loads(_CAPTURES[name].read_text()))
    return report
