# SPDX-License-Identifier: Apache-2.0
"""The Vulkan loader, instances, devices: the only importer of the `vulkan` binding.

Only the binding's compiled declarations are loaded: types, constants, the loader's symbols. The binding's package opens
one hard-coded library name when imported, returns lists that dangle, leaves sType at 0, has the wrong sign for error
codes and no Zircon types. Every object is made and freed in a `with` block.
"""

import importlib.util
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any
from weakref import WeakKeyDictionary

from vkzircon_cli.bindings import _abi
from vkzircon_cli.bindings.caller import LOCAL, Call, Caller
from vkzircon_cli.bindings.dynlib import LOADER_NAMES, CannotOpen
from vkzircon_cli.errors import CannotAsk, NotAsked, Refused, TimedOut
from vkzircon_cli.model import text
from vkzircon_cli.model.base import HUNG_EARLIER
from vkzircon_cli.model.facts import Extension
from vkzircon_cli.model.host import FUCHSIA, LIBVULKAN_VARIABLE
from vkzircon_cli.model.spec import VK_ERROR_DEVICE_LOST, VK_INCOMPLETE, VK_SUCCESS, VK_TIMEOUT, result_name

_FENCE_LIMIT_S = 10.0

_MOST_ENTRIES = 65_536  # of an enumeration; a larger count was never written
_MOST_TOOLS = 16
_TOOLS = "vkGetPhysicalDeviceToolPropertiesEXT"
_MOST_TRIES = 5  # of an enumeration that returns VK_INCOMPLETE

# Commands that most steps need: they are looked up together, because each look-up is a message to an agent.
# fmt: off
_OF_INSTANCES = (
    "vkGetDeviceProcAddr", "vkDestroyInstance", "vkEnumeratePhysicalDevices",
    "vkEnumerateDeviceExtensionProperties", "vkCreateDevice", "vkGetPhysicalDeviceProperties",
    "vkGetPhysicalDeviceProperties2", "vkGetPhysicalDeviceMemoryProperties",
    "vkGetPhysicalDeviceQueueFamilyProperties", "vkGetPhysicalDeviceExternalBufferProperties",
    "vkGetPhysicalDeviceImageFormatProperties2",
)
_OF_DEVICES = (
    "vkDestroyDevice", "vkGetDeviceQueue", "vkAllocateMemory", "vkFreeMemory", "vkMapMemory", "vkUnmapMemory",
    "vkGetMemoryZirconHandleFUCHSIA", "vkGetMemoryZirconHandlePropertiesFUCHSIA", "vkCreateBuffer",
    "vkDestroyBuffer", "vkGetBufferMemoryRequirements2", "vkBindBufferMemory", "vkCreateImage", "vkDestroyImage",
    "vkGetImageMemoryRequirements2", "vkBindImageMemory", "vkCreateCommandPool", "vkDestroyCommandPool",
    "vkAllocateCommandBuffers", "vkBeginCommandBuffer", "vkEndCommandBuffer", "vkCreateFence", "vkDestroyFence",
    "vkQueueSubmit", "vkWaitForFences", "vkCmdFillBuffer", "vkCmdCopyBuffer", "vkCmdClearColorImage",
    "vkCmdCopyImageToBuffer", "vkCmdPipelineBarrier",
)
# fmt: on

_BETWEEN_WORDS = re.compile("(?<=[a-z])(?=[A-Z0-9])|(?<=[0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")

zircon_ffi: Any = _abi.ffi


def binding() -> Any:
    """Load the declarations of the `vulkan` binding without running its package.

    Raises `CannotAsk` if the binding is not installed, broken, or hidden by another module of its name.
    """
    if (loaded := sys.modules.get("vulkan._vulkancache")) is not None:
        return loaded
    module = _import(_declarations())
    sys.modules["vulkan._vulkancache"] = module
    return module


def _declarations() -> str:
    fix = "Install it with: python3 -m pip install --upgrade vulkan cffi"
    try:
        spec = importlib.util.find_spec("vulkan")
    except (ImportError, ValueError) as error:
        raise CannotAsk("no-binding", f"The Python package vulkan cannot be imported ({error}).", fix) from error
    if spec is None:
        raise CannotAsk("no-binding", "The Python package vulkan is not installed.", fix)
    for folder in spec.submodule_search_locations or ():
        if os.path.isfile(path := os.path.join(folder, "_vulkancache.py")):
            return path
    raise CannotAsk(
        "no-binding",
        f"The module vulkan is not the Vulkan binding: {spec.origin} was found instead.",
        "Rename that file or take its folder out of PYTHONPATH.",
    )


