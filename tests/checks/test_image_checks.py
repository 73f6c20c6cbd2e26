# SPDX-License-Identifier: Apache-2.0
"""Images: their sharing in plain and dedicated memory, and the answers of their queries."""

from dataclasses import replace
from typing import Any

import pytest
from device_changes import (
    HALF,
    REFUSED,
    Change,
    capabilities,
    facts,
    good_device,
    images_answer,
    images_refused,
    refused_plain,
    requires_dedicated,
)

from vkzircon_cli.checks import REGISTRY, Outcome
from vkzircon_cli.model.base import Answer, not_asked
from vkzircon_cli.model.vmo import (
    Form,
    ImageTrip,
    ResourceKind,
)


def test_plain_exports_are_promised_unless_dedicated_only_is_reported() -> None:
    """Where the same type and size exports dedicated, a refusal in every such type is no lack of memory."""
    bad = refused_plain(good_device())
    verdict = REGISTRY["capabilities.agree-export"].verdict(facts(bad), bad)
    assert verdict.outcome is Outcome.FAIL
    assert verdict.steps == ("device0/type0/export.plain", "device0/type1/export.plain")
    assert verdict.sentence == (
        "Both memory types: the driver reports export without DEDICATED_ONLY, and only dedicated memory is exported: "
        "vkAllocateMemory returned VK_ERROR_OUT_OF_DEVICE_MEMORY for plain memory."
    )


def _plain_trip(trip: Answer[ImageTrip]) -> Change:
    return lambda device: replace(
        device, images=(*device.images, replace(device.images[0], trip=trip, form=Form.PLAIN_IMAGE))
    )


def test_plain_memory_of_images_is_promised_as_that_of_buffers() -> None:
    """If an image is shared in dedicated memory only, the driver must report DEDICATED_ONLY; one row says so."""
    bad = _plain_trip(Answer(None, REFUSED))(good_device())
    verdict = REGISTRY["capabilities.images"].verdict(facts(bad), bad)
    assert verdict.outcome is Outcome.FAIL
    assert verdict.sentence.endswith("vkAllocateMemory returned VK_ERROR_OUT_OF_DEVICE_MEMORY for plain memory.")
    assert REGISTRY["data.image"].verdict(facts(bad), bad).outcome is Outcome.PASS
    left_out = _plain_trip(not_asked("such images are DEDICATED_ONLY"))(good_device())
    assert REGISTRY["capabilities.images"].verdict(facts(left_out), left_out).outcome is Outcome.PASS


def test_wrong_pixels_in_plain_memory_are_told_as_such() -> None:
    """A row of its own, with its own step."""
    bad = _plain_trip(Answer(ImageTrip(0, 64, HALF)))(good_device())
    verdict = REGISTRY["data.image"].verdict(facts(bad), bad)
    assert verdict.outcome is Outcome.FAIL
    assert verdict.sentence.startswith("Linear R8G8B8A8_UNORM in plain memory: 32 of 64 bytes")
    assert verdict.steps == ("device0/image/linear.r8g8b8a8_unorm/trip.plain-image",)


def test_dedicated_memory_of_images_is_compared_too() -> None:
    """The image that is asked about is the first that can be exported; the tests that want both equal are named."""
    good = good_device()
    (buffer,) = good.requirements
    image = replace(requires_dedicated(good).requirements[0], resource=ResourceKind.IMAGE)
    bad = replace(good, requirements=(buffer, image))
    verdict = REGISTRY["capabilities.dedicated"].verdict(facts(bad), bad)
    assert verdict.outcome is Outcome.FAIL
    assert verdict.sentence == "Linear R8G8B8A8_UNORM: DEDICATED_ONLY is not reported, and required."
    odd = capabilities(features=7)(good)
    assert "zircon_vmo.*.buffer.info" in REGISTRY["capabilities.dedicated"].verdict(facts(odd), odd).sentence


@pytest.mark.parametrize(
    ("id", "change", "outcome", "words"),
    [
        ("well-formed", images_answer(written=False), Outcome.FAIL, "nothing was written"),
        ("well-formed", images_answer(kept=False), Outcome.FAIL, "sType or pNext was changed"),
        ("well-formed", images_answer(features=0x16), Outcome.FAIL, "unknown bits"),
        ("well-formed", images_answer(handle_type=8, written=False), Outcome.FAIL, "by D3D11_TEXTURE"),
        ("well-formed", images_refused(0x800), Outcome.PASS, "well formed"),
        ("compatible", images_answer(compatible=1), Outcome.FAIL, "OPAQUE_FD, without ZIRCON_VMO"),
        ("compatible", images_answer(0, 0), Outcome.FAIL, "VK_SUCCESS without a feature, not VK_ERROR_FORMAT"),
        ("compatible", images_answer(0), Outcome.WARN, "VK_SUCCESS without a feature"),
        (
            "compatible",
            images_answer(0, 0, 8),
            Outcome.WARN,
            "by D3D11_TEXTURE: the query returned VK_SUCCESS without a feature",
        ),
        (
            "compatible",
            images_refused(8),
            Outcome.PASS,
            "by D3D11_TEXTURE: the handle type is not supported, and the query refuses it",
        ),
        ("compatible", images_refused(0x800), Outcome.PASS, "compatible with itself"),
        ("compatible", images_answer(written=False), Outcome.PASS, "compatible with itself"),
        ("images", images_answer(handle_type=8), Outcome.SKIP, ""),
    ],
)
def test_the_answer_for_an_image_is_judged_as_that_for_a_buffer(
    id: str, change: Change, outcome: Outcome, words: str
) -> None:
    """It is written, keeps its header, has known bits, and refuses a handle type that is not supported."""
    odd = change(good_device())
    verdict = REGISTRY[f"capabilities.{id}"].verdict(facts(odd), odd)
    assert verdict.outcome is outcome, verdict.sentence
    assert words.casefold() in verdict.sentence.casefold()


@pytest.mark.parametrize(
    ("change", "says"), [({"written": False}, "Nothing was written."), ({"header_kept": False}, "sType or pNext was")]
)
def test_the_answer_for_semaphores_is_looked_at_too(change: dict[str, Any], says: str) -> None:
    """It warns, since memory is shared nevertheless."""
    good = good_device().external_semaphore.value
    assert good is not None
    odd = replace(good_device(), external_semaphore=Answer(replace(good, **change)))
    verdict = REGISTRY["capabilities.semaphore"].verdict(facts(odd), odd)
    assert verdict.outcome is Outcome.WARN
    assert verdict.sentence.startswith(says)
