# SPDX-License-Identifier: Apache-2.0
"""VkFormat: Vulkan 1.1's formats by number, named without VK_FORMAT_, and those that most programs use."""

from functools import cache

from vkzircon_cli.bindings.vk import binding

_PREFIX = "VK_FORMAT_"
_LAST_OF_VULKAN_1_0, FIRST_OF_VULKAN_1_1 = 184, 1_000_156_000
_COMMON = """
    R8_UNORM R8G8_UNORM R8G8B8A8_UNORM R8G8B8A8_SRGB R8G8B8A8_UINT B8G8R8A8_UNORM B8G8R8A8_SRGB
    R5G6B5_UNORM_PACK16 A2B10G10R10_UNORM_PACK32 B10G11R11_UFLOAT_PACK32 R16_SFLOAT R16G16B16A16_SFLOAT R32_UINT
    R32_SFLOAT R32G32B32A32_SFLOAT D16_UNORM D24_UNORM_S8_UINT D32_SFLOAT S8_UINT BC7_UNORM_BLOCK
    ETC2_R8G8B8A8_UNORM_BLOCK ASTC_4x4_UNORM_BLOCK G8_B8R8_2PLANE_420_UNORM G8_B8_R8_3PLANE_420_UNORM
"""


@cache
def all_formats() -> dict[int, str]:
    """Return the name of each format of Vulkan 1.1, in the order of their numbers."""
    names = binding().ffi.typeof("VkFormat").elements
    return {
        number: names[number].removeprefix(_PREFIX).removesuffix("_KHR")  # as some were called before 1.1
        for number in sorted(names)
        if 0 < number <= _LAST_OF_VULKAN_1_0 or number // 1000 == FIRST_OF_VULKAN_1_1 // 1000
    }


def common_formats() -> dict[int, str]:
    """Return the formats that most programs use, in the order of their numbers."""
    common = _COMMON.split()
    return {number: name for number, name in all_formats().items() if name in common}