def _import(path: str) -> Any:
    spec = importlib.util.spec_from_file_location("vulkan._vulkancache", path)
    if spec is None or spec.loader is None:
        raise CannotAsk("no-binding", f"The Vulkan binding's file {path} is not a Python module.")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # a damaged install can raise anything
        fix = "Install it again with: python3 -m pip install --force-reinstall vulkan cffi"
        raise CannotAsk("no-binding", f"The Vulkan binding is broken ({error}).", fix) from error
    return module


class Calls:
    """Reports the name of each call before it is made, and refuses those that *hung* in an earlier process."""

    def __init__(self, on_call: Callable[[str], None], hung: frozenset[str] = frozenset()) -> None:
        self._on_call = on_call
        self._hung = hung

    def __call__(self, name: str) -> None:
        """Report a call that is about to be made. Raises `NotAsked` if the call hung before."""
        if self._hung:
            self.must_return(name)
        self._on_call(name)

    def must_return(self, name: str) -> None:
        """Raise `NotAsked` if the call hung before, so that no step leads to it."""
        if name in self._hung:
            raise NotAsked(f"{name} {HUNG_EARLIER}")

    def hangs(self, name: str) -> bool:
        """Whether a call hung before."""
        return name in self._hung


class Vulkan:
    """An opened loader. *on_call* is called with the name of each driver call before *caller* makes it."""

    def __init__(self, ffi: Any, lib: Any, library: str, on_call: Calls, caller: Caller = LOCAL) -> None:
        self.caller = caller
        self.ffi = ffi
        self.lib = lib
        self.library = library
        self.on_call = on_call
        self._kept: WeakKeyDictionary[Any, tuple[Any, ...]] = WeakKeyDictionary()
        self._functions: dict[str, Any] = {}

    def new(self, type: str, value: Any = None) -> Any:
        """Make what ``ffi.new`` makes, for a call."""
        return self.caller.new(self.ffi, type, value)

    def new_zircon(self, type: str, value: Any = None) -> Any:
        """Make a structure of the extension, or a handle, for a call."""
        return self.caller.new(zircon_ffi, type, value)

    def struct(self, name: str, next: Any = None, **fields: Any) -> Any:
        """Make a zeroed structure with its sType, chained to *next*; it keeps alive what it points to."""
        fields["sType"] = getattr(self.lib, _structure_type(name))
        if next is not None:
            fields["pNext"] = next
        made = self.struct_of(name, **fields)
        if not _NUMBERS.issuperset(map(type, fields.values())):
            self._kept[made] = tuple(fields.values())
        return made

    def struct_of(self, name: str, **fields: Any) -> Any:
        """Make a zeroed structure that has no sType."""
        return self.new(f"{name} *", fields)

    def strings(self, names: tuple[str, ...]) -> Any:
        """Make a `const char *const *` that keeps its strings alive."""
        each = [self.new("char[]", name.encode()) for name in names]
        array = self.new("char *[]", each)
        self._kept[array] = tuple(each)
        return array

    def call(self, name: str, function: Any, *arguments: Any) -> None:
        """Call *function* and raise `Refused` unless it returns VK_SUCCESS."""
        self.on_call(name)
        if (result := function(*arguments)) != VK_SUCCESS:
            raise Refused(name, result_name(result))

    def call_void(self, name: str, function: Any, *arguments: Any) -> None:
        """Call a *function* that returns no result."""
        self.on_call(name)
        function(*arguments)

    def enumerate(self, name: str, function: Any, element: str, *arguments: Any) -> list[Any]:
        """Run the two-call idiom, again while the list grows, up to a limit; each element keeps the array alive."""
        count = self.new("uint32_t *")
        for _ in range(_MOST_TRIES):
            count[0] = 0
            self.call(name, function, *arguments, count, self.ffi.NULL)
            if count[0] > _MOST_ENTRIES:
                raise Refused(name, "", f"it counts {count[0]} entries")
            array = self.new(f"{element}[]", max(count[0], 1))
            self.on_call(name)
            result = function(*arguments, count, array)
            if count[0] > len(array):
                raise Refused(name, "", f"it counts {count[0]} entries for an array of {len(array)}")
            if result == VK_SUCCESS:
                return self._elements(array, count[0])
            if result != VK_INCOMPLETE:
                raise Refused(name, result_name(result))
        raise Refused(name, result_name(VK_INCOMPLETE), f"the list was incomplete {_MOST_TRIES} times in a row")

    def _elements(self, array: Any, count: int) -> list[Any]:
        elements = [array[i] for i in range(count)]
        for element in elements:
            if isinstance(element, self.ffi.CData) and self.ffi.typeof(element).kind == "struct":
                self._kept[element] = (array,)
        return elements

    def extension(self, properties: Any) -> Extension:
        """Read a VkExtensionProperties."""
        name, name_hex = self.string(properties.extensionName)
        return Extension(name, properties.specVersion, name_hex)

    def string(self, characters: Any) -> tuple[str, str | None]:
        """Read a C char array up to its NUL, or all of it if it has no NUL."""
        raw = self.ffi.string(characters, len(characters)) if len(characters) else b""
        return text.decode(raw)

    def global_function(self, name: str) -> Any:
        """Look up a command that needs no instance. Raises `Refused` if the loader does not have the command."""
        if name not in self._functions:
            self._functions[name] = self._cast(name, self.lib.vkGetInstanceProcAddr(self.ffi.NULL, name.encode()))
        return self._functions[name]

    def _cast(self, name: str, address: Any) -> Any:
        if address == self.ffi.NULL:
            raise Refused(name, "", "there is no such entry point")
        if name in _ZIRCON_COMMANDS:
            return self.caller.function(zircon_ffi, f"PFN_{name}", int(self.ffi.cast("uintptr_t", address)))
        return self.caller.function(self.ffi, f"PFN_{name}", address)


