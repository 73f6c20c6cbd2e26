# SPDX-License-Identifier: Apache-2.0
"""Which device is meant, and what the extension rests on."""

import pytest
import reports
from hypothesis import given
from hypothesis import strategies as st

from vkzircon_cli.model.base import Answer, BadValue, not_asked
from vkzircon_cli.model.facts import Extension, Identity, Instance, Uuids
from vkzircon_cli.model.queries import (
    cannot_export,
    dependency_leg,
    display_name,
    find_again,
    match_devices,
    select_devices,
)
from vkzircon_cli.model.spec import api_version

FIRST = reports.identity("NVIDIA T1000", uuids=Answer(Uuids("aaaa0000-1111-2222-3333-444444444444", "d")))
SECOND = reports.identity("NVIDIA T1000", uuids=Answer(Uuids("aaaa1111-1111-2222-3333-444444444444", "d")))
THIRD = reports.identity("llvmpipe (256 bits)", uuids=not_asked("needs Vulkan 1.1"))
FOURTH = reports.identity("SwiftShader", uuids=Answer(Uuids("53776966-7453-6861-6465-725555494400", "d")))
NO_UUID = "00000000-0000-0000-0000-000000000000"
MACHINE = (FIRST, SECOND, THIRD, FOURTH)
VULKAN_1_1 = 1 << 22 | 1 << 12


@pytest.mark.parametrize(
    ("selector", "index"),
    [
        ("0", 0),
        ("2", 2),
        ("02", 2),
        ("aaaa1", 1),
        ("AAAA0000-11", 0),
        ("aaaa11111111", 1),
        ("llvm", 2),
        ("256 BITS", 2),
        ("5377", 3),
        ("53776966", 3),
        ("GPU-aaaa1111", 1),
        ("gpu-AAAA0000-11", 0),
    ],
)
def test_a_device_is_chosen_by_index_uuid_or_name(selector: str, index: int) -> None:
    """An index; else a UUID's prefix, as Vulkan or nvidia-smi writes it, or a part of the name, in any case."""
    assert select_devices(MACHINE, selector) == {index}


def test_no_selector_is_every_device() -> None:
    """All devices are probed unless one is chosen."""
    assert select_devices(MACHINE, None) == {0, 1, 2, 3}


@pytest.mark.parametrize("selector", ["T1000", "aaaa", "nvidia"])
def test_an_ambiguous_selector_lists_the_ones_it_could_mean(selector: str) -> None:
    """Two cards of one name cannot be told apart by it: index and UUID of each are given."""
    with pytest.raises(BadValue) as refused:
        select_devices(MACHINE, selector)
    assert "matches 2 devices" in refused.value.message
    assert "0 (NVIDIA T1000, aaaa0000-" in refused.value.hint
    assert "1 (NVIDIA T1000, aaaa1111-" in refused.value.hint
    assert "llvmpipe" not in refused.value.hint


@pytest.mark.parametrize("selector", ["4", "0000-0000", "9" * 5000])
def test_digits_that_are_no_index_and_no_uuid_choose_nothing(selector: str) -> None:
    """A UUID of zeros identifies no device: neither does it answer, nor is it offered."""
    with pytest.raises(BadValue) as refused:
        select_devices((None, _card(NO_UUID, "A")) if "-" in selector else MACHINE, selector)
    assert "No device matches" in refused.value.message
    assert NO_UUID not in refused.value.hint


@given(st.text())
def test_any_selector_chooses_one_device_or_is_refused(selector: str) -> None:
    """For any text, the answer is one device or a sentence without control characters."""
    said = ""
    try:
        chosen = select_devices(MACHINE, selector)
    except BadValue as refused:
        said, chosen = refused.message + refused.hint, frozenset()
    assert len(chosen) == (0 if said else 1)
    assert said.isprintable()


def _card(uuid: str, name: str = "Card", vendor_id: int = 2) -> Identity:
    return reports.identity(name, uuids=Answer(Uuids(uuid, "d")), vendor_id=vendor_id)


