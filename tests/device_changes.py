# SPDX-License-Identifier: Apache-2.0
"""Facts of a device on which every check passes, and changes to them."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import reports

from vkzircon_cli.model.base import Answer, Missing, MissingKind
from vkzircon_cli.model.facts import (
    Device,
    EntryPoint,
    Extension,
    ExternalImage,
    ExternalMemoryProperties,
    ExternalSemaphore,
    Facts,
    OpenDevice,
    Uuids,
)
from vkzircon_cli.model.spec import (
    FEATURE_BITS,
    HANDLE_TYPE_BITS,
    SEMAPHORE_FEATURE_BITS,
    Named,
    flags,
)
from vkzircon_cli.model.vmo import (
    AskedSize,
    Comparison,
    Data,
    Form,
    FreshBytes,
    Handle,
    HandleProperties,
    Image,
    ImageTrip,
    Import,
    ImportKind,
    Negative,
    Outlives,
    OwnVmoProperties,
    Pair,
    PairOfHandles,
    Refusal,
    Release,
    Released,
    RoundTrip,
    Stress,
    Stressed,
    Tiling,
    Trial,
    Write,
)

Change = Callable[[Device], Device]

SAME, HALF = Comparison(64, 0, None), Comparison(64, 32, 32)
RGBA8 = Named(37, "R8G8B8A8_UNORM")
CRASHED = Missing(MissingKind.CRASHED, "vkX", "SIGSEGV", "killed by SIGSEGV")
REFUSED = reports.refused("vkAllocateMemory", "VK_ERROR_OUT_OF_DEVICE_MEMORY")


def good_device(index: int = 0) -> Device:
    """Make a device on which every check passes."""
    made = reports.device(index, reports.identity(uuids=Answer(Uuids(f"{index + 1:08x}-0000", "1"))))
    first, second, other = reports.handle(0), replace(reports.handle(0), value="0x00000107"), reports.handle(1)
    return replace(
        made,
        two_gets=(PairOfHandles(0, Answer(Pair(first, second, Answer(SAME)))),),
        two_exports=(PairOfHandles(0, Answer(Pair(first, other, Answer(SAME)))),),
        through_channel=(PairOfHandles(0, Answer(Pair(first, second, Answer(SAME)))),),
        fresh_bytes=(FreshBytes(0, Answer(SAME)),),
        outlives=(Outlives(0, Answer(SAME)),),
        external_images=(external_image(),),
        external_semaphore=Answer(
            ExternalSemaphore(flags(3, SEMAPHORE_FEATURE_BITS), flags(0x80, ()), flags(0x80, ()))
        ),
        imports=tuple(Import(kind, Form.PLAIN, 0, Answer(reports.imported(0, 7))) for kind in ImportKind),
        releases=(Release(0, Answer(Released(3, 2))),),
        data=(*made.data, *(Data(write, 0, Answer(reports.round_trip())) for write in Write)),
        asked_sizes=(AskedSize(0, 2 << 20, Answer(Trial(2 << 20, ""))),),
        images=(Image(Tiling.LINEAR, RGBA8, Answer(ImageTrip(0, 64, SAME))),),
        stress=tuple(Stress(what, 0, Answer(Stressed(9, 2, 2, 1, 1))) for what in ("imports", "rounds")),
        negative=(
            *(
                Negative("garbage", call, Answer(Refusal("VK_ERROR_INVALID_EXTERNAL_HANDLE", True)))
                for call in ("vkAllocateMemory", "vkGetMemoryZirconHandlePropertiesFUCHSIA")
            ),
            Negative("no-type", "vkAllocateMemory", Answer(Refusal("VK_SUCCESS", True))),
            Negative("no-export", "vkGetMemoryZirconHandleFUCHSIA", Answer(Refusal("VK_ERROR_UNKNOWN", None))),
        ),
    )


def external_image() -> ExternalImage:
    """Make the answer for an image that can be shared."""
    zircon = flags(0x800, HANDLE_TYPE_BITS)
    found = ExternalMemoryProperties(flags(6, FEATURE_BITS), zircon, zircon, written=True, header_kept=True)
    return ExternalImage(RGBA8, Tiling.LINEAR, flags(3, ()), zircon, Answer(found))


def facts(*devices: Device) -> Facts:
    """Make the facts of a machine with *devices*."""
    good = reports.good_report()
    return Facts(good.loader, good.kernel, good.instance, Answer(len(devices)), devices, Answer(True))


def identity(**changes: Any) -> Change:
    """Change the identity."""
    return lambda device: replace(device, identity=Answer(reports.identity(**changes)))


def extensions(*extensions: Extension) -> Change:
    """List only these extensions."""
    return lambda device: replace(device, extensions=Answer(extensions))


def capabilities(
    features: int = 6, compatible: int = 0x800, *, written: bool = True, header_kept: bool = True
) -> Change:
    """Change the answer for every usage of buffers."""
    found = ExternalMemoryProperties(
        flags(features, FEATURE_BITS),
        flags(0x800, HANDLE_TYPE_BITS),
        flags(compatible, HANDLE_TYPE_BITS),
        written=written,
        header_kept=header_kept,
    )
    return lambda device: replace(
        device, external_buffers=tuple(replace(row, properties=Answer(found)) for row in device.external_buffers)
    )


def handle(**changes: Any) -> Change:
    """Change the first exported handle."""

    def change(device: Device) -> Device:
        first, *others = device.exports
        made: Handle = replace(first.handle.value or reports.handle(0), **changes)
        return replace(device, exports=(replace(first, handle=Answer(made)), *others))

    return change


def basic(**changes: Any) -> Change:
    """Change what the kernel reports about that handle."""
    good = reports.handle(0).basic.value
    assert good is not None
    return handle(basic=Answer(replace(good, **changes)))


def info(**changes: Any) -> Change:
    """Change what the kernel reports about its VMO."""
    good = reports.handle(0).info.value
    assert good is not None
    return handle(info=Answer(replace(good, **changes)))


def refused_export(missing: Missing) -> Change:
    """Refuse the first export."""
    return lambda device: replace(
        device, exports=(replace(device.exports[0], handle=Answer(None, missing)), *device.exports[1:])
    )


def only_dedicated(device: Device) -> Device:
    """Refuse the first plain export, and export dedicated instead."""
    plain = replace(device.exports[0], handle=Answer(None, REFUSED))
    return replace(device, exports=(plain, replace(device.exports[0], form=Form.DEDICATED_BUFFER)))


def import_of(kind: ImportKind) -> Change:
    """Refuse the imports of one kind."""
    return lambda device: replace(
        device,
        imports=tuple(
            replace(row, imported=Answer(None, REFUSED)) if row.kind is kind else row for row in device.imports
        ),
    )


def imported(**changes: Any) -> Change:
    """Change the only import."""
    made = replace(reports.imported(0, 7), **changes)
    return lambda device: replace(device, imports=(replace(device.imports[0], imported=Answer(made)),))


def requires_dedicated(device: Device) -> Device:
    """Require dedicated memory."""
    (row,) = device.requirements
    assert row.needed.value is not None
    return replace(
        device, requirements=(replace(row, needed=Answer(replace(row.needed.value, requires_dedicated=True))),)
    )


def rows(table: str, **changes: Any) -> Change:
    """Change every row of a table of the device."""

    def change(device: Device) -> Device:
        changed: dict[str, Any] = {table: tuple(replace(row, **changes) for row in getattr(device, table))}
        return replace(device, **changed)

    return change


def stressed(**changes: Any) -> Change:
    """Change the results of repeated work."""
    return rows("stress", stressed=Answer(replace(Stressed(9, 2, 2, 1, 1), **changes)))


def refusal(refusal: Answer[Refusal]) -> Change:
    """Change the answer to every wrong input."""
    return rows("negative", refusal=refusal)


def pair(table: str, **changes: Any) -> Change:
    """Change a pair of handles."""

    def change(device: Device) -> Device:
        (row,) = getattr(device, table)
        changed: dict[str, Any] = {table: (replace(row, pair=Answer(replace(row.pair.value, **changes))),)}
        return replace(device, **changed)

    return change


def properties(**changes: Any) -> Change:
    """Change the properties of the first handle."""

    def change(device: Device) -> Device:
        first, *others = device.properties
        good = first.properties.value
        assert good is not None
        made: HandleProperties = replace(good, **changes)
        return replace(device, properties=(replace(first, properties=Answer(made)), *others))

    return change


def refused_properties(result: str) -> Change:
    """Refuse the properties of every handle."""
    missing = reports.refused("vkGetMemoryZirconHandlePropertiesFUCHSIA", result)
    return rows("properties", properties=Answer(None, missing))


def opened(device: Device) -> OpenDevice:
    """Return the open device."""
    assert device.opened.value is not None
    return device.opened.value


def imports(missing: Missing) -> Change:
    """Refuse every import."""
    return rows("imports", imported=Answer(None, missing))


def data(write: Write, seen: Answer[Comparison]) -> Change:
    """Change what is read back after one way to write."""

    def change(device: Device) -> Device:
        trip: RoundTrip = replace(reports.round_trip(), through_vmo_map=seen)
        rows = tuple(replace(row, round_trip=Answer(trip)) if row.write is write else row for row in device.data)
        return replace(device, data=rows)

    return change


def refused_plain(device: Device) -> Device:
    """Refuse plain exports where the same size exports dedicated: of types 0 and 1, of three types."""
    dedicated = tuple(replace(row, form=Form.DEDICATED_BUFFER) for row in device.exports[:2])
    plain = tuple(replace(row, handle=Answer(None, REFUSED)) for row in device.exports[:2])
    return replace(device, exports=(*plain, *dedicated, *device.exports[2:]))


takes_no_type = properties(memory_type_bits=0, memory_types=())


def own_vmo_bits(with_rights: int, without: int) -> Change:
    """Change the answers for a VMO of our own, with rights and without."""
    answers = (OwnVmoProperties("own-vmo", Answer(with_rights)), OwnVmoProperties("no-rights", Answer(without)))
    return lambda device: replace(device, own_vmo_properties=answers)


def images_answer(
    features: int = 6, compatible: int = 0x800, handle_type: int = 0x800, *, written: bool = True, kept: bool = True
) -> Change:
    """Change the answer of the image query, which may be about another handle type."""
    masks = (flags(0x800, HANDLE_TYPE_BITS), flags(compatible, HANDLE_TYPE_BITS))
    found = ExternalMemoryProperties(flags(features, FEATURE_BITS), *masks, written=written, header_kept=kept)
    asked = flags(handle_type, HANDLE_TYPE_BITS)
    return rows("external_images", properties=Answer(found), handle_type=asked)


def images_refused(handle_type: int, result: str = "VK_ERROR_FORMAT_NOT_SUPPORTED") -> Change:
    """Refuse the image query."""
    missing = reports.refused("vkGetPhysicalDeviceImageFormatProperties2", result)
    return rows("external_images", properties=Answer(None, missing), handle_type=flags(handle_type, HANDLE_TYPE_BITS))


def denying(table: str, fact: str, missing: Missing, features: int = 2) -> Change:
    """Report only these *features* of buffers, and miss every answer of *table*."""
    return lambda device: rows(table, **{fact: Answer(None, missing)})(capabilities(features)(device))


HUNG = Missing(MissingKind.TIMED_OUT, "vkX", "", "no answer within 15 s")


def no_entry_point(device: Device) -> Device:
    """Leave only one command, which has no address."""
    return replace(device, opened=Answer(replace(opened(device), entry_points=(EntryPoint("vkX", False),))))