def _names(name: str, often: Sequence[str]) -> Sequence[str]:
    return often if name in often else (name, *often)


@cache
def _structure_type(name: str) -> str:
    """Return the VkStructureType of a structure: the registry derives it from the words in the structure's *name*."""
    return "VK_STRUCTURE_TYPE_" + _BETWEEN_WORDS.sub("_", name.removeprefix("Vk")).upper()


_NUMBERS = frozenset((int,))  # of fields, which keep nothing alive
_ZIRCON_COMMANDS = ("vkGetMemoryZirconHandleFUCHSIA", "vkGetMemoryZirconHandlePropertiesFUCHSIA")


def open_loader(on_call: Calls, caller: Caller = LOCAL) -> Vulkan:
    """Open the Vulkan loader: the library that VKZIRCON_LIBVULKAN names, or the first of `LOADER_NAMES`.

    Raises:
        CannotAsk: there is no binding, or no library opened; the message has each name and the linker's reason.
    """
    ffi = binding().ffi
    chosen = caller.variable(LIBVULKAN_VARIABLE)
    names = (chosen,) if chosen else LOADER_NAMES
    reasons = []
    for name in names:
        try:
            library = caller.open(name)
        except CannotOpen as refused:
            reasons.append(str(refused))
            continue
        if library.address("vkGetInstanceProcAddr"):
            return Vulkan(ffi, library.through(ffi), name, on_call, caller)
        reasons.append(f"{text.readable(name)} has no vkGetInstanceProcAddr")
    raise CannotAsk("no-loader", f"No Vulkan loader could be opened: {'; '.join(reasons)}.", _loader_hint(caller))


def _loader_hint(caller: Caller) -> str:
    if caller.platform() == FUCHSIA:
        return "Package libvulkan.so in the component's lib folder (//src/lib/vulkan or @fuchsia_sdk//pkg/vulkan)."
    return "Install the loader (Debian: apt-get install libvulkan1), or name one in VKZIRCON_LIBVULKAN."


