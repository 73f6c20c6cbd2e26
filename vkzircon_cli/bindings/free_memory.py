# SPDX-License-Identifier: Apache-2.0
"""The memory that a process can still allocate on Linux: the system's, and its control group's."""

from collections.abc import Sequence
from os import PathLike

_File = str | PathLike[str]
_MEMINFO = "/proc/meminfo"
# The limit and the usage of a control group, in version 2 and in version 1.
_GROUPS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)


def system_memory(meminfo: _File = _MEMINFO, groups: Sequence[tuple[_File, _File]] = _GROUPS) -> int | None:
    """Return the bytes that this process can still allocate, None on systems without Linux's files."""
    left = [_available(meminfo), *(_left_in(most, used) for most, used in groups)]
    return min((each for each in left if each is not None), default=None)


def _available(meminfo: _File) -> int | None:
    lines = _read(meminfo).splitlines()
    found = next((line.split() for line in lines if line.startswith("MemAvailable:")), None)
    return int(found[1]) * 1024 if found and found[1].isdigit() else None


def _read(path: _File) -> str:
    """Return a file's text, '' if it cannot be read."""
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def _left_in(most: _File, used: _File) -> int | None:
    limit, usage = _read(most).strip(), _read(used).strip()
    return max(int(limit) - int(usage), 0) if limit.isdigit() and usage.isdigit() else None
