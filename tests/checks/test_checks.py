# SPDX-License-Identifier: Apache-2.0
"""Every check, on facts made in memory: it passes on good ones, and one change of the facts makes it say so."""

from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

import pytest
import reports

from vkzircon_cli.checks import REGISTRY, Outcome, in_order
from vkzircon_cli.checks.registry import GROUPS, PRACTICE, RowResult, fold
from vkzircon_cli.model.base import Answer, Missing, MissingKind, not_asked
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
    BUFFER_USAGE_BITS,
    CACHE_POLICIES,
    FEATURE_BITS,
    HANDLE_TYPE_BITS,
    RIGHT_BITS,
    SEMAPHORE_FEATURE_BITS,
    VMO_BITS,
    Named,
    api_version,
    flags,
    named,
)
from vkzircon_cli.model.vmo import (
    VMO_KINDS,
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
    ResourceKind,
    RoundTrip,
    Stress,
    Stressed,
    Tiling,
    Trial,
    Write,
)
from vkzircon_cli.stream.fold import fold as fold_events

T = TypeVar("T")
Change = Callable[[Device], Device]

SAME, HALF = Comparison(64, 0, None), Comparison(64, 32, 32)
RGBA8 = Named(37, "R8G8B8A8_UNORM")
CRASHED = Missing(MissingKind.CRASHED, "vkX", "SIGSEGV", "killed by SIGSEGV")
REFUSED = reports.refused("vkAllocateMemory", "VK_ERROR_OUT_OF_DEVICE_MEMORY")