class Instance:
    """A VkInstance."""

    def __init__(self, vulkan: Vulkan, handle: Any) -> None:
        self.vulkan = vulkan
        self.handle = handle
        self._addresses: dict[str, Any] = {}
        self._functions: dict[str, Any] = {}

    def function(self, name: str) -> Any:
        """Look up an instance-level command. Raises `Refused` if there is no command of that name."""
        if name not in self._functions:
            self._functions[name] = self.vulkan._cast(name, self.address(name))
        return self._functions[name]

    def address(self, name: str) -> Any:
        """Return what vkGetInstanceProcAddr returns for *name*."""
        if name not in self._addresses:
            names = _names(name, () if self._addresses else _OF_INSTANCES)
            look_up = self.vulkan.lib.vkGetInstanceProcAddr
            self._addresses |= zip(names, self.vulkan.caller.look_up(look_up, self.handle, names), strict=True)
        return self._addresses[name]

    def has_command(self, name: str) -> bool:
        """Whether the loader, a layer or a driver has the command *name*."""
        return bool(self.address(name) != self.vulkan.ffi.NULL)

    def physical_devices(self) -> list["PhysicalDevice"]:
        """List the physical devices. Raises `Refused` if vkEnumeratePhysicalDevices failed."""
        name = "vkEnumeratePhysicalDevices"
        found = self.vulkan.enumerate(name, self.function(name), "VkPhysicalDevice", self.handle)
        return [PhysicalDevice(self, handle) for handle in found]


class PhysicalDevice:
    """A VkPhysicalDevice of an instance."""

    def __init__(self, instance: Instance, handle: Any) -> None:
        self.instance = instance
        self.vulkan = instance.vulkan
        self.handle = handle

    def has_function(self, name: str) -> bool:
        """Whether the loader has the command *name*: a loader of Vulkan 1.0 has no 1.1 commands."""
        return self.instance.has_command(name)

    def tools(self) -> list[str]:
        """List the names of active tools; a layer may list itself (VK_EXT_tooling_info)."""
        count, array = (
            self.vulkan.new("uint32_t *", _MOST_TOOLS),
            self.vulkan.new("VkPhysicalDeviceToolProperties[]", _MOST_TOOLS),
        )
        for tool in array:
            tool.sType = self.vulkan.lib.VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_TOOL_PROPERTIES
        self.get(_TOOLS, count, array)
        return [self.vulkan.string(tool.name)[0] for tool in list(array)[: count[0]]]

    def call(self, name: str, *arguments: Any) -> None:
        """Call the instance's command *name* with this device first; raise `Refused` unless it returns VK_SUCCESS."""
        self.vulkan.call(name, self.instance.function(name), self.handle, *arguments)

    def get(self, name: str, *arguments: Any) -> None:
        """Call the instance's command *name*, which returns no result, with this device first."""
        self.vulkan.call_void(name, self.instance.function(name), self.handle, *arguments)


