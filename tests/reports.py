# SPDX-License-Identifier: Apache-2.0
"""Reports made in memory, for tests of code that takes a report: a good report, and builders of variants.

The verdicts do not come from the real checks, so that a new check or sentence does not break the renderers' tests. Make
variants with `dataclasses.replace` and the builders' arguments.
"""

from collections.abc import Iterable
from dataclasses import replace

from vkzircon_cli.checks import SEVERITY, Outcome
from vkzircon_cli.model.base import Answer, Missing, MissingKind, not_asked
from vkzircon_cli.model.facts import (
    Device,
    DriverIdentity,
    EntryPoint,
    Extension,
    ExternalBuffer,
    ExternalMemoryProperties,
    Heap,
    Identity,
    Instance,
    Kernel,
    Layer,
    Loader,
    Memory,
    MemoryType,
    OpenDevice,
    QueueFamily,
    Uuids,
)
from vkzircon_cli.model.host import Environment, Variable
from vkzircon_cli.model.spec import (
    BUFFER_USAGE_BITS,
    DEVICE_TYPES,
    DRIVER_IDS,
    ENTRY_POINTS,
    EXTENSION,
    FEATURE_BITS,
    HANDLE_TYPE_BITS,
    HEAP_BITS,
    HOST_VISIBLE,
    MEMORY_PROPERTY_BITS,
    QUEUE_BITS,
    RIGHT_BITS,
    VMO_BITS,
    Version,
    api_version,
    flags,
    named,
)
from vkzircon_cli.model.vmo import (
    Comparison,
    Data,
    Export,
    Form,
    Handle,
    HandleBasic,
    HandleProperties,
    Import,
    Imported,
    ImportKind,
    MemoryRequirements,
    OwnVmoProperties,
    Properties,
    Requirements,
    ResourceKind,
    RoundTrip,
    VmoInfo,
    Write,
)
from vkzircon_cli.report.report import Report
from vkzircon_cli.report.summary import CheckResult
from vkzircon_cli.stream.document import SCHEMA_VERSION, Emulation, Run, Summary, Tool
from vkzircon_cli.stream.events import Event, Failure, Message, Output
from vkzircon_cli.stream.fold import Fold, StepTime, Transcript

GIB = 1 << 30
LAYER = "VK_LAYER_VKZIRCON_external_memory"
_SIZE = 65536
_RIGHTS = flags(0xD0EF, RIGHT_BITS)


def folded(events: Iterable[Event]) -> Transcript:
    """Fold a whole stream."""
    state = Fold()
    for event in events:
        state.add(event)
    return state.transcript()


def refused(call: str, result: str, reason: str = "") -> Missing:
    """Make the missing answer of a call that returned an error."""
    return Missing(MissingKind.REFUSED, call, result, reason)