def test_a_device_is_found_again_by_uuid_then_ids_then_name_then_index() -> None:
    """This holds if the order changed, if the driver was updated, and if the names and ids are equal."""
    a, b, updated = _card("aa"), _card("bb"), _card("cc", "Card (2.0)")
    other_vendor, new = _card("dd", vendor_id=1), _card("ee", "New", vendor_id=3)
    assert match_devices({0: a, 1: b}, {0: b, 1: a}) == {0: (1, "UUID"), 1: (0, "UUID")}
    assert match_devices({0: a, 1: b}, {0: updated, 1: a}) == {0: (1, "UUID"), 1: (0, "ids")}
    assert match_devices({0: a}, {0: new, 1: updated}) == {0: (1, "ids")}
    assert match_devices({0: a}, {0: updated, 1: _card("ff")}) == {0: (1, "ids")}  # the same name is nearer
    assert match_devices({0: a}, {0: new, 1: other_vendor}) == {0: (1, "name")}
    assert match_devices({0: a, 1: b}, {0: new}) == {0: (0, "index")}
    assert match_devices({0: None}, {0: a}) == {0: (0, "index")}


def test_equal_devices_keep_their_place() -> None:
    """Two manifests of one driver list one device twice, with one UUID."""
    a = _card("aa")
    assert match_devices({0: a, 1: a}, {0: a, 1: a}) == {0: (0, "UUID"), 1: (1, "UUID")}
    assert find_again(a, 1, {0: a, 1: a}) == 1
    assert find_again(a, 2, {0: a, 1: a}) == 0


def test_a_uuid_of_zeros_identifies_no_device() -> None:
    """A driver that fills in no UUID has the same for all of its devices."""
    assert find_again(_card(NO_UUID, "B"), 0, {0: _card(NO_UUID, "A"), 1: _card(NO_UUID, "B")}) == 1


def test_the_index_alone_is_not_enough_where_the_device_is_imported_on() -> None:
    """Another device at the same index is none, unless the caller takes it."""
    among = {0: _card("bb", "Other", vendor_id=1)}
    assert find_again(_card("aa"), 0, among) == 0
    assert find_again(_card("aa"), 0, among, by_index=False) is None
    assert find_again(_card("aa"), 1, among) is None


def test_a_device_without_a_name_gets_one() -> None:
    """An empty or blank name has a stand-in; a hostile one cannot hide."""
    assert display_name(reports.identity("")) == display_name(reports.identity("   ")) == "(no name)"
    assert display_name(reports.identity("a\x1b[0m\u202e")) == "a\\x1b[0m\\u202e"


def _instance(version: int, *enabled: str) -> Instance:
    return Instance(api_version(version), enabled, (), (), is_emulated=False)


def test_the_extension_stands_on_either_leg() -> None:
    """Vulkan 1.1 of instance and device, or the two KHR extensions; one of these alone is no leg."""
    new, old = reports.identity(), reports.identity(api_version=api_version(1 << 22))
    khr = (Extension("VK_KHR_external_memory", 1),)
    capabilities = "VK_KHR_external_memory_capabilities"
    assert dependency_leg(_instance(VULKAN_1_1), new, ()) == "Vulkan 1.1"
    assert dependency_leg(_instance(VULKAN_1_1), old, ()) is None
    assert dependency_leg(_instance(1 << 22), new, ()) is None
    assert dependency_leg(_instance(1 << 22, capabilities), old, khr) == f"{capabilities} and VK_KHR_external_memory"
    assert dependency_leg(_instance(1 << 22, capabilities), old, ()) is None
    assert dependency_leg(_instance(1 << 22), old, khr) is None


def test_memory_that_cannot_be_shared_is_left_out() -> None:
    """PROTECTED and DEVICE_COHERENT_AMD types are not asked to export, and the reason says why."""
    plain, protected, coherent = reports.memory((7, 0x21, 0x47)).types
    assert cannot_export(plain) is None
    assert "PROTECTED" in (cannot_export(protected) or "")
    assert "DEVICE_COHERENT_AMD" in (cannot_export(coherent) or "")