class Device:
    """A VkDevice with a queue, if it has one.

    *lost* is set by the first call that returns VK_ERROR_DEVICE_LOST, *stuck* by work that never ended: then neither
    the device nor anything that such work may use can be destroyed. *fence_limit_s* is the limit of such work.
    """

    def __init__(self, physical: PhysicalDevice, handle: Any, queue_family: int | None) -> None:
        self.vulkan = physical.vulkan
        self.physical = physical
        self.handle = handle
        self.queue_family = queue_family
        self.lost = False
        self.stuck = False
        self.fence_limit_s = _FENCE_LIMIT_S
        self._queue: Any = None
        self._addresses: dict[str, Any] = {}
        self._functions: dict[str, Any] = {}

    def has_function(self, name: str) -> bool:
        """Whether vkGetDeviceProcAddr returns an address; the loader's own trampolines exist for every command."""
        return bool(self._address(name) != self.vulkan.ffi.NULL)

    def call(self, name: str, *arguments: Any) -> None:
        """Call the device's command *name*; raise `Refused` unless it returns VK_SUCCESS."""
        function = self._function(name)
        self.vulkan.on_call(name)
        self._check(name, function(*arguments))

    def in_turn(self, *calls: tuple[Any, ...]) -> None:
        """Make calls, each a name and arguments, up to the first one that fails; raise as `call`."""
        self.vulkan.caller.in_turn([self.to_call(*call) for call in calls])

    def to_call(self, name: str, *arguments: Any) -> Call:
        """Return the call of a command, to be made in turn."""
        return Call(name, self._function(name), arguments, self.vulkan.on_call, self._check)

    def get(self, name: str, *arguments: Any) -> None:
        """Call the device's command *name*, which returns no result; nothing is destroyed if that would hang."""
        if (self.stuck or self.vulkan.on_call.hangs(name)) and name.startswith(("vkDestroy", "vkFree")):
            return
        self.vulkan.call_void(name, self._function(name), *arguments)

    def queue(self) -> Any:
        """Return the queue; it is queried once, because it never changes."""
        if self._queue is None:
            queue = self.vulkan.new("VkQueue *")
            self.get("vkGetDeviceQueue", self.handle, self.queue_family, 0, queue)
            self._queue = queue[0]
        return self._queue

    @contextmanager
    def stopwatch(self, *names: str) -> Iterator[list[int]]:
        """Time the device's commands *names* in the block: the list gets the nanoseconds of each call, in order.

        The clock is the caller's. It runs around the call alone, and calls that are not timed cost no more than before.

        Raises `Refused` if there is no such entry point.
        """
        kept = {name: self._function(name) for name in names}
        times: list[int] = []
        self._functions.update(
            {name: _timed(function, times, self.vulkan.caller.clock_ns) for name, function in kept.items()}
        )
        try:
            yield times
        finally:
            self._functions.update(kept)

    @contextmanager
    def made(
        self,
        kind: str,
        info: Any,
        *,
        by: str = "Create",
        freed_by: str = "Destroy",
        handle: Any = None,
        then: Sequence[tuple[Any, ...]] = (),
    ) -> Iterator[Any]:
        """Create an object of the device and destroy it; yield the pointer to its handle, *handle* if that is set.

        *then* are calls that are made after the creation if that succeeds.

        Raises `Refused` if a call failed.
        """
        is_there = False

        def made(name: str, result: int) -> None:
            nonlocal is_there
            self._check(name, result)
            is_there = True

        null = self.vulkan.ffi.NULL
        handle = self.vulkan.new(f"Vk{kind} *") if handle is None else handle
        noun = kind.removeprefix("Device")
        name, arguments = f"vk{by}{noun}", (self.handle, info, null, handle)
        create = Call(name, self._function(name), arguments, self.vulkan.on_call, made)
        try:
            self.vulkan.caller.in_turn([create, *(self.to_call(*call) for call in then)])
            yield handle
        finally:
            if is_there:
                self.get(f"vk{freed_by}{noun}", self.handle, handle[0], null)

    def _check(self, name: str, result: int) -> None:
        if result == VK_TIMEOUT and name == "vkWaitForFences":  # no other call here waits
            self.stuck = True
            raise TimedOut(name, f"it did not end within {self.fence_limit_s:.3g} s; --timeout allows more time")
        if result == VK_ERROR_DEVICE_LOST:
            self.lost = True
        if result != VK_SUCCESS:
            raise Refused(name, result_name(result))

    def _function(self, name: str) -> Any:
        if name not in self._functions:
            self._functions[name] = self.vulkan._cast(name, self._address(name))
        return self._functions[name]

    def _address(self, name: str) -> Any:
        if name not in self._addresses:
            names = _names(name, () if self._addresses else _OF_DEVICES)
            look_up = self.physical.instance.function("vkGetDeviceProcAddr")
            self._addresses |= zip(names, self.vulkan.caller.look_up(look_up, self.handle, names), strict=True)
        return self._addresses[name]


def _timed(function: Any, times: list[int], clock: Callable[[], int]) -> Callable[..., Any]:
    def call(*arguments: Any) -> Any:
        began = clock()
        result = function(*arguments)
        times.append(clock() - began)
        return result

    return call


@contextmanager
def instance(vulkan: Vulkan, create_info: Any) -> Iterator[Instance]:
    """Create a VkInstance and destroy it. Raises `Refused` if vkCreateInstance failed."""
    made = vulkan.new("VkInstance *")
    vulkan.call("vkCreateInstance", vulkan.global_function("vkCreateInstance"), create_info, vulkan.ffi.NULL, made)
    opened = Instance(vulkan, made[0])
    try:
        yield opened
    finally:
        destroy = opened.function("vkDestroyInstance")
        if not vulkan.on_call.hangs("vkDestroyInstance"):
            vulkan.call_void("vkDestroyInstance", destroy, made[0], vulkan.ffi.NULL)


@contextmanager
def device(physical: PhysicalDevice, create_info: Any, queue_family: int | None) -> Iterator[Device]:
    """Create a VkDevice and destroy it. Raises `Refused` if vkCreateDevice failed."""
    null, made = physical.vulkan.ffi.NULL, physical.vulkan.new("VkDevice *")
    physical.call("vkCreateDevice", create_info, null, made)
    result = Device(physical, made[0], queue_family)
    try:
        yield result
    finally:
        result.get("vkDestroyDevice", made[0], null)
