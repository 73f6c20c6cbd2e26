# SPDX-License-Identifier: Apache-2.0
"""Is the device a real one, listed once, and does it open and close?"""

from collections.abc import Iterator

from vkzircon_cli.checks.registry import PRACTICE, Outcome, RowResult, check
from vkzircon_cli.checks.rows import Judgement, Row, Rows, each, once, step
from vkzircon_cli.model.facts import Device, Facts, Identity, OpenDevice
from vkzircon_cli.model.queries import known_uuid
from vkzircon_cli.model.spec import DEVICE_TYPE_CPU

_MOST_TWINS = 16  # in a sentence


def _identity(device: Device) -> Row[Identity]:
    return Row("", step(device, "identity"), device.identity, Outcome.SKIP)


def _is_software(device: Device) -> bool:
    return device.identity.value is not None and device.identity.value.type.value == DEVICE_TYPE_CPU


@once
def _are_software(facts: Facts) -> bool:
    return all(map(_is_software, facts.devices))


@check("device.hardware", PRACTICE, needs_extension=False)
def hardware(facts: Facts, device: Device) -> Iterator[RowResult]:

    def judge(_: Identity) -> Judgement:
        if not _is_software(device):
            return Outcome.PASS, "the device is not a software rasterizer"
        if facts.instance.value is not None and facts.instance.value.is_emulated:
            return Outcome.SKIP, "the run is emulated, so it is not about hardware"
        if _are_software(facts):
            return Outcome.WARN, "only software devices (CPU) were found"
        return Outcome.PASS, "the device is software (CPU), and there is hardware beside it"

    yield _identity(device).judged(judge)


@check("device.unique", PRACTICE, needs_extension=False)
def unique(facts: Facts, device: Device) -> Iterator[RowResult]:
    row, own = _identity(device), _uuid(device)
    same = _with_uuid(facts).get(own, [])
    if own is None:
        yield row.found(Outcome.SKIP, "the device has no UUID")
    elif len(same) > 1:
        twins = [str(index) for index in same[: _MOST_TWINS + 1] if index != device.index][:_MOST_TWINS]
        more = f" and {len(same) - 1 - len(twins)} more" if len(same) - 1 > len(twins) else ""
        yield row.found(Outcome.WARN, f"the same GPU is listed again as device {', '.join(twins)}{more}")
    else:
        yield row.found(Outcome.PASS, "no other device has its UUID")


@once
def _with_uuid(facts: Facts) -> dict[str | None, list[int]]:
    """Return the devices that have each UUID."""
    found: dict[str | None, list[int]] = {}
    for device in facts.devices:
        found.setdefault(_uuid(device), []).append(device.index)
    return found


def _uuid(device: Device) -> str | None:
    return known_uuid(device.identity.value) if device.identity.value is not None else None


def _opened(device: Device) -> Rows[OpenDevice]:
    return [Row("", step(device, "open"), device.opened)]


@check("device.opens", "devsandqueues.adoc, vkCreateDevice")
@each(_opened)
def opens(_: OpenDevice) -> Judgement:
    return Outcome.PASS, "the device opened with the extension enabled"


@check("device.closes", PRACTICE)
def closes(facts: Facts, device: Device) -> Iterator[RowResult]:
    yield Row("vkDestroyDevice", step(device, "close"), device.closed).judged(_returned)
    yield Row("vkDestroyInstance", "instance.destroy", facts.closed).judged(_returned)


def _returned(_: bool) -> Judgement:
    return Outcome.PASS, "returned"
