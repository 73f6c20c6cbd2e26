# SPDX-License-Identifier: Apache-2.0
"""Foreign text: for any bytes of a driver nothing raises, and nothing reaches a page that could act on it."""

import json
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vkzircon_cli.model.spec import OBJECT_TYPES
from vkzircon_cli.model.text import decode, printable_json, visible, with_article


@given(st.binary())
def test_decoding_never_raises_and_loses_nothing(raw: bytes) -> None:
    """Text that is not UTF-8 keeps all its bytes in hex; text that is, is what it was."""
    text, as_hex = decode(raw)
    text.encode("utf-8")
    assert (text.encode() if as_hex is None else bytes.fromhex(as_hex)) == raw


def test_bytes_that_are_not_utf8_are_shown_as_escapes() -> None:
    """A name that is cut in the middle of a character stays readable."""
    assert decode(b"GPU \xff\xfe") == ("GPU \\xff\\xfe", "475055 20fffe".replace(" ", ""))
    assert decode(b"GPU \xe2\x82") == ("GPU \\xe2\\x82", "47505520e282")
    assert decode("显卡".encode()) == ("显卡", None)


@given(st.binary())
def test_a_path_of_any_bytes_is_shown_as_escapes_on_pages_and_in_documents(raw: bytes) -> None:
    """Python keeps a byte that is not UTF-8 as a lone surrogate, which strict JSON parsers refuse."""
    path = raw.decode("utf-8", "surrogateescape")
    shown, _ = decode(raw)
    assert visible(path) == visible(shown)
    assert json.loads(printable_json(json.dumps(path))) == shown


@pytest.mark.parametrize("half", [0xD800, 0xDBFF, 0xDC00, 0xDC7F, 0xDD00, 0xDFFF])
def test_no_half_of_a_pair_is_in_a_document(half: int) -> None:
    """A trace may hold one as an escape; what is written of it can be read again."""
    document = printable_json(json.dumps(f"\\{chr(half)}{chr(half)}💀"))
    assert json.loads(document) == f"\\\\u{half:04x}\\u{half:04x}💀"


@given(st.lists(st.text() | st.sampled_from(["\\", "##", "\\udc80", "udcff", "💀"])).map("".join))
def test_no_other_text_of_a_document_changes(text: str) -> None:
    """Backslashes stay, and so do characters whose second surrogate looks like such a byte."""
    assert json.loads(printable_json(json.dumps(text))) == text


@given(st.text())
def test_visible_text_has_nothing_that_a_page_acts_on(text: str) -> None:
    """No control, format, private or unassigned character is left, and doing it twice changes nothing."""
    shown = visible(text)
    assert not {unicodedata.category(c) for c in shown} & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    assert visible(shown) == shown


def test_visible_text_escapes_what_hides() -> None:
    """Direction overrides, zero-width characters, escapes and line breaks are spelled out."""
    assert visible("a\x1b[31mb") == "a\\x1b[31mb"
    assert visible("a\u202eb\u200bc\nd\x7f") == "a\\u202eb\\u200bc\\nd\\x7f"
    assert visible("\u3164\ufe0f") == "\\u3164\\ufe0f"
    assert visible("显卡 é [red] :warning:") == "显卡 é [red] :warning:"


COMMANDS = (
    *(
        "::error file=a.c::x",
        "  ::stop-commands::token",
        "a\n::set-output name=x::y",
        "GPU ::warning::x",
        "A" * 99 + "::error::x",
    ),
    *("##[error]x", "GPU ##vso[task.setvariable variable=x]y", "####[group]", "##teamcity[testFailed]", ":::debug::x"),
)


@pytest.mark.parametrize("text", COMMANDS)
def test_visible_text_is_no_command_to_a_ci_system(text: str) -> None:
    """No line is a command, wherever lines are broken, and a second call changes nothing."""
    shown = visible(text)
    assert visible(shown) == shown
    lines = [shown[start:].lstrip() for start in range(len(shown))]
    assert not any(re.match(r"::[a-z-]+( [^:]*)?::", line) or re.match(r"##\w*\[", line) for line in lines)


@given(st.text(st.sampled_from(":# []aerox-:>\n")).map(lambda text: f"{text}::error::##x[{text}"))
def test_no_text_around_it_makes_a_command_whole(text: str) -> None:
    """More marks or words before a command do not make it work."""
    shown = visible(text)
    assert visible(shown) == shown
    assert "::error" not in shown
    assert not re.search(r"##\w*\[|(^|\s)::", shown)


def test_names_of_code_stay_readable() -> None:
    """Two colons between names, headings and numbers are no commands."""
    plain = "std::vector<int>::iterator at fe80::1 # 1 ## two [x] C:: a::b::c"
    assert visible(plain) == plain


def test_a_noun_has_the_article_that_is_spoken() -> None:
    """Every kind of kernel object, and the libraries that a manifest may name."""
    assert [with_article(noun) for noun in ("channel", "vmo", "timer", "unknown (77)", "64-bit x86-64 library")] == [
        *("a channel", "a vmo", "a timer", "an unknown (77)", "a 64-bit x86-64 library")
    ]
    assert {noun for noun in OBJECT_TYPES.values() if with_article(noun).startswith("an ")} == {
        *("event", "interrupt", "eventpair", "iommu", "exception", "msi", "iob", "iob-shared-region")
    }
