# SPDX-License-Identifier: Apache-2.0
"""Pairs the devices of two reports."""

from collections.abc import Sequence

from vkzircon_cli.model.base import record
from vkzircon_cli.model.facts import Device
from vkzircon_cli.model.queries import UNNAMED, display_name, match_devices


@record
class DevicePair:
    """A device of both reports, or of one."""

    before: Device | None
    after: Device | None
    matched_by: str | None


def pair_devices(before: Sequence[Device], after: Sequence[Device]) -> list[DevicePair]:
    """Pair each device with the same one of the other report; devices without a partner come last."""
    was, now = ({device.index: device for device in devices} for devices in (before, after))
    identities = ({index: device.identity.value for index, device in side.items()} for side in (was, now))
    matches = match_devices(*identities)
    pairs = [DevicePair(was[index], now[matches[index][0]], matches[index][1]) for index in sorted(matches)]
    taken = {match for match, _ in matches.values()}
    gone = [DevicePair(device, None, None) for device in before if device.index not in matches]
    return pairs + gone + [DevicePair(None, device, None) for device in after if device.index not in taken]


def name_of(device: Device) -> str:
    """Return a device's name in printable characters."""
    return display_name(device.identity.value) if device.identity.value else UNNAMED
