# SPDX-License-Identifier: Apache-2.0
"""Ask a physical device for its identity, extensions and memory, find it again, and open it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from vkzircon_cli.bindings import vk
from vkzircon_cli.model import facts, spec
from vkzircon_cli.model.base import Answer, not_asked
from vkzircon_cli.model.queries import find_again, find_extension
from vkzircon_cli.stream.events import answer_of

_API_1_1, _API_1_2 = 1 << 22 | 1 << 12, 1 << 22 | 2 << 12
_DRIVER_PROPERTIES = "VK_KHR_driver_properties"
_DEPENDENCY = "VK_KHR_external_memory"
_MOST_FAMILIES = 1000  # if the driver's count is wrong
_PORTABILITY_SUBSET = "VK_KHR_portability_subset"


def probe_identity(physical: vk.PhysicalDevice) -> facts.Identity:
    """Query VkPhysicalDeviceProperties, and the chained structures that the device's version has."""
    vulkan = physical.vulkan
    found = vulkan.new("VkPhysicalDeviceProperties *")
    physical.get("vkGetPhysicalDeviceProperties", found)
    details = _Details(physical, found.apiVersion & 0x1FFFFFFF)
    driver_identity = details.driver()
    device_name, name_hex = vulkan.string(found.deviceName)
    return facts.Identity(
        name=device_name,
        name_hex=name_hex,
        type=spec.named(found.deviceType, spec.DEVICE_TYPES),
        vendor_id=found.vendorID,
        device_id=found.deviceID,
        api_version=spec.api_version(found.apiVersion),
        driver_version=spec.driver_version(
            found.driverVersion, driver_identity.value.id.value if driver_identity.value else None
        ),
        driver=driver_identity,
        uuids=details.uuids(),
        max_memory_allocation_count=found.limits.maxMemoryAllocationCount,
        max_memory_allocation_size=details.max_allocation_size(),
        non_coherent_atom_size=found.limits.nonCoherentAtomSize,
    )


class _Details:
    """vkGetPhysicalDeviceProperties2 with the structures that *version* (or an extension) allows, queried once."""

    def __init__(self, physical: vk.PhysicalDevice, version: int) -> None:
        self._vulkan = vulkan = physical.vulkan
        self._has_ids = version >= _API_1_1 and physical.has_function("vkGetPhysicalDeviceProperties2")
        self._has_driver = self._has_ids and (version >= _API_1_2 or lists_extension(physical, _DRIVER_PROPERTIES))
        self._limits = vulkan.struct("VkPhysicalDeviceMaintenance3Properties")
        self._ids = vulkan.struct("VkPhysicalDeviceIDProperties", self._limits)
        self._driver = vulkan.struct("VkPhysicalDeviceDriverProperties", self._ids)
        if self._has_ids:
            first = self._driver if self._has_driver else self._ids
            everything = vulkan.struct("VkPhysicalDeviceProperties2", first)
            physical.get("vkGetPhysicalDeviceProperties2", everything)

    def driver(self) -> Answer[facts.DriverIdentity]:
        if not self._has_driver:
            return not_asked(f"needs Vulkan 1.2 or {_DRIVER_PROPERTIES}")
        found, version = self._driver, self._driver.conformanceVersion
        name, info = (self._vulkan.string(characters) for characters in (found.driverName, found.driverInfo))
        driver = spec.named(int(self._vulkan.ffi.cast("uint32_t", found.driverID)), spec.DRIVER_IDS)
        conformance = f"{version.major}.{version.minor}.{version.subminor}.{version.patch}"
        return Answer(facts.DriverIdentity(driver, *name, *info, conformance))

    def uuids(self) -> Answer[facts.Uuids]:
        if not self._has_ids:
            return not_asked("needs Vulkan 1.1")
        return Answer(facts.Uuids(_uuid(self._ids.deviceUUID), _uuid(self._ids.driverUUID)))

    def max_allocation_size(self) -> Answer[int]:
        return Answer(self._limits.maxMemoryAllocationSize) if self._has_ids else not_asked("needs Vulkan 1.1")


def _uuid(raw: Any) -> str:
    text = bytes(raw).hex()
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def lists_extension(physical: vk.PhysicalDevice, name: str = spec.EXTENSION) -> bool:
    """Whether the device lists the extension *name*; False if the list cannot be read."""
    listed = answer_of(partial(probe_extensions, physical)).value or ()
    return find_extension(listed, name) is not None


def find_device(
    wanted: facts.Identity, index: int, among: Sequence[vk.PhysicalDevice], *, by_index: bool
) -> vk.PhysicalDevice | None:
    """Return the device of another process or instance in *among*, by the rule of `queries.find_again`."""
    there = {i: answer_of(partial(probe_identity, physical)).value for i, physical in enumerate(among)}
    found = find_again(wanted, index, there, by_index=by_index)
    return None if found is None else among[found]


