# SPDX-License-Identifier: Apache-2.0
"""Ask the loader for its version and its layers, and create an instance."""

from contextlib import ExitStack
from typing import Any

from vkzircon_cli.bindings import vk
from vkzircon_cli.bindings.dynlib import LAYER_NAME
from vkzircon_cli.bindings.zircon import Zircon
from vkzircon_cli.errors import Refused
from vkzircon_cli.model.facts import Extension, Instance, Kernel, Layer, Loader
from vkzircon_cli.model.spec import api_version
from vkzircon_cli.model.text import decode, readable
from vkzircon_cli.stream.events import Message, answer_of

_API_1_0, _API_1_1 = 1 << 22, 1 << 22 | 1 << 12
_DEBUG_UTILS = "VK_EXT_debug_utils"
_PORTABILITY = "VK_KHR_portability_enumeration"
# Enabled if offered: those that a Vulkan 1.0 driver needs for the capability queries, and the two above.
_WANTED = ("VK_KHR_get_physical_device_properties2", "VK_KHR_external_memory_capabilities", _PORTABILITY, _DEBUG_UTILS)
_SEVERITIES = {0x1000: "error", 0x100: "warning"}
_MOST_MESSAGES = 100
_OF_OUR_LAYER = "vkGetPhysicalDeviceEmulationVKZIRCON"  # as in layer/interface.c


def probe_loader(vulkan: vk.Vulkan) -> Loader:
    """Ask which library was opened, and its version of Vulkan."""
    return Loader(readable(vulkan.library), vulkan.caller.file_of(vulkan.library), api_version(_loader_version(vulkan)))


def _loader_version(vulkan: vk.Vulkan) -> int:
    try:
        enumerate_version = vulkan.global_function("vkEnumerateInstanceVersion")
    except Refused:
        return _API_1_0  # a loader of Vulkan 1.0 has no such command (vkEnumerateInstanceVersion)
    version = vulkan.new("uint32_t *")
    vulkan.call("vkEnumerateInstanceVersion", enumerate_version, version)
    return int(version[0])


def probe_kernel(kernel: Zircon) -> Kernel:
    """Ask which libzircon was opened, and its page size."""
    return Kernel(readable(kernel.library), kernel.file(), answer_of(kernel.page_size))


class InstanceProbe:
    """Creates the instance of all devices. *messages* is filled while vkCreateInstance runs."""

    def __init__(self, vulkan: vk.Vulkan, stack: ExitStack) -> None:
        self._vulkan = vulkan
        self._stack = stack
        self.messages: list[Message] = []
        self.opened: vk.Instance | None = None
        self.physical_devices: list[vk.PhysicalDevice] = []

    def create(self) -> Instance:
        """Create the instance. Raises `Refused` if vkCreateInstance failed."""
        # A broken manifest fails this call too, but only vkCreateInstance reports why, to a messenger.
        extensions = answer_of(self._extensions)
        enabled = tuple(name for name in _WANTED if name in {e.name for e in extensions.value or ()})
        version = min(_API_1_1, _loader_version(self._vulkan))
        info = self._create_info(enabled, version)
        try:
            self.opened = self._stack.enter_context(vk.instance(self._vulkan, info))
        finally:
            self._vulkan.caller.heard()
        layers = self._layers()
        return Instance(
            api_version=api_version(version),
            enabled_extensions=enabled,
            extensions=extensions.value or (),
            layers=layers,
            is_emulated=self.opened.has_command(_OF_OUR_LAYER) or self._lists_itself(layers, self.opened),
        )

    def _lists_itself(self, layers: tuple[Layer, ...], opened: vk.Instance) -> bool:
        """Whether our layer lists itself as a tool: some builds of the loader hide commands that they do not know."""
        if LAYER_NAME not in {layer.name for layer in layers}:
            return False
        return any(LAYER_NAME in device.tools() for device in opened.physical_devices())

    def devices(self) -> int:
        """List the physical devices and return their number. Raises `Refused` if vkEnumeratePhysicalDevices failed."""
        self.physical_devices = self.opened.physical_devices() if self.opened is not None else []
        return len(self.physical_devices)

    def destroy(self) -> bool:
        """Destroy the instance; return True, once vkDestroyInstance returned."""
        self._stack.close()
        return True

    def _create_info(self, enabled: tuple[str, ...], version: int) -> Any:
        vulkan = self._vulkan
        return vulkan.struct(
            "VkInstanceCreateInfo",
            self._messenger(),
            flags=1 if _PORTABILITY in enabled else 0,  # VK_INSTANCE_CREATE_ENUMERATE_PORTABILITY_BIT_KHR
            pApplicationInfo=vulkan.struct("VkApplicationInfo", apiVersion=version),
            enabledExtensionCount=len(enabled),
            ppEnabledExtensionNames=vulkan.strings(enabled),
        )

    def _extensions(self) -> tuple[Extension, ...]:
        found = self._listed("vkEnumerateInstanceExtensionProperties", "VkExtensionProperties", self._vulkan.ffi.NULL)
        return tuple(map(self._vulkan.extension, found))

    def _layers(self) -> tuple[Layer, ...]:
        return tuple(map(self._layer, self._listed("vkEnumerateInstanceLayerProperties", "VkLayerProperties")))

    def _listed(self, name: str, element: str, *arguments: Any) -> list[Any]:
        return self._vulkan.enumerate(name, self._vulkan.global_function(name), element, *arguments)

    def _layer(self, properties: Any) -> Layer:
        name, name_hex = self._vulkan.string(properties.layerName)
        description, description_hex = self._vulkan.string(properties.description)
        version = api_version(properties.specVersion)
        return Layer(name, description, version, properties.implementationVersion, name_hex, description_hex)

    def _messenger(self) -> Any:
        vulkan = self._vulkan
        listener = vulkan.caller.listener(vulkan.ffi, self._listen)
        return listener and vulkan.struct(
            "VkDebugUtilsMessengerCreateInfoEXT",
            messageSeverity=sum(_SEVERITIES),
            messageType=0x7,
            pfnUserCallback=listener,
        )

    def _listen(self, severity: int, words: bytes) -> None:
        said = decode(words)
        if len(self.messages) < _MOST_MESSAGES and not _is_our_doing(said[0]):
            self.messages.append(Message(_SEVERITIES.get(severity, str(severity)), *said))


def list_devices(vulkan: vk.Vulkan, stack: ExitStack) -> list[vk.PhysicalDevice]:
    """Create one more instance, which *stack* destroys, and list its devices.

    Raises `Refused` if one of the calls failed.
    """
    probe = InstanceProbe(vulkan, stack)
    probe.create()
    probe.devices()
    return probe.physical_devices


def _is_our_doing(text: str) -> bool:
    """Whether the loader only reports that --emulate named our own layer, and no other."""
    return "VK_INSTANCE_LAYERS" in text and f'"{LAYER_NAME}"' in text
