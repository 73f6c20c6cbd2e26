# SPDX-License-Identifier: Apache-2.0
"""The limit of open files: each emulated VMO is a file, and Vulkan allows 4,096 allocations at least."""

from contextlib import suppress


def raise_open_files() -> None:
    """Raise the soft limit of this process and its children to the hard one."""
    import resource  # Linux only, as the emulation

    with suppress(OSError, ValueError):  # a sandbox may refuse it, and fewer files may be enough
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
