# SPDX-License-Identifier: Apache-2.0
"""Which device of one report is which of the other."""

from collections import deque
from collections.abc import Callable, Iterator

from vkzircon_cli.model.base import record
from vkzircon_cli.model.facts import Device
from vkzircon_cli.model.queries import UNNAMED, display_name

_Key = Callable[[Device], str | int | None]


@record
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
        found = list(_matched(left, right, key))
        pairs += [Pair(one, other, matched_by) for one, other in found]
        left = _without(left, [one for one, _ in found])
        right = _without(right, [other for _, other in found])
    pairs.sort(key=lambda pair: pair.before.index if pair.before else 0)
    return pairs + [Pair(device, None, None) for device in left] + [Pair(None, device, None) for device in right]


def _matched(left: list[Device], right: list[Device], key: _Key) -> Iterator[tuple[Device, Device]]:
    """Match in order those that have the same key; where there is none, nothing is."""
    waiting: dict[str | int, deque[Device]] = {}
    for device in right:
        if (of := key(device)) is not None:
            waiting.setdefault(of, deque()).append(device)
    for device in left:
        of = key(device)
        if of is not None and waiting.get(of):
            yield device, waiting[of].popleft()


def _without(devices: list[Device], matched: list[Device]) -> list[Device]:
    gone = {id(device) for device in matched}
    return [device for device in devices if id(device) not in gone]


def name_of(device: Device) -> str:
    """Give a device's name as it can stand on a page."""
    return display_name(device.identity.value) if device.identity.value else UNNAMED


def _uuid(device: Device) -> str | None:
    uuids = device.identity.value.uuids.value if device.identity.value else None
    # A driver that fills in nothing has one UUID for all of its devices.
    return uuids.device_uuid if uuids and uuids.device_uuid.strip("0-") else None


def _name(device: Device) -> str | None:
    return device.identity.value.name if device.identity.value else None


_KEYS: tuple[tuple[str, _Key], ...] = (
    ("UUID", _uuid),
    ("name", _name),
    ("index", lambda device: device.index),
)