def _good_device(index: int = 0) -> Device:
    made = reports.device(index, reports.identity(uuids=Answer(Uuids(f"{index + 1:08x}-0000", "1"))))
    first, second, other = reports.handle(0), replace(reports.handle(0), value="0x00000107"), reports.handle(1)
    return replace(
        made,
        two_gets=(PairOfHandles(0, Answer(Pair(first, second, Answer(SAME)))),),
        two_exports=(PairOfHandles(0, Answer(Pair(first, other, Answer(SAME)))),),
        through_channel=(PairOfHandles(0, Answer(Pair(first, second, Answer(SAME)))),),
        fresh_bytes=(FreshBytes(0, Answer(SAME)),),
        outlives=(Outlives(0, Answer(SAME)),),
        external_images=(_external_image(),),
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


def _external_image() -> ExternalImage:
    zircon = flags(0x800, HANDLE_TYPE_BITS)
    found = ExternalMemoryProperties(flags(6, FEATURE_BITS), zircon, zircon, written=True, header_kept=True)
    return ExternalImage(RGBA8, Tiling.LINEAR, flags(3, ()), zircon, Answer(found))


def _facts(*devices: Device) -> Facts:
    good = reports.good_report()
    return Facts(good.loader, good.kernel, good.instance, Answer(len(devices)), devices, Answer(True))


def _identity(**changes: Any) -> Change:
    return lambda device: replace(device, identity=Answer(reports.identity(**changes)))


def _extensions(*extensions: Extension) -> Change:
    return lambda device: replace(device, extensions=Answer(extensions))


def _capabilities(
    features: int = 6, compatible: int = 0x800, *, written: bool = True, header_kept: bool = True
) -> Change:
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


def _handle(**changes: Any) -> Change:
    def change(device: Device) -> Device:
        first, *others = device.exports
        made: Handle = replace(first.handle.value or reports.handle(0), **changes)
        return replace(device, exports=(replace(first, handle=Answer(made)), *others))

    return change


def _basic(**changes: Any) -> Change:
    good = reports.handle(0).basic.value
    assert good is not None
    return _handle(basic=Answer(replace(good, **changes)))


def _info(**changes: Any) -> Change:
    good = reports.handle(0).info.value
    assert good is not None
    return _handle(info=Answer(replace(good, **changes)))


def _refused_export(missing: Missing) -> Change:
    return lambda device: replace(
        device, exports=(replace(device.exports[0], handle=Answer(None, missing)), *device.exports[1:])
    )


def _only_dedicated(device: Device) -> Device:
    plain = replace(device.exports[0], handle=Answer(None, REFUSED))
    return replace(device, exports=(plain, replace(device.exports[0], form=Form.DEDICATED_BUFFER)))


def _import_of(kind: ImportKind) -> Change:
    return lambda device: replace(
        device,
        imports=tuple(
            replace(row, imported=Answer(None, REFUSED)) if row.kind is kind else row for row in device.imports
        ),
    )


def _imported(**changes: Any) -> Change:
    made = replace(reports.imported(0, 7), **changes)
    return lambda device: replace(device, imports=(replace(device.imports[0], imported=Answer(made)),))


def _requires_dedicated(device: Device) -> Device:
    (row,) = device.requirements
    assert row.needed.value is not None
    return replace(
        device, requirements=(replace(row, needed=Answer(replace(row.needed.value, requires_dedicated=True))),)
    )


def _rows(table: str, **changes: Any) -> Change:
    """Change every row of a table of the device."""

    def change(device: Device) -> Device:
        changed: dict[str, Any] = {table: tuple(replace(row, **changes) for row in getattr(device, table))}
        return replace(device, **changed)

    return change


def _stressed(**changes: Any) -> Change:
    return _rows("stress", stressed=Answer(replace(Stressed(9, 2, 2, 1, 1), **changes)))


def _refusal(refusal: Answer[Refusal]) -> Change:
    return _rows("negative", refusal=refusal)


def _pair(table: str, **changes: Any) -> Change:
    def change(device: Device) -> Device:
        (row,) = getattr(device, table)
        changed: dict[str, Any] = {table: (replace(row, pair=Answer(replace(row.pair.value, **changes))),)}
        return replace(device, **changed)

    return change


def _properties(**changes: Any) -> Change:
    def change(device: Device) -> Device:
        first, *others = device.properties
        good = first.properties.value
        assert good is not None
        made: HandleProperties = replace(good, **changes)
        return replace(device, properties=(replace(first, properties=Answer(made)), *others))

    return change


def _refused_properties(result: str) -> Change:
    missing = reports.refused("vkGetMemoryZirconHandlePropertiesFUCHSIA", result)
    return _rows("properties", properties=Answer(None, missing))


def _opened(device: Device) -> OpenDevice:
    assert device.opened.value is not None
    return device.opened.value


def _imports(missing: Missing) -> Change:
    return _rows("imports", imported=Answer(None, missing))


def _data(write: Write, seen: Answer[Comparison]) -> Change:
    def change(device: Device) -> Device:
        trip: RoundTrip = replace(reports.round_trip(), through_vmo_map=seen)
        rows = tuple(replace(row, round_trip=Answer(trip)) if row.write is write else row for row in device.data)
        return replace(device, data=rows)

    return change


def _refused_plain(device: Device) -> Device:
    """Refuse plain exports where the same size exports dedicated: of types 0 and 1, of three types."""
    dedicated = tuple(replace(row, form=Form.DEDICATED_BUFFER) for row in device.exports[:2])
    plain = tuple(replace(row, handle=Answer(None, REFUSED)) for row in device.exports[:2])
    return replace(device, exports=(*plain, *dedicated, *device.exports[2:]))


_takes_no_type = _properties(memory_type_bits=0, memory_types=())


def _own_vmo_bits(with_rights: int, without: int) -> Change:
    answers = (OwnVmoProperties("own-vmo", Answer(with_rights)), OwnVmoProperties("no-rights", Answer(without)))
    return lambda device: replace(device, own_vmo_properties=answers)


_KINDS = [kind for kind in ImportKind if kind is not ImportKind.OWN_VMO_EXACT]  # a row of import.own-vmo
_REFUSED_IMPORTS = {
    ImportKind.OTHER_DEVICE: Outcome.INFO,
    ImportKind.OWN_VMO: Outcome.WARN,
    ImportKind.WHOLE_SIZE: Outcome.WARN,
}

# check id -> (change of the facts, outcome that follows, words in the sentence)
BROKEN: dict[str, tuple[Change, Outcome, str]] = {
    "extension.listed": (_extensions(Extension("VK_KHR_x", 1)), Outcome.SKIP, "not among the device's 1 extensions"),
    "extension.revision": (_extensions(Extension("VK_FUCHSIA_external_memory", 99)), Outcome.INFO, "revision 99"),
    "extension.dependencies": (
        lambda d: _extensions(Extension("VK_FUCHSIA_external_memory", 1))(
            _identity(api_version=api_version(1 << 22 | 61))(d)
        ),
        Outcome.FAIL,
        "Vulkan 1.0.61 and neither extension",
    ),
    "extension.entry-points": (
        lambda d: replace(d, opened=Answer(replace(_opened(d), entry_points=(EntryPoint("vkX", False),)))),
        Outcome.FAIL,
        "vkX: advertised, but vkGetDeviceProcAddr returns NULL",
    ),
    "device.hardware": (_identity(kind=4), Outcome.WARN, "only software devices"),
    "device.unique": (_identity(uuids=Answer(Uuids("00000002-0000", "1"))), Outcome.WARN, "again as device 1"),
    "device.opens": (lambda d: replace(d, opened=Answer(None, CRASHED)), Outcome.CRASH, "crashed in vkX (SIGSEGV)"),
    "device.closes": (lambda d: replace(d, closed=Answer(None, CRASHED)), Outcome.CRASH, "vkDestroyDevice"),
    "capabilities.offered": (
        _capabilities(features=0),
        Outcome.WARN,
        "the later steps were tried nevertheless; but images are EXPORTABLE IMPORTABLE",
    ),
    "capabilities.compatible": (_capabilities(compatible=1), Outcome.FAIL, "OPAQUE_FD, without ZIRCON_VMO"),
    "capabilities.well-formed": (_capabilities(written=False), Outcome.FAIL, "nothing was written"),
    "capabilities.agree-export": (_capabilities(features=4), Outcome.WARN, "reports no export, but export works"),
    "capabilities.agree-import": (_imports(REFUSED), Outcome.FAIL, "reports import, but none works"),
    "export.memory-type": (_refused_export(REFUSED), Outcome.FAIL, "VK_ERROR_OUT_OF_DEVICE_MEMORY"),
    "export.result-codes": (
        _refused_export(reports.refused("vkGetMemoryZirconHandleFUCHSIA", "VK_ERROR_INITIALIZATION_FAILED")),
        Outcome.WARN,
        "which is not listed for it",
    ),
    "export.handle-given": (_handle(value="0x00000000"), Outcome.FAIL, "ZX_HANDLE_INVALID"),
    "export.handle-shape": (_handle(value="0x00000014"), Outcome.FAIL, "low bits are not 11"),
    "export.handle-is-vmo": (_basic(type=named(5, {5: "event"})), Outcome.FAIL, "an event, not a VMO"),
    "export.rights": (_basic(rights=flags(0xC, RIGHT_BITS)), Outcome.WARN, "lacks MAP, DUPLICATE, TRANSFER"),
    "export.size": (_handle(size=Answer(100)), Outcome.FAIL, "100 bytes for an allocation of 65536"),
    "export.whole-pages": (_handle(size=Answer(65537)), Outcome.WARN, "65537 bytes are not a multiple of 4096"),
    "export.fixed-size": (_info(flags=flags(3, VMO_BITS)), Outcome.WARN, "RESIZABLE"),
    "export.ordinary": (_info(flags=flags(0x81, VMO_BITS)), Outcome.WARN, "DISCARDABLE: the kernel may discard"),
    "export.two-gets-distinct": (_pair("two_gets", second=reports.handle(0)), Outcome.FAIL, "the same number"),
    "export.two-gets-share": (_pair("two_gets", seen=Answer(HALF)), Outcome.FAIL, "32 of 64 bytes differ"),
    "export.same-koid": (_pair("two_gets", second=reports.handle(1)), Outcome.INFO, "two koids"),
    "export.two-exports-apart": (_pair("two_exports", seen=Answer(HALF)), Outcome.FAIL, "32 of 64 bytes changed"),
    "export.survives-channel": (
        _pair("through_channel", second=reports.handle(1)),
        Outcome.FAIL,
        "a handle to another object",
    ),
    "export.fresh-zeros": (_rows("fresh_bytes", zeros=Answer(HALF)), Outcome.WARN, "32 of 64 bytes hold old data"),
    "export.outlives": (_rows("outlives", kept=Answer(HALF)), Outcome.WARN, "32 of 64 bytes changed"),
    "properties.succeeds": (_refused_properties("VK_ERROR_UNKNOWN"), Outcome.FAIL, "returned VK_ERROR_UNKNOWN"),
    "properties.result-codes": (_refused_properties("VK_NOT_READY"), Outcome.WARN, "which is not listed"),
    "properties.written": (_properties(written=False), Outcome.FAIL, "memoryTypeBits was not written"),
    "properties.bits-set": (_takes_no_type, Outcome.FAIL, "no memory type takes"),
    "properties.bits-in-range": (
        _properties(memory_type_bits=0x80000001, memory_types=(0, 31)),
        Outcome.FAIL,
        "0x80000001 names type 31, and there are 3 types",
    ),
    "properties.exporting-type": (_properties(memory_type_bits=2, memory_types=(1,)), Outcome.WARN, "not among"),
    "properties.duplicate-agrees": (_properties(duplicate_bits=Answer(1)), Outcome.FAIL, "0x1, the handle 0x7"),
    "properties.own-vmo": (_own_vmo_bits(0, 0), Outcome.WARN, "a new VMO: memoryTypeBits is 0x0"),
    "properties.handle-kept": (_properties(handle_valid=Answer(False)), Outcome.FAIL, "gone after the call"),
    "capabilities.dedicated": (_requires_dedicated, Outcome.FAIL, "DEDICATED_ONLY is not reported, and required"),
    "capabilities.images": (_rows("images", trip=Answer(None, REFUSED)), Outcome.FAIL, "VK_ERROR_OUT_OF_DEVICE_MEMORY"),
    "capabilities.semaphore": (
        lambda d: replace(d, external_semaphore=Answer(ExternalSemaphore(flags(0, ()), flags(0, ()), flags(0, ())))),
        Outcome.WARN,
        "ZIRCON_EVENT semaphores: nothing",
    ),
    "export.form": (_only_dedicated, Outcome.INFO, "only dedicated-buffer exports work"),
    **{
        f"import.{kind}": (
            _import_of(kind),
            _REFUSED_IMPORTS.get(kind, Outcome.FAIL),
            "VK_ERROR_OUT_OF_DEVICE_MEMORY",
        )
        for kind in _KINDS
    },
    "import.contents-kept": (_imported(kept=Answer(HALF)), Outcome.FAIL, "32 of 64 bytes changed"),
    "import.shares": (_imported(shared=Answer(HALF)), Outcome.FAIL, "not seen on another side"),
    "import.releases-handle": (
        _rows("releases", released=Answer(Released(3, 3))),
        Outcome.FAIL,
        "3 handles after the import was freed, and 2 are right",
    ),
    "data.host-write-import": (_data(Write.IMPORT_MAP, Answer(HALF)), Outcome.FAIL, "32 of 64 bytes are wrong"),
    "data.gpu-copy": (_data(Write.GPU_COPY, Answer(HALF)), Outcome.FAIL, "32 of 64 bytes are wrong"),
    "data.size": (
        _rows("asked_sizes", trial=Answer(Trial(1 << 20, "vkAllocateMemory returned VK_X"))),
        Outcome.WARN,
        "2097152 bytes cannot be shared: vkAllocateMemory returned VK_X, though maxMemoryAllocationSize is 2147483648",
    ),
    "data.image": (
        _rows("images", trip=Answer(ImageTrip(0, 64, HALF))),
        Outcome.FAIL,
        "32 of 64 bytes have another colour",
    ),
    "stress.imports": (_stressed(handles_after=11), Outcome.FAIL, "+9 handles are open after 9 times"),
    "stress.rounds": (_stressed(handles_after=11), Outcome.FAIL, "+9 handles are open after 9 times"),
    "stress.memory": (_stressed(resident_after=99 << 20), Outcome.WARN, "KiB more are resident"),
    "negative.import-refused": (_refusal(Answer(Refusal("VK_SUCCESS", None))), Outcome.FAIL, "the import succeeded"),
    "negative.no-handle-type": (_refusal(Answer(Refusal("VK_SUCCESS", False))), Outcome.WARN, "the handle was taken"),
    "negative.get-refused": (_refusal(Answer(Refusal("VK_SUCCESS", None))), Outcome.INFO, "VK_SUCCESS"),
    "negative.handle-kept": (_refusal(Answer(Refusal("VK_X", False))), Outcome.WARN, "failed and closed the handle"),
    "negative.properties-refused": (
        _refusal(Answer(Refusal("VK_SUCCESS with memoryTypeBits 0xf", True))),
        Outcome.INFO,
        "VK_SUCCESS with memoryTypeBits 0xf",
    ),
    "negative.survives": (_refusal(Answer(None, CRASHED)), Outcome.CRASH, "crashed in vkX (SIGSEGV)"),
    "import.result-codes": (_imports(reports.refused("vkAllocateMemory", "VK_NOT_READY")), Outcome.WARN, "not listed"),
    "data.host-write": (_data(Write.HOST_MAP, Answer(HALF)), Outcome.FAIL, "zx_vmar_map: 32 of 64 bytes are wrong"),
    "data.gpu-fill": (_data(Write.GPU_FILL, Answer(HALF)), Outcome.FAIL, "the first at 32"),
}


def test_every_check_has_a_change_that_makes_it_speak() -> None:
    """A check that nothing can fail is no check."""
    assert set(BROKEN) == set(REGISTRY)


@pytest.mark.parametrize("id", list(REGISTRY))
def test_a_good_device_passes(id: str) -> None:
    """On good facts each check passes, in a sentence, and says in which step it saw that."""
    good = _good_device()
    verdict = REGISTRY[id].verdict(_facts(good, _good_device(1)), good)
    assert verdict.outcome is Outcome.PASS, verdict.sentence
    assert verdict.sentence.endswith(".")
    assert verdict.steps


@pytest.mark.parametrize("id", list(BROKEN))
def test_a_bad_device_is_told(id: str) -> None:
    """The one change gives the outcome and the words, and names the step."""
    change, outcome, words = BROKEN[id]
    bad = change(_good_device())
    others = () if id == "device.hardware" else (_good_device(1),)
    verdict = REGISTRY[id].verdict(_facts(bad, *others), bad)
    assert verdict.outcome is outcome, verdict.sentence
    assert words.casefold() in verdict.sentence.casefold()
    assert verdict.steps


def _images_answer(
    features: int = 6, compatible: int = 0x800, handle_type: int = 0x800, *, written: bool = True, kept: bool = True
) -> Change:
    """Change the answer of the image query, which may be about another handle type."""
    masks = (flags(0x800, HANDLE_TYPE_BITS), flags(compatible, HANDLE_TYPE_BITS))
    found = ExternalMemoryProperties(flags(features, FEATURE_BITS), *masks, written=written, header_kept=kept)
    asked = flags(handle_type, HANDLE_TYPE_BITS)
    return _rows("external_images", properties=Answer(found), handle_type=asked)


def _images_refused(handle_type: int, result: str = "VK_ERROR_FORMAT_NOT_SUPPORTED") -> Change:
    missing = reports.refused("vkGetPhysicalDeviceImageFormatProperties2", result)
    return _rows("external_images", properties=Answer(None, missing), handle_type=flags(handle_type, HANDLE_TYPE_BITS))


def _another_usage_denied(device: Device) -> Device:
    (own,) = device.external_buffers
    (denied,) = _capabilities(features=0)(device).external_buffers
    return replace(device, external_buffers=(own, replace(denied, usage=flags(4, BUFFER_USAGE_BITS))))


def _only_images(device: Device) -> Device:
    exports = tuple(replace(row, form=Form.DEDICATED_IMAGE) for row in device.exports)
    imports = tuple(replace(row, form=Form.DEDICATED_IMAGE) for row in device.imports)
    return replace(_capabilities(features=0)(device), exports=exports, imports=imports)


def _one_plain_type_refused(device: Device) -> Device:
    """Refuse plain exports of type 0 only, which may be short of memory."""
    dedicated = tuple(replace(row, form=Form.DEDICATED_BUFFER) for row in device.exports)
    return replace(_refused_export(REFUSED)(device), exports=(*_refused_export(REFUSED)(device).exports, *dedicated))


def _denied(table: str, fact: str, missing: Missing, features: int = 2) -> Change:
    """Report only these *features* of buffers, and miss every answer of *table*."""
    return lambda device: _rows(table, **{fact: Answer(None, missing)})(_capabilities(features)(device))


@pytest.mark.parametrize(
    ("id", "change", "outcome"),
    [
        ("capabilities.offered", _another_usage_denied, Outcome.INFO),
        # The check fails only for this change: there is nothing to share.
        ("capabilities.offered", lambda d: replace(_capabilities(0)(d), external_images=()), Outcome.FAIL),
        ("capabilities.offered", lambda d: _images_answer(2)(_capabilities(0)(d)), Outcome.WARN),
        ("capabilities.offered", lambda d: _images_answer(6, 8, 8)(_capabilities(0)(d)), Outcome.FAIL),
        ("capabilities.agree-export", lambda d: _capabilities(features=7)(_refused_plain(d)), Outcome.PASS),
        ("capabilities.agree-export", _one_plain_type_refused, Outcome.PASS),
        ("export.form", _one_plain_type_refused, Outcome.INFO),
        ("capabilities.dedicated", _capabilities(features=7), Outcome.WARN),
        ("properties.bits-set", lambda d: _takes_no_type(_capabilities(features=2)(d)), Outcome.INFO),
        ("properties.exporting-type", lambda d: _takes_no_type(_capabilities(features=2)(d)), Outcome.INFO),
        (
            "properties.succeeds",
            lambda d: _refused_properties("VK_ERROR_INVALID_EXTERNAL_HANDLE")(_capabilities(features=2)(d)),
            Outcome.INFO,
        ),
        ("properties.own-vmo", lambda d: _own_vmo_bits(0, 1)(_capabilities(features=2)(d)), Outcome.INFO),
        ("properties.own-vmo", lambda d: _own_vmo_bits(0, 0)(_identity(kind=3)(d)), Outcome.INFO),
        ("import.own-vmo", _denied("imports", "imported", REFUSED), Outcome.INFO),
        ("data.gpu-fill", _denied("data", "round_trip", REFUSED), Outcome.INFO),
        ("import.bind-offset", _denied("imports", "imported", REFUSED), Outcome.INFO),
        ("export.memory-type", _denied("exports", "handle", REFUSED, features=4), Outcome.INFO),
        ("capabilities.agree-export", _only_images, Outcome.SKIP),
        ("capabilities.agree-import", _only_images, Outcome.SKIP),
        ("import.same-device", lambda d: _imports(REFUSED)(_capabilities(features=2)(d)), Outcome.INFO),
        ("negative.no-handle-type", _refusal(Answer(Refusal("VK_ERROR_INVALID_EXTERNAL_HANDLE", True))), Outcome.INFO),
        ("negative.handle-kept", _refusal(Answer(Refusal("VK_SUCCESS", False))), Outcome.WARN),
        ("stress.imports", _stressed(rounds=4096, handles_after=3), Outcome.INFO),  # a pool that came late
        ("stress.rounds", _stressed(rounds=1024, handles_after=1), Outcome.INFO),  # a cache that went
        ("stress.imports", _stressed(handles_before=None, handles_after=None), Outcome.INFO),  # not counted
        ("stress.memory", _stressed(handles_before=None, handles_after=None), Outcome.PASS),
        ("import.releases-handle", _rows("releases", released=Answer(Released(3, 3, False))), Outcome.WARN),
    ],
)
def test_what_no_rule_forbids_is_no_failure(id: str, change: Change, outcome: Outcome) -> None:
    """A driver that is only unlike others is described, not blamed."""
    odd = change(_good_device())
    verdict = REGISTRY[id].verdict(_facts(odd), odd)
    assert verdict.outcome is outcome, verdict.sentence


@pytest.mark.parametrize(
    ("bits", "parent", "outcome", "words"),
    [
        (0x1, "0", Outcome.PASS, "ordinary paged memory"),
        (0x101, "0", Outcome.WARN, "IMMUTABLE: its bytes can never be written"),
        (0x5, "7", Outcome.WARN, "COW CLONE: it is a copy-on-write child"),
        (0x1, "7", Outcome.WARN, "SLICE OR REFERENCE: its bytes are also those of its parent"),
        (0x21, "0", Outcome.INFO, "PAGER BACKED: a pager supplies its pages"),
        (0x0, "0", Outcome.INFO, "PHYSICAL: it is a range of physical addresses"),
        (0x41, "0", Outcome.INFO, "CONTIGUOUS: its pages"),
    ],
)
def test_each_kind_of_vmo_is_named(bits: int, parent: str, outcome: Outcome, words: str) -> None:
    """A kind that harms sharing is a warning, and any other kind is a note; `explain` names every kind."""
    odd = _info(flags=flags(bits, VMO_BITS), parent_koid=parent)(_good_device())
    verdict = REGISTRY["export.ordinary"].verdict(_facts(odd), odd)
    assert (verdict.outcome, words in verdict.sentence) == (outcome, True), verdict.sentence
    explained = " ".join(REGISTRY["export.ordinary"].text.causes)
    assert all(kind in explained for kind in VMO_KINDS)


@pytest.mark.parametrize("policy", [1, 2, 3])
def test_a_vmo_that_zx_vmo_read_refuses_is_named(policy: int) -> None:
    """Uncached, uncached-device and write-combining VMOs can only be mapped, as physical ones."""
    odd = _info(cache_policy=named(policy, CACHE_POLICIES))(_good_device())
    verdict = REGISTRY["export.ordinary"].verdict(_facts(odd), odd)
    assert (verdict.outcome, "NOT CACHED: zx_vmo_read" in verdict.sentence) == (Outcome.INFO, True), verdict.sentence


def test_old_bytes_behind_an_allocation_are_told_as_such() -> None:
    """The receiver can read the whole VMO, so bytes past allocationSize count. The sentence says where they are."""
    behind = _rows("fresh_bytes", zeros=Answer(Comparison(69632, 15, 69617)))(_good_device())
    verdict = REGISTRY["export.fresh-zeros"].verdict(_facts(behind), behind)
    assert verdict.outcome is Outcome.WARN
    assert "15 of 69632 bytes hold old data, all past the end of the allocation (65536 bytes)" in verdict.sentence


HUNG = Missing(MissingKind.TIMED_OUT, "vkX", "", "no answer within 15 s")


@pytest.mark.parametrize(
    ("id", "table", "fact", "features", "denied"),
    [
        ("export.memory-type", "exports", "handle", 4, "no export"),
        ("export.two-gets-share", "two_gets", "pair", 4, "no export"),
        ("import.same-device", "imports", "imported", 2, "no import"),
        ("import.own-vmo", "imports", "imported", 0, "no import"),
        ("import.releases-handle", "releases", "released", 0, "no export and no import"),
        ("data.gpu-fill", "data", "round_trip", 0, "no export and no import"),
        ("stress.imports", "stress", "stressed", 2, "no import"),
    ],
)
def test_dying_in_a_step_against_the_drivers_word_is_a_warning(
    id: str, table: str, fact: str, features: int, denied: str
) -> None:
    """No program may take a step that the driver reports not to work, so only this tool crashes; there is no advice."""
    for missing, died in ((CRASHED, "crashed in vkX (SIGSEGV)"), (HUNG, "hung in vkX (no answer within 15 s)")):
        bad = _denied(table, fact, missing, features)(_good_device())
        verdict = REGISTRY[id].verdict(_facts(bad), bad)
        assert (verdict.outcome, verdict.against_word) == (Outcome.WARN, True)
        said = f"he driver {died} in a step that need not work: the driver reports {denied} of such buffers."
        assert said in verdict.sentence


def _without_one(value: Any, missing: Missing, place: str) -> Iterator[tuple[str, Any]]:
    """Yield *value* without one of the answers in it, for each answer of a step, with the answer's place."""
    if isinstance(value, Answer):
        yield place, Answer(None, missing)
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            for where, changed in _without_one(item, missing, f"{place}[{index}]"):
                yield where, (*value[:index], changed, *value[index + 1 :])
    elif is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            for where, changed in _without_one(getattr(value, field.name), missing, f"{place}.{field.name}"):
                yield where, replace(value, **{field.name: changed})


@pytest.mark.parametrize("missing", [CRASHED, HUNG], ids=["crashed", "hung"])
def test_no_step_is_lost_in_silence(missing: Missing) -> None:
    """The answer of each step, if the driver crashes or hangs there, is a crash or a hang in a check's verdict."""
    good = _good_device()
    silent = []
    for place, bad in _without_one(good, missing, "device"):
        verdicts = [each.verdict(_facts(bad), bad) for each in REGISTRY.values()]
        if not {verdict.outcome for verdict in verdicts} & {Outcome.CRASH, Outcome.TIMEOUT}:
            silent.append(place)
    assert silent == []


def test_an_import_of_our_own_vmo_needs_no_export() -> None:
    """A driver that reports import alone is to blame for a crash there; a driver that reports no import is not."""
    bad = _denied("imports", "imported", CRASHED, features=4)(_good_device())
    assert REGISTRY["import.own-vmo"].verdict(_facts(bad), bad).outcome is Outcome.CRASH
    assert REGISTRY["import.whole-size"].verdict(_facts(bad), bad).outcome is Outcome.WARN


def test_fuchsias_test_of_properties_is_foretold() -> None:
    """Fuchsia's test expects memory types for a new VMO, and success without one for a handle without rights."""
    refused = reports.refused("vkGetMemoryZirconHandlePropertiesFUCHSIA", "VK_ERROR_INVALID_EXTERNAL_HANDLE")
    good = _good_device()
    own, _ = good.own_vmo_properties
    for bare, words in ((Answer(1), "memoryTypeBits is 0x1."), (Answer(None, refused), "INVALID_EXTERNAL_HANDLE.")):
        bad = replace(good, own_vmo_properties=(own, OwnVmoProperties("no-rights", bare)))
        verdict = REGISTRY["properties.own-vmo"].verdict(_facts(bad), bad)
        assert (verdict.outcome, verdict.steps) == (Outcome.WARN, ("device0/properties.no-rights",))
        assert verdict.sentence.startswith("A handle without rights to a new VMO: ")
        assert verdict.sentence.endswith(words)


def test_a_vmo_of_our_own_may_be_just_large_enough() -> None:
    """Both sizes are rows of one check: a driver that maps more than requested refuses the smaller one."""
    bad = _import_of(ImportKind.OWN_VMO_EXACT)(_good_device())
    verdict = REGISTRY["import.own-vmo"].verdict(_facts(bad), bad)
    assert verdict.outcome is Outcome.WARN
    assert verdict.sentence.startswith("A VMO of the allocation's size (memory type 0): vkAllocateMemory returned")
    assert verdict.steps == ("device0/type0/import.own-vmo-exact.plain",)


def test_plain_exports_are_promised_unless_dedicated_only_is_reported() -> None:
    """Where the same type and size exports dedicated, a refusal in every such type is no lack of memory."""
    bad = _refused_plain(_good_device())
    verdict = REGISTRY["capabilities.agree-export"].verdict(_facts(bad), bad)
    assert verdict.outcome is Outcome.FAIL
    assert verdict.steps == ("device0/type0/export.plain", "device0/type1/export.plain")
    assert verdict.sentence == (
        "Both memory types: the driver reports export without DEDICATED_ONLY, and only dedicated memory is exported: "
        "vkAllocateMemory returned VK_ERROR_OUT_OF_DEVICE_MEMORY for plain memory."
    )


def _plain_trip(trip: Answer[ImageTrip]) -> Change:
    return lambda device: replace(
        device, images=(*device.images, replace(device.images[0], trip=trip, form=Form.PLAIN_IMAGE))
    )


def test_plain_memory_of_images_is_promised_as_that_of_buffers() -> None:
    """If an image is shared in dedicated memory only, the driver must report DEDICATED_ONLY; one row says so."""
    bad = _plain_trip(Answer(None, REFUSED))(_good_device())
    verdict = REGISTRY["capabilities.images"].verdict(_facts(bad), bad)
    assert verdict.outcome is Outcome.FAIL
    assert verdict.sentence.endswith("vkAllocateMemory returned VK_ERROR_OUT_OF_DEVICE_MEMORY for plain memory.")
    assert REGISTRY["data.image"].verdict(_facts(bad), bad).outcome is Outcome.PASS
    left_out = _plain_trip(not_asked("such images are DEDICATED_ONLY"))(_good_device())
    assert REGISTRY["capabilities.images"].verdict(_facts(left_out), left_out).outcome is Outcome.PASS


def test_wrong_pixels_in_plain_memory_are_told_as_such() -> None:
    """A row of its own, with its own step."""
    bad = _plain_trip(Answer(ImageTrip(0, 64, HALF)))(_good_device())
    verdict = REGISTRY["data.image"].verdict(_facts(bad), bad)
    assert verdict.outcome is Outcome.FAIL
    assert verdict.sentence.startswith("Linear R8G8B8A8_UNORM in plain memory: 32 of 64 bytes")
    assert verdict.steps == ("device0/image/linear.r8g8b8a8_unorm/trip.plain-image",)


def test_dedicated_memory_of_images_is_compared_too() -> None:
    """The image that is asked about is the first that can be exported; the tests that want both equal are named."""
    good = _good_device()
    (buffer,) = good.requirements
    image = replace(_requires_dedicated(good).requirements[0], resource=ResourceKind.IMAGE)
    bad = replace(good, requirements=(buffer, image))
    verdict = REGISTRY["capabilities.dedicated"].verdict(_facts(bad), bad)
    assert verdict.outcome is Outcome.FAIL
    assert verdict.sentence == "Linear R8G8B8A8_UNORM: DEDICATED_ONLY is not reported, and required."
    odd = _capabilities(features=7)(good)
    assert "zircon_vmo.*.buffer.info" in REGISTRY["capabilities.dedicated"].verdict(_facts(odd), odd).sentence


@pytest.mark.parametrize(
    ("id", "change", "outcome", "words"),
    [
        ("well-formed", _images_answer(written=False), Outcome.FAIL, "nothing was written"),
        ("well-formed", _images_answer(kept=False), Outcome.FAIL, "sType or pNext was changed"),
        ("well-formed", _images_answer(features=0x16), Outcome.FAIL, "unknown bits"),
        ("well-formed", _images_answer(handle_type=8, written=False), Outcome.FAIL, "by D3D11_TEXTURE"),
        ("well-formed", _images_refused(0x800), Outcome.PASS, "well formed"),
        ("compatible", _images_answer(compatible=1), Outcome.FAIL, "OPAQUE_FD, without ZIRCON_VMO"),
        ("compatible", _images_answer(0, 0), Outcome.FAIL, "VK_SUCCESS without a feature, not VK_ERROR_FORMAT"),
        ("compatible", _images_answer(0), Outcome.WARN, "VK_SUCCESS without a feature"),
        (
            "compatible",
            _images_answer(0, 0, 8),
            Outcome.WARN,
            "by D3D11_TEXTURE: the query returned VK_SUCCESS without a feature",
        ),
        (
            "compatible",
            _images_refused(8),
            Outcome.PASS,
            "by D3D11_TEXTURE: the handle type is not supported, and the query refuses it",
        ),
        ("compatible", _images_refused(0x800), Outcome.PASS, "compatible with itself"),
        ("compatible", _images_answer(written=False), Outcome.PASS, "compatible with itself"),
        ("images", _images_answer(handle_type=8), Outcome.SKIP, ""),
    ],
)
def test_the_answer_for_an_image_is_judged_as_that_for_a_buffer(
    id: str, change: Change, outcome: Outcome, words: str
) -> None:
    """It is written, keeps its header, has known bits, and refuses a handle type that is not supported."""
    odd = change(_good_device())
    verdict = REGISTRY[f"capabilities.{id}"].verdict(_facts(odd), odd)
    assert verdict.outcome is outcome, verdict.sentence
    assert words.casefold() in verdict.sentence.casefold()


@pytest.mark.parametrize(
    ("change", "says"), [({"written": False}, "Nothing was written."), ({"header_kept": False}, "sType or pNext was")]
)
def test_the_answer_for_semaphores_is_looked_at_too(change: dict[str, Any], says: str) -> None:
    """It warns, since memory is shared nevertheless."""
    good = _good_device().external_semaphore.value
    assert good is not None
    odd = replace(_good_device(), external_semaphore=Answer(replace(good, **change)))
    verdict = REGISTRY["capabilities.semaphore"].verdict(_facts(odd), odd)
    assert verdict.outcome is Outcome.WARN
    assert verdict.sentence.startswith(says)


def _in_rows(table: str, fact: str, missing: Missing) -> Change:
    return _rows(table, **{fact: Answer(None, missing)})


@pytest.mark.parametrize(
    ("id", "table", "fact", "call"),
    [
        ("export.survives-channel", "through_channel", "pair", "zx_channel_create"),
        *((f"stress.{what}", "stress", "stressed", "zx_object_get_info") for what in ("imports", "rounds", "memory")),
    ],
)
def test_what_the_kernel_refuses_is_not_the_drivers_fault(id: str, table: str, fact: str, call: str) -> None:
    """A sandbox may refuse a channel, or the count of handles: the check is skipped, and names the call."""
    bad = _in_rows(table, fact, reports.refused(call, "ZX_ERR_ACCESS_DENIED"))(_good_device())
    verdict = REGISTRY[id].verdict(_facts(bad), bad)
    assert verdict.outcome is Outcome.SKIP
    assert f"{call} returned ZX_ERR_ACCESS_DENIED" in verdict.sentence


def test_a_command_that_is_not_there_is_blamed_once() -> None:
    """What the hidden command would have done is skipped: extension.entry-points is the one that speaks."""
    hidden = reports.refused("vkGetMemoryZirconHandlePropertiesFUCHSIA", "", "there is no such entry point")
    bad = _in_rows("images", "trip", hidden)(_in_rows("properties", "properties", hidden)(_good_device()))
    bad = BROKEN["extension.entry-points"][0](bad)
    silent = (Outcome.PASS, Outcome.SKIP)
    told = [check.id for check in in_order() if check.verdict(_facts(bad), bad).outcome not in silent]
    assert told == ["extension.entry-points"]


def test_zeros_are_no_uuid() -> None:
    """Two GPUs of a driver that does not fill it in are two GPUs."""
    zero = Answer(Uuids("00000000-0000-0000-0000-000000000000", "1"))
    one, other = (_identity(uuids=zero)(_good_device(index)) for index in (0, 1))
    assert REGISTRY["device.unique"].verdict(_facts(one, other), one).outcome is Outcome.SKIP


def test_a_rule_of_practice_never_fails() -> None:
    """Where no rule demands it, a check warns at most, even if its function finds a failure."""
    good = _good_device()
    for check in REGISTRY.values():
        strict = replace(check, judge=lambda *_: [RowResult(Outcome.FAIL, "it is bad")])
        worst = Outcome.WARN if check.rule == PRACTICE else Outcome.FAIL
        assert strict.verdict(_facts(good), good).outcome is worst, check.id


def test_a_rule_is_cited_where_it_is_about_the_check() -> None:
    """An import rests on no sentence about exports, and a death by a wrong handle on the one that forbids it."""
    exports, imports = "VUID-VkExportMemoryAllocateInfo-handleTypes-09860", "VK_EXTERNAL_MEMORY_FEATURE_IMPORTABLE_BIT"
    cited = {check.id: (exports in check.rule, imports in check.rule) for check in in_order()}
    assert cited["capabilities.agree-export"] == (True, False)
    assert cited["capabilities.agree-import"] == (False, True)
    assert cited["capabilities.images"] == (True, True)
    assert "validate external handles" in REGISTRY["negative.survives"].rule
    assert "fundamentals.adoc" in REGISTRY["export.fresh-zeros"].text.advice


def test_a_device_without_the_extension_is_a_skip() -> None:
    """A missing extension is one finding, and the rest are skips."""
    bare = reports.without_extension(_good_device())
    for check in REGISTRY.values():
        outcome = check.verdict(_facts(bare), bare).outcome
        assert outcome is Outcome.SKIP or (outcome is Outcome.PASS and not check.needs_extension), check.id


def test_a_device_that_was_never_asked_is_a_skip() -> None:
    """Facts that stop early are skips: never an exception, never a pass."""
    begin = {"event": "begin", "step": "device0/identity", "fact": "identity", "device": 0, "key": {}}
    facts = fold_events([begin, {"event": "done"}]).facts
    (device,) = facts.devices
    assert {check.verdict(facts, device).outcome for check in REGISTRY.values()} == {Outcome.SKIP}


def test_a_refused_extension_list_is_one_failure() -> None:
    """Only extension.listed speaks of it; the rest say what is not known, and skip."""
    bad = replace(_good_device(), extensions=Answer(None, reports.refused("vkX", "VK_ERROR_UNKNOWN")))
    outcomes = {check.id: check.verdict(_facts(bad), bad).outcome for check in REGISTRY.values()}
    assert [name for name, outcome in outcomes.items() if outcome is Outcome.FAIL] == ["extension.listed"]
    for check in REGISTRY.values():
        assert outcomes[check.id] in (Outcome.FAIL, Outcome.SKIP) or not check.needs_extension, check.id


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda d: replace(d, external_buffers=()), "A dependency of VK_FUCHSIA_external_memory is missing."),
        (lambda d: replace(d, opened=Answer(None, REFUSED)), "The device did not open: vkAllocateMemory returned"),
        (lambda d: replace(d, exports=(), imports=()), "No memory type can be exported."),
        (
            lambda d: replace(
                d, imports=(), exports=tuple(replace(e, handle=Answer(None, REFUSED)) for e in d.exports)
            ),
            "Nothing was exported: vkAllocateMemory returned VK_ERROR_OUT_OF_DEVICE_MEMORY.",
        ),
        (lambda d: replace(d, imports=()), "The exported number is not a VMO handle"),
    ],
)
def test_a_check_that_has_nothing_to_look_at_says_why(change: Change, reason: str) -> None:
    """The first thing on the way that was not there is the reason of the skip."""
    bare = change(replace(_good_device(), outlives=()))
    verdict = REGISTRY["export.outlives"].verdict(_facts(bare), bare)
    assert verdict.outcome is Outcome.SKIP
    assert verdict.sentence.startswith(reason)


