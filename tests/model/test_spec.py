# SPDX-License-Identifier: Apache-2.0
"""Numbers get the spec's names, and a number without one stays a number."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vkzircon_cli.model.spec import (
    DEVICE_TYPES,
    FEATURE_BITS,
    HANDLE_TYPE_BITS,
    MEMORY_PROPERTY_BITS,
    RIGHT_BITS,
    ZIRCON_VMO,
    Flags,
    api_version,
    driver_version,
    flags,
    looks_like_handle,
    named,
    result_name,
    status_name,
)


def test_the_extensions_own_error_has_its_true_sign() -> None:
    """The binding files it under a positive number; drivers answer the negative one."""
    assert result_name(-1000072003) == "VK_ERROR_INVALID_EXTERNAL_HANDLE"
    assert result_name(1000072003) == "VkResult 1000072003"
    assert result_name(-77) == "VkResult -77"
    assert status_name(-20) == "ZX_ERR_BAD_STATE"
    assert status_name(-99) == "zx_status_t -99"


@given(st.integers(min_value=0, max_value=2**64 - 1))
def test_every_bit_of_a_flag_word_is_named(value: int) -> None:
    """As many names as bits are set, known or not."""
    assert len(flags(value, MEMORY_PROPERTY_BITS).names) == value.bit_count()


def test_flags_use_the_specs_words() -> None:
    """Bit numbers are those of vk.xml and rights.h."""
    assert flags(0x7, MEMORY_PROPERTY_BITS).names == ("DEVICE_LOCAL", "HOST_VISIBLE", "HOST_COHERENT")
    assert flags(ZIRCON_VMO, HANDLE_TYPE_BITS) == Flags(0x800, ("ZIRCON_VMO_FUCHSIA",))
    assert flags(0x8, FEATURE_BITS).names == ("bit 3",)
    default_vmo = ("DUPLICATE", "TRANSFER", "READ", "WRITE", "MAP", "GET_PROPERTY", "SET_PROPERTY", "SIGNAL")
    assert flags(0xD0EF, RIGHT_BITS).names == (*default_vmo, "WAIT", "INSPECT")


def test_an_unknown_enumerant_keeps_its_number() -> None:
    """A device type outside the spec's five is shown, not a KeyError."""
    assert named(77, DEVICE_TYPES).name == "unknown (77)"


@pytest.mark.parametrize(
    ("value", "text"), [(4198400, "1.1.0"), (1 << 22 | 4 << 12 | 999, "1.4.999"), (1 << 29 | 1 << 22, "1:1.0.0")]
)
def test_api_versions_are_unpacked(value: int, text: str) -> None:
    """A variant other than 0 shows."""
    assert api_version(value).text == text


def test_driver_versions_are_decoded_only_where_the_packing_is_known() -> None:
    """NVIDIA's packing and Mesa's are known; nothing else is guessed."""
    assert driver_version(580 << 22 | 159 << 14 | 4 << 6, 4).text == "580.159.4.0"
    assert driver_version(22 << 22 | 3 << 12 | 6, 13).text == "22.3.6"
    assert driver_version(2148765696, None).text == ""
    assert driver_version(4294967295, 9).text == ""


def test_handles_have_both_low_bits_set() -> None:
    """ZX_HANDLE_INVALID and a file descriptor are no handles."""
    assert [looks_like_handle(value) for value in (0, 1, 3, 4, 0xFFFFFFFC, 0xABCD1237)] == [
        False,
        False,
        True,
        False,
        False,
        True,
    ]