def identity(name: str = "Verdant X1", kind: int = 2, info: str = "release 4.2", **changes: object) -> Identity:
    """Make a device's identity."""
    made = Identity(
        name=name,
        name_hex=None,
        type=named(kind, DEVICE_TYPES),
        vendor_id=0x1AE0,
        device_id=0xC0DE,
        api_version=api_version(1 << 22 | 3 << 12 | 230),
        driver_version=Version(16777218, ""),
        driver=Answer(DriverIdentity(named(19, DRIVER_IDS), "verdant", None, info, None, "1.3.5.0")),
        uuids=Answer(Uuids("6d657361-3232-2e33-2e36-000000000000", "6c6c766d-7069-7065-5555-494400000000")),
        max_memory_allocation_count=4096,
        max_memory_allocation_size=Answer(2 * GIB),
        non_coherent_atom_size=64,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def memory(types: Iterable[int] = (1, 7, 15), heaps: Iterable[int] = (8 * GIB, 256 << 20)) -> Memory:
    """Make heaps of these sizes, the first device local, and types with these flags, each on the next heap in turn."""
    sizes = tuple(heaps)
    return Memory(
        tuple(Heap(index, size, flags(int(index == 0), HEAP_BITS)) for index, size in enumerate(sizes)),
        tuple(
            MemoryType(index, index % max(len(sizes), 1), flags(value, MEMORY_PROPERTY_BITS))
            for index, value in enumerate(types)
        ),
    )


def handle(index: int, size: int = _SIZE, **changes: object) -> Handle:
    """Make the handle of a good VMO; *index* determines its value and koid."""
    info = VmoInfo(4, "", size, flags(1, VMO_BITS), "0", 0, 0, 1, size, named(0, {0: "cached"}))
    basic = HandleBasic(str(1040 + index), named(3, {3: "vmo"}), _RIGHTS)
    made = Handle(
        f"{0x4A3B001F + 16 * index:#010x}", True, Answer(True), Answer(basic), Answer(size), Answer(info), Answer(1)
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def round_trip(wrong: int = 0, size: int = _SIZE) -> RoundTrip:
    """Make a round trip with *wrong* wrong bytes in the VMO."""
    good = Answer(Comparison(size, 0, None))
    through_vmo = Answer(Comparison(size, wrong, 4096 if wrong else None))
    return RoundTrip(size, good, good, through_vmo, good)


def device(index: int = 0, who: Identity | None = None, has: Memory | None = None) -> Device:
    """Make a device that shares all of its memory types; only HOST_VISIBLE types have a round trip by the host."""
    who, has = who or identity(), has or memory()
    everything = (1 << len(has.types)) - 1
    numbers = tuple(range(len(has.types)))
    zircon = flags(0x800, HANDLE_TYPE_BITS)
    shared = ExternalMemoryProperties(flags(6, FEATURE_BITS), zircon, zircon, written=True, header_kept=True)
    found = HandleProperties(everything, numbers, True, True, Answer(True), Answer(everything))
    return Device(
        index=index,
        selected=True,
        identity=Answer(who),
        memory=Answer(has),
        extensions=Answer((Extension(EXTENSION, 1), Extension("VK_KHR_external_memory", 1))),
        opened=Answer(
            OpenDevice(
                (EXTENSION,),
                (QueueFamily(0, flags(7, QUEUE_BITS), 1),),
                0,
                tuple(EntryPoint(name, True) for name in ENTRY_POINTS),
            )
        ),
        requirements=(Requirements(ResourceKind.BUFFER, Answer(MemoryRequirements(_SIZE, 64, everything, False))),),
        external_buffers=(ExternalBuffer(flags(3, BUFFER_USAGE_BITS), flags(0, ()), zircon, Answer(shared)),),
        external_images=(),
        external_semaphore=not_asked("VK_FUCHSIA_external_semaphore is not listed"),
        exports=tuple(Export(Form.PLAIN, number, _SIZE, Answer(handle(number))) for number in numbers),
        two_gets=(),
        two_exports=(),
        fresh_bytes=(),
        outlives=(),
        properties=tuple(Properties(number, Answer(found)) for number in numbers),
        own_vmo_properties=(
            OwnVmoProperties("own-vmo", Answer(everything)),
            OwnVmoProperties("no-rights", Answer(0)),
        ),
        imports=tuple(
            Import(ImportKind.SAME_DEVICE, Form.PLAIN, number, Answer(imported(number, everything)))
            for number in numbers
        ),
        releases=(),
        data=tuple(row for each in has.types for row in _data(each)),
        images=(),
        stress=(),
        negative=(),
        closed=Answer(True),
    )


def imported(memory_type: int, candidates: int) -> Imported:
    """Make an import that shares correctly."""
    good = Answer(Comparison(_SIZE, 0, None))
    return Imported(memory_type, candidates, _SIZE, good, good)


def _data(of: MemoryType) -> tuple[Data, Data]:
    hidden: Answer[RoundTrip] = not_asked("the memory type is not HOST_VISIBLE")
    by_host = Answer(round_trip()) if of.flags.value & HOST_VISIBLE else hidden
    return Data(Write.HOST_MAP, of.index, by_host), Data(Write.GPU_FILL, of.index, Answer(round_trip()))


def broken_device() -> Device:
    """Make a device on which a memory type is refused, a VMO is too small, and bytes are lost or wrong."""
    good = device(has=memory((0, 1, 7)))
    no = refused("vkAllocateMemory", "VK_ERROR_OUT_OF_DEVICE_MEMORY")
    exports = (Export(Form.PLAIN, 0, 65536, Answer(None, no)), Export(Form.PLAIN, 1, 65536, Answer(handle(1, 100))))
    crash = Missing(MissingKind.CRASHED, "vkQueueSubmit", "SIGSEGV", "")
    data = tuple(
        replace(row, round_trip=Answer(None, crash) if row.memory_type == 1 else Answer(round_trip(17)))
        for row in good.data
        if row.memory_type
    )
    return replace(good, exports=(*exports, good.exports[2]), properties=good.properties[1:], data=data)


def without_extension(of: Device) -> Device:
    """Remove the extension from a device, and every answer that needs it."""
    return replace(
        of,
        extensions=Answer((Extension("VK_KHR_external_memory", 1),)),
        opened=not_asked("VK_FUCHSIA_external_memory is not offered"),
        requirements=(),
        external_buffers=(),
        exports=(),
        properties=(),
        own_vmo_properties=(),
        imports=(),
        data=(),
    )


def result(outcome: Outcome, id: str, sentence: str, device: int = 0) -> CheckResult:
    """Make a check's verdict."""
    rule = "VUID-VkMemoryAllocateInfo-allocationSize-07903"
    is_bad = SEVERITY[outcome] >= SEVERITY[Outcome.WARN]
    advice = "An importer that asks for the allocation's size would run past the VMO's end." if is_bad else None
    return CheckResult(id, device, outcome, sentence, (f"device{device}/type0/export.plain",), rule, advice)


GOOD_CHECKS = (
    result(Outcome.PASS, "extension.listed", "VK_FUCHSIA_external_memory revision 1 is listed."),
    result(Outcome.PASS, "export.handle-is-vmo", "Memory types 0, 1, 2: the handle is a VMO."),
    result(Outcome.INFO, "export.same-koid", "Memory types 0, 1, 2: the two handles have two koids."),
)


def good_report() -> Report:
    """Make the report of one device that shares its memory correctly."""
    return Report(
        schema_version=SCHEMA_VERSION,
        tool=Tool("vkzircon", "1.0"),
        summary=Summary(Outcome.PASS, "Verdant X1: device memory is shared as a Zircon VMO.", 0, {}),
        error=None,
        emulation=Emulation(False, None, ""),
        environment=Environment("linux", "Linux 6.1.0", "x86_64", "3.11.2", False, True, ()),
        loader=Answer(Loader("libvulkan.so.1", "/usr/lib/libvulkan.so.1.3.239", api_version(1 << 22 | 3 << 12 | 239))),
        kernel=Answer(Kernel("libzircon.so", "/usr/lib/libzircon.so", Answer(4096))),
        instance=Answer(
            Instance(
                api_version(1 << 22 | 1 << 12),
                ("VK_EXT_debug_utils",),
                (Extension("VK_EXT_debug_utils", 2),),
                (Layer("VK_LAYER_MESA_overlay", "Mesa Overlay layer", api_version(1 << 22 | 1 << 12), 1),),
                False,
            )
        ),
        device_count=Answer(1),
        devices=(device(),),
        closed=Answer(True),
        checks=GOOD_CHECKS,
        run=Run(
            "2024-05-01T12:00:00Z",
            103.25,
            (StepTime("loader", 0.0, 1.25), StepTime("device0/type0/export.plain", 1.5, 0.5)),
            (),
            Output("", 0),
        ),
    )


def with_devices(report: Report, *devices: Device) -> Report:
    """Replace the devices of *report*."""
    return replace(report, devices=devices, device_count=Answer(len(devices)))


def altered(**changes: object) -> Report:
    """Return the good report with these changes of its device."""
    good = good_report()
    return with_devices(good, replace(good.devices[0], **changes))  # type: ignore[arg-type]


def concluded(report: Report, outcome: Outcome, sentence: str, exit_code: int, *checks: CheckResult) -> Report:
    """Replace the summary of *report*, and its checks if any are given."""
    return replace(report, summary=Summary(outcome, sentence, exit_code, {}), checks=checks or report.checks)


def stopped(report: Report, message: str, hint: str, exit_code: int = 4) -> Report:
    """Make the report of a run in which no driver could be asked."""
    ended = concluded(with_devices(report), Outcome.FAIL, message, exit_code)
    return replace(ended, checks=(), error=Failure("no-driver", message, hint, exit_code))


def emulated(report: Report) -> Report:
    """Mark *report* as emulated."""
    return replace(report, emulation=Emulation(True, LAYER, "persona=strict"))


def said(report: Report, printed: str = "", messages: Iterable[str] = (), dropped: int = 0) -> Report:
    """Add output of the driver and messages of the loader."""
    told = tuple(Message("error", text) for text in messages)
    return replace(report, run=replace(report.run, messages=told, output=Output(printed, dropped)))


def with_variables(report: Report, **variables: str) -> Report:
    """Set environment variables."""
    listed = tuple(Variable(name, value) for name, value in variables.items())
    return replace(report, environment=replace(report.environment, variables=listed))
