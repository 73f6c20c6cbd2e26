# SPDX-License-Identifier: Apache-2.0
"""Shared libraries as the system's linker sees them."""

# In which order a Vulkan loader is looked for; Fuchsia has the second name only.
LOADER_NAMES = ("libvulkan.so.1", "libvulkan.so")
# The emulation's layer, by its name in Vulkan and by its file.
LAYER_NAME = "VK_LAYER_VKZIRCON_external_memory"
LAYER_LIBRARY = "libVkLayer_vkzircon_external_memory.so"
_MAPS = "/proc/self/maps"


def linker_reason(error: OSError, library: str) -> str:
    """Take dlopen's own words out of cffi's message, which repeats the name and adds a guess of its own."""
    said = str(error).split(".  Additionally", 1)[0].removeprefix(f"cannot load library '{library}': ")
    return said if library in said else f"{library}: {said}"


def mapped_file(library: str) -> str:
    """Find the file behind an opened *library*, '' where the system does not tell (only Linux's /proc does)."""
    stem = _name(library).split(".so", 1)[0] + ".so"
    try:
        with open(_MAPS, encoding="utf-8", errors="backslashreplace") as maps:
            paths = (line.partition("/")[2].rstrip("\n") for line in maps)
            return next(("/" + path for path in paths if _name(path).startswith(stem)), "")
    except OSError:
        return ""


def _name(path: str) -> str:
    return path.rpartition("/")[2]