@pytest.mark.parametrize(
    ("rows", "reason"), [(0, "Only run with --negative."), (1, "An earlier step failed, so this was not tested.")]
)
def test_an_option_is_asked_for_only_where_it_was_not_given(rows: int, reason: str) -> None:
    """The option was given although the wrong inputs could not be tried, for example after a lost device."""
    untried = tuple(replace(row, refusal=not_asked("lost")) for row in _good_device().negative[:rows])
    device = replace(_good_device(), negative=untried)
    assert REGISTRY["negative.handle-kept"].verdict(_facts(device), device).sentence == reason


def test_a_second_handle_that_is_none_fails() -> None:
    """A driver that fails to duplicate gives 0 at the second get: goldfish, and VK_SUCCESS all the same."""
    zero = reports.handle(0, value="0x00000000", valid=Answer(False))
    bad = _pair("two_gets", second=zero, seen=Answer(None, REFUSED))(_good_device())
    verdict = REGISTRY["export.handle-given"].verdict(_facts(bad), bad)
    assert (verdict.outcome, verdict.steps) == (Outcome.FAIL, ("device0/type0/export.two-gets",))


def test_one_vmo_for_two_allocations_fails() -> None:
    """Equal koids are one object, also where its bytes cannot be looked at."""
    unreadable: Answer[Comparison] = Answer(None, reports.refused("zx_vmo_read", "ZX_ERR_BAD_STATE"))
    bad = _pair("two_exports", second=reports.handle(0), seen=unreadable)(_good_device())
    assert REGISTRY["export.two-exports-apart"].verdict(_facts(bad), bad).outcome is Outcome.FAIL


