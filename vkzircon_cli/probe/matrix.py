# SPDX-License-Identifier: Apache-2.0
"""Ask which buffers and images a driver can share by one handle type: usages, tilings, formats and create flags."""

import struct
from collections.abc import Generator
from functools import cached_property, partial

from vkzircon_cli.bindings.formats import FIRST_OF_VULKAN_1_1, all_formats, common_formats
from vkzircon_cli.bindings.vk import PhysicalDevice
from vkzircon_cli.errors import NotAsked
from vkzircon_cli.model import spec
from vkzircon_cli.model.facts import ExternalMemoryProperties, Identity
from vkzircon_cli.model.matrix import Support
from vkzircon_cli.model.queries import CAPABILITIES_EXTENSION, has_vulkan_1_1
from vkzircon_cli.model.request import Formats
from vkzircon_cli.model.vmo import Tiling
from vkzircon_cli.probe.capabilities import external_memory, probe_external_buffer
from vkzircon_cli.probe.resources import TILINGS
from vkzircon_cli.probe.session import DeviceSession
from vkzircon_cli.stream.events import Event

_CALL = "vkGetPhysicalDeviceImageFormatProperties2"
_IMAGE_TYPE_2D = 1
_UNWRITTEN = 0xA5A5A5A5  # no legal set of features
_HEADER = struct.calcsize("@iP")  # sType and pNext
_WORDS = struct.Struct("@iPIII4x")  # VkExternalImageFormatProperties


class MatrixProbe(DeviceSession):
    """Asks one device about one handle type."""

    def probe(self) -> Generator[Event, None, bool]:
        """Query all buffers in one step, then each format in a step of its own, so that a crash costs one step only."""
        yield from self.ask("buffers", "buffers", self._buffers)
        formats = all_formats() if self.of_run.request.formats is Formats.ALL else common_formats()
        for number, name in formats.items():
            key = spec.Named(number, name)
            yield from self.ask(f"image/{name}", "image_formats", partial(self._format, number), format=key)
        return False

    def _buffers(self) -> tuple[Support, ...]:
        self._refuse_unaskable()
        usages: dict[ExternalMemoryProperties, list[str]] = {}
        for name, usage in spec.BUFFER_USAGES.items():
            found = probe_external_buffer(self.physical, self.identity, usage, self.of_run.request.handle_type)
            usages.setdefault(found, []).append(name)
        return tuple(Support(None, tuple(names), None, found) for found, names in usages.items())

    def _format(self, number: int) -> tuple[Support, ...]:
        self._refuse_unaskable()
        if number >= FIRST_OF_VULKAN_1_1 and not has_vulkan_1_1(self.identity):
            raise NotAsked("the format needs Vulkan 1.1")
        return self._images.ask(number)

    def _refuse_unaskable(self) -> None:
        if not (has_vulkan_1_1(self.identity) or CAPABILITIES_EXTENSION in self.of_run.made.enabled_extensions):
            raise NotAsked(f"needs Vulkan 1.1 or {CAPABILITIES_EXTENSION}")

    @cached_property
    def _images(self) -> "_ImageQuery":
        return _ImageQuery(self.physical, self.identity, self.of_run.request.handle_type)


class _ImageQuery:
    """vkGetPhysicalDeviceImageFormatProperties2, or its KHR name, with structures that are created once.

    There are thousands of queries, and most take less than a microsecond, so none creates its own structures.
    """

    def __init__(self, physical: PhysicalDevice, identity: Identity, handle_type: int) -> None:
        vulkan = physical.vulkan
        self._name = _CALL if has_vulkan_1_1(identity) and physical.has_function(_CALL) else _CALL + "KHR"
        self._function = physical.instance.function(self._name)
        self._vulkan = vulkan
        self._physical = physical.handle
        external = vulkan.struct("VkPhysicalDeviceExternalImageFormatInfo", handleType=handle_type)
        self._info = vulkan.struct("VkPhysicalDeviceImageFormatInfo2", external, type=_IMAGE_TYPE_2D)
        self._external = vulkan.struct("VkExternalImageFormatProperties")
        self._external.externalMemoryProperties.externalMemoryFeatures = _UNWRITTEN
        self._found = vulkan.struct("VkImageFormatProperties2", self._external)
        features = vulkan.new("VkPhysicalDeviceFeatures *")
        physical.get("vkGetPhysicalDeviceFeatures", features)
        # VUID-VkImageCreateInfo-flags-00969
        left_out = () if features.sparseBinding else ("SPARSE_BINDING",)
        self._flags = {name: bit for name, bit in spec.IMAGE_CREATE_FLAGS.items() if name not in left_out}

    def ask(self, number: int) -> tuple[Support, ...]:
        """Ask for every tiling and usage of one format; usages with the same answer are grouped.

        The first usage that can be shared is also queried with each create flag.
        """
        # Reported once: no other function is called before the last of these calls has returned.
        self._vulkan.on_call(self._name)
        info, function, physical, found = self._info, self._function, self._physical, self._found
        found_words, external_words = self._vulkan.ffi.buffer(found), self._vulkan.ffi.buffer(self._external)
        found_blank, external_blank = found_words[:], external_words[:]

        def answer() -> tuple[int, bytes, bytes]:
            result = function(physical, info, found)
            key = result, found_words[:_HEADER], external_words[:]
            # The next question begins with the same bytes as this one.
            found_words[:], external_words[:] = found_blank, external_blank
            return key if result == spec.VK_SUCCESS else (result, b"", b"")

        blank = found_blank[:_HEADER], external_blank[:_HEADER]
        supports = []
        info.format = number
        for tiling, tiling_number in TILINGS.items():
            info.tiling = tiling_number
            usages: dict[tuple[int, bytes, bytes], list[str]] = {}
            for name, usage in spec.IMAGE_USAGES.items():
                info.usage = usage
                usages.setdefault(answer(), []).append(name)
            alone = [_support(tiling, key, tuple(names), blank) for key, names in usages.items()]
            supports += alone
            # Only for one usage that can be shared: for all usages, each flag would add as many queries again.
            shared = next((support.usages[0] for support in alone if support.is_supported), None)
            if shared is not None:
                info.usage = spec.IMAGE_USAGES[shared]
                for flag, info.flags in self._flags.items():
                    supports.append(_support(tiling, answer(), (shared,), blank, flag))
                info.flags = 0
        return tuple(supports)


def _support(
    tiling: Tiling,
    key: tuple[int, bytes, bytes],
    usages: tuple[str, ...],
    blank_headers: tuple[bytes, bytes],
    flag: str | None = None,
) -> Support:
    result, found_header, words = key
    if result != spec.VK_SUCCESS:
        return Support(tiling, usages, spec.result_name(result), None, flag)
    _, _, *masks = _WORDS.unpack(words)
    header_kept = (found_header, words[:_HEADER]) == blank_headers
    properties = external_memory(*masks, written=masks[0] != _UNWRITTEN, header_kept=header_kept)
    return Support(tiling, usages, spec.result_name(result), properties, flag)
