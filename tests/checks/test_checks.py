# SPDX-License-Identifier: Apache-2.0
"""Every check, on facts made in memory: it passes on good ones, and one change of the facts makes it say so."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

import pytest
import reports
from device_changes import (
    CRASHED,
    HALF,
    HUNG,
    REFUSED,
    Change,
    basic,
    capabilities,
    data,
    denying,
    extensions,
    facts,
    good_device,
    handle,
    identity,
    images_answer,
    import_of,
    imported,
    imports,
    info,
    no_entry_point,
    only_dedicated,
    own_vmo_bits,
    pair,
    properties,
    refusal,
    refused_export,
    refused_plain,
    refused_properties,
    requires_dedicated,
    rows,
    stressed,
    takes_no_type,
)

from vkzircon_cli.checks import REGISTRY, Outcome
from vkzircon_cli.model.base import Answer, Missing
from vkzircon_cli.model.facts import (
    Device,
    Extension,
    ExternalSemaphore,
    Uuids,
)
from vkzircon_cli.model.spec import (
    BUFFER_USAGE_BITS,
    CACHE_POLICIES,
    RIGHT_BITS,
    VMO_BITS,
    api_version,
    flags,
    named,
)
from vkzircon_cli.model.vmo import (
    VMO_KINDS,
    Comparison,
    Form,
    ImageTrip,
    ImportKind,
    OwnVmoProperties,
    Refusal,
    Released,
    Trial,
    Write,
)

T = TypeVar("T")


_KINDS = [kind for kind in ImportKind if kind is not ImportKind.OWN_VMO_EXACT]  # a row of import.own-vmo
_REFUSED_IMPORTS = {
    ImportKind.OTHER_DEVICE: Outcome.INFO,
    ImportKind.OWN_VMO: Outcome.WARN,
    ImportKind.WHOLE_SIZE: Outcome.WARN,
}

# check id -> (change of the facts, outcome that follows, words in the sentence)
BROKEN: dict[str, tuple[Change, Outcome, str]] = {
    "extension.listed": (extensions(Extension("VK_KHR_x", 1)), Outcome.SKIP, "not among the device's 1 extensions"),
    "extension.revision": (extensions(Extension("VK_FUCHSIA_external_memory", 99)), Outcome.INFO, "revision 99"),
    "extension.dependencies": (
        lambda d: extensions(Extension("VK_FUCHSIA_external_memory", 1))(
            identity(api_version=api_version(1 << 22 | 61))(d)
        ),
        Outcome.FAIL,
        "Vulkan 1.0.61 and neither extension",
    ),
    "extension.entry-points": (
        no_entry_point,
        Outcome.FAIL,
        "vkX: advertised, but vkGetDeviceProcAddr returns NULL",
    ),
    "device.hardware": (identity(kind=4), Outcome.WARN, "only software devices"),
    "device.unique": (identity(uuids=Answer(Uuids("00000002-0000", "1"))), Outcome.WARN, "again as device 1"),
    "device.opens": (lambda d: replace(d, opened=Answer(None, CRASHED)), Outcome.CRASH, "crashed in vkX (SIGSEGV)"),
    "device.closes": (lambda d: replace(d, closed=Answer(None, CRASHED)), Outcome.CRASH, "vkDestroyDevice"),
    "capabilities.offered": (
        capabilities(features=0),
        Outcome.WARN,
        "the later steps were tried nevertheless; but images are EXPORTABLE IMPORTABLE",
    ),
    "capabilities.compatible": (capabilities(compatible=1), Outcome.FAIL, "OPAQUE_FD, without ZIRCON_VMO"),
    "capabilities.well-formed": (capabilities(written=False), Outcome.FAIL, "nothing was written"),
    "capabilities.agree-export": (capabilities(features=4), Outcome.WARN, "reports no export, but export works"),
    "capabilities.agree-import": (imports(REFUSED), Outcome.FAIL, "reports import, but none works"),
    "export.memory-type": (refused_export(REFUSED), Outcome.FAIL, "VK_ERROR_OUT_OF_DEVICE_MEMORY"),
    "export.result-codes": (
        refused_export(reports.refused("vkGetMemoryZirconHandleFUCHSIA", "VK_ERROR_INITIALIZATION_FAILED")),
        Outcome.WARN,
        "which is not listed for it",
    ),
    "export.handle-given": (handle(value="0x00000000"), Outcome.FAIL, "ZX_HANDLE_INVALID"),
    "export.handle-shape": (handle(value="0x00000014"), Outcome.FAIL, "low bits are not 11"),
    "export.handle-is-vmo": (basic(type=named(5, {5: "event"})), Outcome.FAIL, "an event, not a VMO"),
    "export.rights": (basic(rights=flags(0xC, RIGHT_BITS)), Outcome.WARN, "lacks MAP, DUPLICATE, TRANSFER"),
    "export.size": (handle(size=Answer(100)), Outcome.FAIL, "100 bytes for an allocation of 65536"),
    "export.whole-pages": (handle(size=Answer(65537)), Outcome.WARN, "65537 bytes are not a multiple of 4096"),
    "export.fixed-size": (info(flags=flags(3, VMO_BITS)), Outcome.WARN, "RESIZABLE"),
    "export.ordinary": (info(flags=flags(0x81, VMO_BITS)), Outcome.WARN, "DISCARDABLE: the kernel may discard"),
    "export.two-gets-distinct": (pair("two_gets", second=reports.handle(0)), Outcome.FAIL, "the same number"),
    "export.two-gets-share": (pair("two_gets", seen=Answer(HALF)), Outcome.FAIL, "32 of 64 bytes differ"),
    "export.same-koid": (pair("two_gets", second=reports.handle(1)), Outcome.INFO, "two koids"),
    "export.two-exports-apart": (pair("two_exports", seen=Answer(HALF)), Outcome.FAIL, "32 of 64 bytes changed"),
    "export.survives-channel": (
        pair("through_channel", second=reports.handle(1)),
        Outcome.FAIL,
        "a handle to another object",
    ),
    "export.fresh-zeros": (rows("fresh_bytes", zeros=Answer(HALF)), Outcome.WARN, "32 of 64 bytes hold old data"),
    "export.outlives": (rows("outlives", kept=Answer(HALF)), Outcome.WARN, "32 of 64 bytes changed"),
    "properties.succeeds": (refused_properties("VK_ERROR_UNKNOWN"), Outcome.FAIL, "returned VK_ERROR_UNKNOWN"),
    "properties.result-codes": (refused_properties("VK_NOT_READY"), Outcome.WARN, "which is not listed"),
    "properties.written": (properties(written=False), Outcome.FAIL, "memoryTypeBits was not written"),
    "properties.bits-set": (takes_no_type, Outcome.FAIL, "no memory type takes"),
    "properties.bits-in-range": (
        properties(memory_type_bits=0x80000001, memory_types=(0, 31)),
        Outcome.FAIL,
        "0x80000001 names type 31, and there are 3 types",
    ),
    "properties.exporting-type": (properties(memory_type_bits=2, memory_types=(1,)), Outcome.WARN, "not among"),
    "properties.duplicate-agrees": (properties(duplicate_bits=Answer(1)), Outcome.FAIL, "0x1, the handle 0x7"),
    "properties.own-vmo": (own_vmo_bits(0, 0), Outcome.WARN, "a new VMO: memoryTypeBits is 0x0"),
    "properties.handle-kept": (properties(handle_valid=Answer(False)), Outcome.FAIL, "gone after the call"),
    "capabilities.dedicated": (requires_dedicated, Outcome.FAIL, "DEDICATED_ONLY is not reported, and required"),
    "capabilities.images": (rows("images", trip=Answer(None, REFUSED)), Outcome.FAIL, "VK_ERROR_OUT_OF_DEVICE_MEMORY"),
    "capabilities.semaphore": (
        lambda d: replace(d, external_semaphore=Answer(ExternalSemaphore(flags(0, ()), flags(0, ()), flags(0, ())))),
        Outcome.WARN,
        "ZIRCON_EVENT semaphores: nothing",
    ),
    "export.form": (only_dedicated, Outcome.INFO, "only dedicated-buffer exports work"),
    **{
        f"import.{kind}": (
            import_of(kind),
            _REFUSED_IMPORTS.get(kind, Outcome.FAIL),
            "VK_ERROR_OUT_OF_DEVICE_MEMORY",
        )
        for kind in _KINDS
    },
    "import.contents-kept": (imported(kept=Answer(HALF)), Outcome.FAIL, "32 of 64 bytes changed"),
    "import.shares": (imported(shared=Answer(HALF)), Outcome.FAIL, "not seen on another side"),
    "import.releases-handle": (
        rows("releases", released=Answer(Released(3, 3))),
        Outcome.FAIL,
        "3 handles after the import was freed, and 2 are right",
    ),
    "data.host-write-import": (data(Write.IMPORT_MAP, Answer(HALF)), Outcome.FAIL, "32 of 64 bytes are wrong"),
    "data.gpu-copy": (data(Write.GPU_COPY, Answer(HALF)), Outcome.FAIL, "32 of 64 bytes are wrong"),
    "data.size": (
        rows("asked_sizes", trial=Answer(Trial(1 << 20, "vkAllocateMemory returned VK_X"))),
        Outcome.WARN,
        "2097152 bytes cannot be shared: vkAllocateMemory returned VK_X, though maxMemoryAllocationSize is 2147483648",
    ),
    "data.image": (
        rows("images", trip=Answer(ImageTrip(0, 64, HALF))),
        Outcome.FAIL,
        "32 of 64 bytes have another colour",
    ),
    "stress.imports": (stressed(handles_after=11), Outcome.FAIL, "+9 handles are open after 9 times"),
    "stress.rounds": (stressed(handles_after=11), Outcome.FAIL, "+9 handles are open after 9 times"),
    "stress.memory": (stressed(resident_after=99 << 20), Outcome.WARN, "KiB more are resident"),
    "negative.import-refused": (refusal(Answer(Refusal("VK_SUCCESS", None))), Outcome.FAIL, "the import succeeded"),
    "negative.no-handle-type": (refusal(Answer(Refusal("VK_SUCCESS", False))), Outcome.WARN, "the handle was taken"),
    "negative.get-refused": (refusal(Answer(Refusal("VK_SUCCESS", None))), Outcome.INFO, "VK_SUCCESS"),
    "negative.handle-kept": (refusal(Answer(Refusal("VK_X", False))), Outcome.WARN, "failed and closed the handle"),
    "negative.properties-refused": (
        refusal(Answer(Refusal("VK_SUCCESS with memoryTypeBits 0xf", True))),
        Outcome.INFO,
        "VK_SUCCESS with memoryTypeBits 0xf",
    ),
    "negative.survives": (refusal(Answer(None, CRASHED)), Outcome.CRASH, "crashed in vkX (SIGSEGV)"),
    "import.result-codes": (imports(reports.refused("vkAllocateMemory", "VK_NOT_READY")), Outcome.WARN, "not listed"),
    "data.host-write": (data(Write.HOST_MAP, Answer(HALF)), Outcome.FAIL, "zx_vmar_map: 32 of 64 bytes are wrong"),
    "data.gpu-fill": (data(Write.GPU_FILL, Answer(HALF)), Outcome.FAIL, "the first at 32"),
}


def test_every_check_has_a_change_that_makes_it_speak() -> None:
    """A check that nothing can fail is no check."""
    assert set(BROKEN) == set(REGISTRY)


@pytest.mark.parametrize("id", list(REGISTRY))
def test_a_good_device_passes(id: str) -> None:
    """On good facts each check passes, in a sentence, and says in which step it saw that."""
    good = good_device()
    verdict = REGISTRY[id].verdict(facts(good, good_device(1)), good)
    assert verdict.outcome is Outcome.PASS, verdict.sentence
    assert verdict.sentence.endswith(".")
    assert verdict.steps


@pytest.mark.parametrize("id", list(BROKEN))
def test_a_bad_device_is_told(id: str) -> None:
    """The one change gives the outcome and the words, and names the step."""
    change, outcome, words = BROKEN[id]
    bad = change(good_device())
    others = () if id == "device.hardware" else (good_device(1),)
    verdict = REGISTRY[id].verdict(facts(bad, *others), bad)
    assert verdict.outcome is outcome, verdict.sentence
    assert words.casefold() in verdict.sentence.casefold()
    assert verdict.steps


def _another_usage_denied(device: Device) -> Device:
    (own,) = device.external_buffers
    (denied,) = capabilities(features=0)(device).external_buffers
    return replace(device, external_buffers=(own, replace(denied, usage=flags(4, BUFFER_USAGE_BITS))))


def _only_images(device: Device) -> Device:
    exports = tuple(replace(row, form=Form.DEDICATED_IMAGE) for row in device.exports)
    imports = tuple(replace(row, form=Form.DEDICATED_IMAGE) for row in device.imports)
    return replace(capabilities(features=0)(device), exports=exports, imports=imports)


def _one_plain_type_refused(device: Device) -> Device:
    """Refuse plain exports of type 0 only, which may be short of memory."""
    dedicated = tuple(replace(row, form=Form.DEDICATED_BUFFER) for row in device.exports)
    return replace(refused_export(REFUSED)(device), exports=(*refused_export(REFUSED)(device).exports, *dedicated))


@pytest.mark.parametrize(
    ("id", "change", "outcome"),
    [
        ("capabilities.offered", _another_usage_denied, Outcome.INFO),
        # The check fails only for this change: there is nothing to share.
        ("capabilities.offered", lambda d: replace(capabilities(0)(d), external_images=()), Outcome.FAIL),
        ("capabilities.offered", lambda d: images_answer(2)(capabilities(0)(d)), Outcome.WARN),
        ("capabilities.offered", lambda d: images_answer(6, 8, 8)(capabilities(0)(d)), Outcome.FAIL),
        ("capabilities.agree-export", lambda d: capabilities(features=7)(refused_plain(d)), Outcome.PASS),
        ("capabilities.agree-export", _one_plain_type_refused, Outcome.PASS),
        ("export.form", _one_plain_type_refused, Outcome.INFO),
        ("capabilities.dedicated", capabilities(features=7), Outcome.WARN),
        ("properties.bits-set", lambda d: takes_no_type(capabilities(features=2)(d)), Outcome.INFO),
        ("properties.exporting-type", lambda d: takes_no_type(capabilities(features=2)(d)), Outcome.INFO),
        (
            "properties.succeeds",
            lambda d: refused_properties("VK_ERROR_INVALID_EXTERNAL_HANDLE")(capabilities(features=2)(d)),
            Outcome.INFO,
        ),
        ("properties.own-vmo", lambda d: own_vmo_bits(0, 1)(capabilities(features=2)(d)), Outcome.INFO),
        ("properties.own-vmo", lambda d: own_vmo_bits(0, 0)(identity(kind=3)(d)), Outcome.INFO),
        ("import.own-vmo", denying("imports", "imported", REFUSED), Outcome.INFO),
        ("data.gpu-fill", denying("data", "round_trip", REFUSED), Outcome.INFO),
        ("import.bind-offset", denying("imports", "imported", REFUSED), Outcome.INFO),
        ("export.memory-type", denying("exports", "handle", REFUSED, features=4), Outcome.INFO),
        ("capabilities.agree-export", _only_images, Outcome.SKIP),
        ("capabilities.agree-import", _only_images, Outcome.SKIP),
        ("import.same-device", lambda d: imports(REFUSED)(capabilities(features=2)(d)), Outcome.INFO),
        ("negative.no-handle-type", refusal(Answer(Refusal("VK_ERROR_INVALID_EXTERNAL_HANDLE", True))), Outcome.INFO),
        ("negative.handle-kept", refusal(Answer(Refusal("VK_SUCCESS", False))), Outcome.WARN),
        ("stress.imports", stressed(rounds=4096, handles_after=3), Outcome.INFO),  # a pool that came late
        ("stress.rounds", stressed(rounds=1024, handles_after=1), Outcome.INFO),  # a cache that went
        ("stress.imports", stressed(handles_before=None, handles_after=None), Outcome.INFO),  # not counted
        ("stress.memory", stressed(handles_before=None, handles_after=None), Outcome.PASS),
        ("import.releases-handle", rows("releases", released=Answer(Released(3, 3, False))), Outcome.WARN),
    ],
)
def test_what_no_rule_forbids_is_no_failure(id: str, change: Change, outcome: Outcome) -> None:
    """A driver that is only unlike others is described, not blamed."""
    odd = change(good_device())
    verdict = REGISTRY[id].verdict(facts(odd), odd)
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
    odd = info(flags=flags(bits, VMO_BITS), parent_koid=parent)(good_device())
    verdict = REGISTRY["export.ordinary"].verdict(facts(odd), odd)
    assert (verdict.outcome, words in verdict.sentence) == (outcome, True), verdict.sentence
    explained = " ".join(REGISTRY["export.ordinary"].text.causes)
    assert all(kind in explained for kind in VMO_KINDS)


@pytest.mark.parametrize("policy", [1, 2, 3])
def test_a_vmo_that_zx_vmo_read_refuses_is_named(policy: int) -> None:
    """Uncached, uncached-device and write-combining VMOs can only be mapped, as physical ones."""
    odd = info(cache_policy=named(policy, CACHE_POLICIES))(good_device())
    verdict = REGISTRY["export.ordinary"].verdict(facts(odd), odd)
    assert (verdict.outcome, "NOT CACHED: zx_vmo_read" in verdict.sentence) == (Outcome.INFO, True), verdict.sentence


def test_old_bytes_behind_an_allocation_are_told_as_such() -> None:
    """The receiver can read the whole VMO, so bytes past allocationSize count. The sentence says where they are."""
    behind = rows("fresh_bytes", zeros=Answer(Comparison(69632, 15, 69617)))(good_device())
    verdict = REGISTRY["export.fresh-zeros"].verdict(facts(behind), behind)
    assert verdict.outcome is Outcome.WARN
    assert "15 of 69632 bytes hold old data, all past the end of the allocation (65536 bytes)" in verdict.sentence


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
        bad = denying(table, fact, missing, features)(good_device())
        verdict = REGISTRY[id].verdict(facts(bad), bad)
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
    good = good_device()
    silent = []
    for place, bad in _without_one(good, missing, "device"):
        verdicts = [each.verdict(facts(bad), bad) for each in REGISTRY.values()]
        if not {verdict.outcome for verdict in verdicts} & {Outcome.CRASH, Outcome.TIMEOUT}:
            silent.append(place)
    assert silent == []


def test_an_import_of_our_own_vmo_needs_no_export() -> None:
    """A driver that reports import alone is to blame for a crash there; a driver that reports no import is not."""
    bad = denying("imports", "imported", CRASHED, features=4)(good_device())
    assert REGISTRY["import.own-vmo"].verdict(facts(bad), bad).outcome is Outcome.CRASH
    assert REGISTRY["import.whole-size"].verdict(facts(bad), bad).outcome is Outcome.WARN


def test_fuchsias_test_of_properties_is_foretold() -> None:
    """Fuchsia's test expects memory types for a new VMO, and success without one for a handle without rights."""
    refused = reports.refused("vkGetMemoryZirconHandlePropertiesFUCHSIA", "VK_ERROR_INVALID_EXTERNAL_HANDLE")
    good = good_device()
    own, _ = good.own_vmo_properties
    for bare, words in ((Answer(1), "memoryTypeBits is 0x1."), (Answer(None, refused), "INVALID_EXTERNAL_HANDLE.")):
        bad = replace(good, own_vmo_properties=(own, OwnVmoProperties("no-rights", bare)))
        verdict = REGISTRY["properties.own-vmo"].verdict(facts(bad), bad)
        assert (verdict.outcome, verdict.steps) == (Outcome.WARN, ("device0/properties.no-rights",))
        assert verdict.sentence.startswith("A handle without rights to a new VMO: ")
        assert verdict.sentence.endswith(words)


def test_a_vmo_of_our_own_may_be_just_large_enough() -> None:
    """Both sizes are rows of one check: a driver that maps more than requested refuses the smaller one."""
    bad = import_of(ImportKind.OWN_VMO_EXACT)(good_device())
    verdict = REGISTRY["import.own-vmo"].verdict(facts(bad), bad)
    assert verdict.outcome is Outcome.WARN
    assert verdict.sentence.startswith("A VMO of the allocation's size (memory type 0): vkAllocateMemory returned")
    assert verdict.steps == ("device0/type0/import.own-vmo-exact.plain",)