def test_bytes_seen_by_their_writer_alone_are_nothing_shared() -> None:
    """What is read through the allocation that was written is no round trip."""
    nowhere: Answer[Comparison] = not_asked("no")
    trip = RoundTrip(64, Answer(SAME), nowhere, nowhere, nowhere)
    rows = tuple(replace(row, round_trip=Answer(trip)) for row in _good_device().data if row.write is Write.HOST_MAP)
    alone = replace(_good_device(), data=rows)
    assert REGISTRY["data.host-write"].verdict(_facts(alone), alone).outcome is Outcome.SKIP


@pytest.mark.parametrize("call", ["vkCreateBuffer", "vkBindBufferMemory", "vkGetMemoryZirconHandleFUCHSIA"])
def test_what_is_refused_beside_an_import_is_no_broken_promise(call: str) -> None:
    """Only the importing allocation says whether imports work."""
    bad = _imports(reports.refused(call, "VK_ERROR_OUT_OF_HOST_MEMORY"))(_good_device())
    assert REGISTRY["capabilities.agree-import"].verdict(_facts(bad), bad).outcome is Outcome.SKIP


def test_a_crashed_export_is_a_crash() -> None:
    """A step that took the driver down is a crash in the checks that rest on it, named with call and signal."""
    bad = _refused_export(CRASHED)(_good_device())
    verdict = REGISTRY["export.memory-type"].verdict(_facts(bad), bad)
    assert (verdict.outcome, verdict.sentence) == (Outcome.CRASH, "Memory type 0: the driver crashed in vkX (SIGSEGV).")


