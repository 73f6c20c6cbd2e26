# SPDX-License-Identifier: Apache-2.0
"""Opening libraries: what they have, and why the linker refuses them."""

from pathlib import Path

import pytest

from vkzircon_cli.bindings import _abi
from vkzircon_cli.bindings.dynlib import CannotOpen, mapped_file, open_library


def test_a_refusal_has_the_linkers_words_and_the_name(tmp_path: Path) -> None:
    """A name that C cannot have is refused too, instead of what comes before its null byte."""
    text = tmp_path / "text.so"
    text.write_text("not a library")
    for name, words in ((str(text), "file too short"), ("libnone.so", "No such file"), ("libc.so.6\0x", "null byte")):
        with pytest.raises(CannotOpen, match=words) as refused:
            open_library(name)
        assert name in str(refused.value)
        assert words in refused.value.words
    with pytest.raises(CannotOpen, match=r"^/\\xff\.so: cannot open"):
        open_library("/\udcff.so")


def test_an_opened_library_has_its_symbols_and_its_file() -> None:
    """A name that no symbol can have is one that the library does not have."""
    library = open_library("libc.so.6")
    assert library.address("sleep")
    assert [library.address(name) for name in ("no_such_symbol", "sleep\0", "\ud800")] == [0, 0, 0]
    assert library.through(_abi.ffi).sleep(0) == 0
    assert Path(mapped_file("libc.so.6")).name == "libc.so.6"
