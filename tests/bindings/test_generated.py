# SPDX-License-Identifier: Apache-2.0
"""Generated files are what their sources make today, and agree with the headers that they stand for."""

from pathlib import Path

import pytest

from vkzircon_cli.bindings import _abi, abi_build


def test_abi_module_is_fresh(tmp_path: Path) -> None:
    """``python -m vkzircon_cli.bindings.abi_build`` would change nothing."""
    abi_build.generate(tmp_path / "_abi.py")
    assert (tmp_path / "_abi.py").read_text() == abi_build.GENERATED.read_text()


@pytest.mark.parametrize(
    ("struct", "size", "offsets"),
    [
        ("VkImportMemoryZirconHandleInfoFUCHSIA", 24, {"pNext": 8, "handleType": 16, "handle": 20}),
        ("VkMemoryZirconHandlePropertiesFUCHSIA", 24, {"pNext": 8, "memoryTypeBits": 16}),
        ("VkMemoryGetZirconHandleInfoFUCHSIA", 32, {"pNext": 8, "memory": 16, "handleType": 24}),
        ("zx_info_handle_basic_t", 32, {"koid": 0, "rights": 8, "type": 12, "related_koid": 16}),
        ("zx_info_vmo_t", 176, {"name": 8, "size_bytes": 40, "flags": 80, "committed_bytes": 88, "cache_policy": 100}),
    ],
)
def test_structures_have_the_documented_layout(struct: str, size: int, offsets: dict[str, int]) -> None:
    """Sizes and offsets are those of vulkan_fuchsia.h and zircon/syscalls/object.h on LP64."""
    ffi = _abi.ffi
    assert ffi.sizeof(struct) == size
    assert {field: ffi.offsetof(struct, field) for field in offsets} == offsets