def test_a_vmo_that_the_host_cannot_read_is_a_skip() -> None:
    """ZX_ERR_BAD_STATE means that the VMO is not CACHED: it does not apply, and is no failure."""
    missing: Answer[Comparison] = Answer(None, reports.refused("zx_vmo_read", "ZX_ERR_BAD_STATE"))
    bad = replace(_good_device(), outlives=(Outlives(0, missing),))
    assert REGISTRY["export.outlives"].verdict(_facts(bad), bad).outcome is Outcome.SKIP


def test_the_worst_row_gives_the_verdict() -> None:
    """Rows with the same sentence are told together; a skipped row hides neither a pass nor a failure."""
    rows = [
        RowResult(Outcome.PASS, "it is good", "memory type 0", "a"),
        RowResult(Outcome.SKIP, "it was left out", "memory type 1", "b"),
        RowResult(Outcome.FAIL, "it is bad", "memory type 2", "c"),
        RowResult(Outcome.FAIL, "it is bad", "memory type 3", "d"),
        RowResult(Outcome.FAIL, "it is worse", "vkX", "e"),
    ]
    verdict = fold(rows)
    assert verdict.outcome is Outcome.FAIL
    assert verdict.sentence == "Memory types 2-3: it is bad. vkX: it is worse."
    assert verdict.steps == ("c", "d", "e")
    assert fold(rows[:2]).outcome is Outcome.PASS
    assert fold(rows[1:2]).outcome is Outcome.SKIP