def probe_extensions(physical: vk.PhysicalDevice) -> tuple[facts.Extension, ...]:
    """List the device's extensions, in the driver's order."""
    vulkan, name = physical.vulkan, "vkEnumerateDeviceExtensionProperties"
    function = physical.instance.function(name)
    found = vulkan.enumerate(name, function, "VkExtensionProperties", physical.handle, vulkan.ffi.NULL)
    return tuple(vulkan.extension(e) for e in found)


def probe_memory(physical: vk.PhysicalDevice) -> facts.Memory:
    """Ask for heaps and memory types; a count past the arrays' end is cut there."""
    found = physical.vulkan.new("VkPhysicalDeviceMemoryProperties *")
    physical.get("vkGetPhysicalDeviceMemoryProperties", found)
    heaps, types = found.memoryHeaps, found.memoryTypes
    return facts.Memory(
        heaps=tuple(
            facts.Heap(i, heaps[i].size, spec.flags(heaps[i].flags, spec.HEAP_BITS))
            for i in range(min(found.memoryHeapCount, len(heaps)))
        ),
        types=tuple(
            facts.MemoryType(i, types[i].heapIndex, spec.flags(types[i].propertyFlags, spec.MEMORY_PROPERTY_BITS))
            for i in range(min(found.memoryTypeCount, len(types)))
        ),
    )


def _queue_families(physical: vk.PhysicalDevice) -> tuple[facts.QueueFamily, ...]:
    vulkan, name = physical.vulkan, "vkGetPhysicalDeviceQueueFamilyProperties"
    count = vulkan.new("uint32_t *")
    physical.get(name, count, vulkan.ffi.NULL)
    families = vulkan.new("VkQueueFamilyProperties[]", min(max(count[0], 1), _MOST_FAMILIES))
    count[0] = min(count[0], len(families))
    physical.get(name, count, families)
    return tuple(
        facts.QueueFamily(i, spec.flags(families[i].queueFlags, spec.QUEUE_BITS), families[i].queueCount)
        for i in range(min(count[0], len(families)))
    )


def _transfer_family(families: tuple[facts.QueueFamily, ...]) -> int | None:
    """Choose a family that can fill, clear and copy: graphics and compute imply transfer (VkQueueFlagBits).

    A transfer-only family is the last choice, since vkCmdClearColorImage needs one of the others.
    """
    for wanted in (spec.QUEUE_GRAPHICS | spec.QUEUE_COMPUTE, spec.QUEUE_TRANSFER):
        for family in families:
            if family.count and family.flags.value & wanted:
                return family.index
    return None


def extensions_to_enable(listed: tuple[facts.Extension, ...], leg: str) -> tuple[str, ...]:
    """Return the extensions to enable: this one, the *leg* that it depends on, and those that are mandatory."""
    needed = [_DEPENDENCY] if _DEPENDENCY in leg else []
    if find_extension(listed, _PORTABILITY_SUBSET):
        needed.append(_PORTABILITY_SUBSET)  # VUID-VkDeviceCreateInfo-pProperties-04451
    return (spec.EXTENSION, *needed)


class DeviceOpener:
    """Opens one physical device, any number of times, with the extensions *enabled*."""

    def __init__(self, physical: vk.PhysicalDevice, enabled: tuple[str, ...]) -> None:
        self.physical = physical
        self.enabled = enabled
        self.queue_families: tuple[facts.QueueFamily, ...] = ()
        self.queue_family: int | None = None

    @contextmanager
    def open(self) -> Iterator[vk.Device]:
        """Create a device and destroy it. Raises `Refused` if vkCreateDevice failed."""
        if not self.queue_families:
            self.queue_families = _queue_families(self.physical)
            self.queue_family = _transfer_family(self.queue_families)
        with vk.device(self.physical, self._create_info(), self.queue_family) as device:
            yield device

    def _create_info(self) -> Any:
        vulkan = self.physical.vulkan
        queue = vulkan.struct(
            "VkDeviceQueueCreateInfo",
            queueFamilyIndex=self.queue_family or 0,
            queueCount=1,
            pQueuePriorities=vulkan.new("float[]", [1.0]),
        )
        return vulkan.struct(
            "VkDeviceCreateInfo",
            queueCreateInfoCount=1 if self.queue_families else 0,
            pQueueCreateInfos=queue if self.queue_families else vulkan.ffi.NULL,
            enabledExtensionCount=len(self.enabled),
            ppEnabledExtensionNames=vulkan.strings(self.enabled),
        )

    def describe(self, device: vk.Device) -> facts.OpenDevice:
        """Return how an opened device was created, and which of the extension's commands it has."""
        return facts.OpenDevice(
            enabled_extensions=self.enabled,
            queue_families=self.queue_families,
            queue_family=self.queue_family,
            entry_points=tuple(facts.EntryPoint(name, device.has_function(name)) for name in spec.ENTRY_POINTS),
        )
