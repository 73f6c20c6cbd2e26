# SPDX-License-Identifier: Apache-2.0
"""Which device of one report is which of the other."""

from collections.abc import Callable
from dataclasses import dataclass

from vkzircon_cli.facts import Device
from vkzircon_cli.offer import UNNAMED, display_name


@dataclass(frozen=True, slots=True)
class Pair:
    """A device of both reports, or of one."""

    before: Device | None
    after: Device | None
    matched_by: str | None


def pair_devices(before: tuple[Device, ...], after: tuple[Device, ...]) -> list[Pair]:
    """Match devices by UUID, else by name, else by index; what stays alone comes last."""
    left, right = list(before), list(after)
    pairs: list[Pair] = []
    for matched_by, key in _KEYS:
        for device in tuple(left):
            wanted = key(device)
            twin = next((other for other in right if wanted is not None and key(other) == wanted), None)
            if twin is not None:
                left.remove(device)
                right.remove(twin)
                pairs.append(Pair(device, twin, matched_by))
    pairs.sort(key=lambda pair: pair.before.index if pair.before else 0)
    return pairs + [Pair(device, None, None) for device in left] + [Pair(None, device, None) for device in right]


def name_of(device: Device) -> str:
    """Give a device's name as it can stand on a page."""
    return display_name(device.identity.value) if device.identity.value else UNNAMED


def _uuid(device: Device) -> str | None:
    uuids = device.identity.value.uuids.value if device.identity.value else None
    # A driver that fills in nothing has one UUID for all of its devices.
    return uuids.device_uuid if uuids and uuids.device_uuid.strip("0-") else None


def _name(device: Device) -> str | None:
    return device.identity.value.name if device.identity.value else None


_KEYS: tuple[tuple[str, Callable[[Device], str | int | None]], ...] = (
    ("UUID", _uuid),
    ("name", _name),
    ("index", lambda device: device.index),
)
