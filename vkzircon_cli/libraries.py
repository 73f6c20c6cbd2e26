# SPDX-License-Identifier: Apache-2.0
"""Shared libraries as the system's linker sees them."""

from pathlib import Path

# In which order a Vulkan loader is looked for; Fuchsia has the second name only.
LOADER_NAMES = ("libvulkan.so.1", "libvulkan.so")
_MAPS = Path("/proc/self/maps")


def linker_reason(error: OSError, library: str) -> str:
    """Take dlopen's own words out of cffi's message, which repeats the name and adds a guess of its own."""
    said = str(error).split(".  Additionally", 1)[0].removeprefix(f"cannot load library '{library}': ")
    return said if library in said else f"{library}: {said}"


def mapped_file(library: str) -> str:
    """Find the file behind an opened *library*, '' where the system does not tell (only Linux's /proc does)."""
    stem = Path(library).name.split(".so", 1)[0] + ".so"
    try:
        lines = _MAPS.read_text("utf-8", "backslashreplace").splitlines()
    except OSError:
        return ""
    for line in lines:
        path = line.partition("/")[2]
        if path and Path(path).name.startswith(stem):
            return "/" + path
    return ""