def test_no_row_that_is_not_good_is_hidden_by_a_worse_one() -> None:
    """A crash outranks a failure, and a failure a warning: each is told, the worst first, with its steps."""
    rows = [
        RowResult(Outcome.WARN, "it is odd", "memory type 0", "a"),
        RowResult(Outcome.FAIL, "it is bad", "memory type 1", "b"),
        RowResult(Outcome.INFO, "it is good to know", "memory type 2", "c"),
        RowResult(Outcome.CRASH, "it died", "memory type 3", "d"),
    ]
    verdict = fold(rows)
    assert verdict.outcome is Outcome.CRASH
    assert verdict.sentence == "Memory type 3: it died. Memory type 1: it is bad. Memory type 0: it is odd."
    assert verdict.steps == ("d", "b", "a")


def test_every_wrong_input_that_is_not_refused_rightly_is_told() -> None:
    """An import that succeeds fails the check, another error than the listed one warns, and neither hides the other."""
    (of_import, *_) = (row for row in _good_device().negative if row.call == "vkAllocateMemory")
    odd = replace(of_import, what="zero", refusal=Answer(Refusal("VK_ERROR_MEMORY_MAP_FAILED", None)))
    taken = replace(of_import, what="event", refusal=Answer(Refusal("VK_SUCCESS", None)))
    died = replace(of_import, what="closed", refusal=Answer(None, CRASHED))
    said = "Zero: refused with VK_ERROR_MEMORY_MAP_FAILED, not with VK_ERROR_INVALID_EXTERNAL_HANDLE."
    only_odd = replace(_good_device(), negative=(of_import, odd))
    verdict = REGISTRY["negative.import-refused"].verdict(_facts(only_odd), only_odd)
    assert (verdict.outcome, verdict.sentence) == (Outcome.WARN, said)
    bad = replace(_good_device(), negative=(odd, died, taken, of_import))
    verdict = REGISTRY["negative.import-refused"].verdict(_facts(bad), bad)
    assert verdict.outcome is Outcome.FAIL
    assert verdict.sentence == f"Event: the import succeeded. Closed: the driver crashed in vkX (SIGSEGV). {said}"
    assert len(verdict.steps) == 3


def test_dying_of_a_wrong_input_hides_no_failure() -> None:
    """A wrong input that is taken fails the check, though the driver died of another; a death alone is a crash."""
    (of_import, *_) = (row for row in _good_device().negative if row.call == "vkAllocateMemory")
    died = replace(of_import, what="zero", refusal=Answer(None, CRASHED))
    taken = replace(of_import, what="too-large", refusal=Answer(Refusal("VK_SUCCESS", None)))
    bad = replace(_good_device(), negative=(died, taken))
    verdict = REGISTRY["negative.import-refused"].verdict(_facts(bad), bad)
    assert verdict.outcome is Outcome.FAIL
    assert verdict.sentence == "Too-large: the import succeeded. Zero: the driver crashed in vkX (SIGSEGV)."
    only_died = replace(bad, negative=(died,))
    assert REGISTRY["negative.import-refused"].verdict(_facts(only_died), only_died).outcome is Outcome.CRASH


def test_ids_are_dotted_and_told_in_the_readers_order() -> None:
    """Groups come in the order in which a reader wants to know, and every id belongs to one."""
    groups = [check.id.partition(".")[0] for check in in_order()]
    assert groups == sorted(groups, key=GROUPS.index)
    assert len(in_order()) == len(REGISTRY)
