# SPDX-License-Identifier: Apache-2.0
"""Is the device a real one, listed once, and does it open and close?"""

from collections.abc import Iterator

from vkzircon_cli.checks.registry import PRACTICE, Finding, Outcome, check, unanswered
from vkzircon_cli.model.facts import Device, Facts
from vkzircon_cli.model.spec import DEVICE_TYPE_CPU


def _is_software(device: Device) -> bool:
    return device.identity.value is not None and device.identity.value.type.value == DEVICE_TYPE_CPU


@check(
    "device.hardware",
    meaning="Not all devices are software rasterizers.",
    rule=PRACTICE,
    advice="A hardware driver may be hidden: look for manifests that failed to load, and rights on the device nodes.",
    needs_extension=False,
)
def hardware(facts: Facts, device: Device) -> Iterator[Finding]:
    step = f"device{device.index}/identity"
    if device.identity.missing is not None:
        yield unanswered(device.identity.missing, step=step, refused=Outcome.SKIP)
    elif not _is_software(device):
        yield Finding(Outcome.PASS, "the device is not a software rasterizer", step=step)
    elif all(_is_software(other) for other in facts.devices):
        yield Finding(Outcome.WARN, "only software devices (CPU) were found", step=step)
    else:
        yield Finding(Outcome.PASS, "the device is software (CPU), and there is hardware beside it", step=step)


@check(
    "device.unique",
    meaning="No other device has this one's UUID.",
    rule=PRACTICE,
    advice="One GPU is listed twice: two drivers for it, or one manifest found on two paths. Remove one of them.",
    needs_extension=False,
)
def unique(facts: Facts, device: Device) -> Iterator[Finding]:
    step = f"device{device.index}/identity"
    own = _uuid(device)
    if own is None:
        yield Finding(Outcome.SKIP, "the device has no UUID", step=step)
        return
    twins = [str(other.index) for other in facts.devices if other.index != device.index and _uuid(other) == own]
    if twins:
        yield Finding(Outcome.WARN, f"the same GPU is listed again as device {', '.join(twins)}", step=step)
    else:
        yield Finding(Outcome.PASS, "its UUID is its own", step=step)


def _uuid(device: Device) -> str | None:
    identity = device.identity.value
    return identity.uuids.value.device_uuid if identity is not None and identity.uuids.value is not None else None


@check(
    "device.opens",
    meaning="vkCreateDevice succeeds with the extension enabled.",
    rule="devsandqueues.adoc, vkCreateDevice",
    advice="An extension that is listed must be one that can be enabled; report it to the driver's vendor.",
)
def opens(_: Facts, device: Device) -> Iterator[Finding]:
    step = f"device{device.index}/open"
    if device.opened.missing is not None:
        yield unanswered(device.opened.missing, step=step)
    else:
        yield Finding(Outcome.PASS, "the device opened with the extension enabled", step=step)


@check(
    "device.closes",
    meaning="vkDestroyDevice and vkDestroyInstance return.",
    rule=PRACTICE,
    advice="The driver dies or hangs while it is torn down; every program that uses it will, too.",
)
def closes(facts: Facts, device: Device) -> Iterator[Finding]:
    for call, step, answer in (
        ("vkDestroyDevice", f"device{device.index}/close", device.closed),
        ("vkDestroyInstance", "instance.destroy", facts.closed),
    ):
        if answer.missing is not None:
            yield unanswered(answer.missing, call, step)
        else:
            yield Finding(Outcome.PASS, "returned", call, step)
