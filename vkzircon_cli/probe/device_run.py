# SPDX-License-Identifier: Apache-2.0
"""The order of the questions to one device, from listing its extensions to closing it."""

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

from vkzircon_cli.bindings.zircon import SAME_RIGHTS
from vkzircon_cli.errors import NotAsked, Usage
from vkzircon_cli.model import spec
from vkzircon_cli.model.facts import Extension, ExternalMemoryProperties, Memory, MemoryType
from vkzircon_cli.model.queries import cannot_export, find_extension
from vkzircon_cli.model.request import DEFAULT_SIZE, Depth
from vkzircon_cli.model.vmo import Form, ImageTrip, MemoryRequirements, ResourceKind, Tiling
from vkzircon_cli.probe.capabilities import probe_external_buffer, probe_external_image, probe_external_semaphore
from vkzircon_cli.probe.handles import PropertiesAnswer, duplicated, owned
from vkzircon_cli.probe.images import COLORS, Color, image_spec, probe_image
from vkzircon_cli.probe.imports import ImportProbe
from vkzircon_cli.probe.memory_type import MemoryTypeProbe
from vkzircon_cli.probe.peer import DeviceAsked
from vkzircon_cli.probe.physical_device import DeviceOpener
from vkzircon_cli.probe.resources import TRANSFER, ImageSpec, Resource, Shape, external_buffer, external_image
from vkzircon_cli.probe.session import DeviceSession
from vkzircon_cli.probe.target import ImportTargets, Target
from vkzircon_cli.stream.events import Asking, Event

_SEMAPHORE = spec.SIBLING_DEVICE_EXTENSIONS[0]
_SIZE = DEFAULT_SIZE
_ONLY_DEDICATED = "such images are DEDICATED_ONLY, so plain memory may not be exported"
_FOREIGN = spec.HANDLE_TYPES["d3d11-texture"]
# Each usage alone, and the two that the probe's own buffers have.
_USAGES = (TRANSFER, *(1 << bit for bit in range(len(spec.BUFFER_USAGE_BITS))))
_OWN_VMO_RIGHTS = {"own-vmo": SAME_RIGHTS, "no-rights": 0}
_Images = Mapping[tuple[Color, Tiling], ExternalMemoryProperties | None]


class DeviceProbe(DeviceSession):
    """Asks one device everything, or only for its extensions."""

    def probe(self) -> Generator[Event, None, bool]:
        """Ask in order; a device that lacks the extension or its dependency is only asked for its memory."""
        extensions = (yield from self.extensions()).value
        if self.of_run.request.depth is Depth.IDENTITY:
            return False
        memory = (yield from self.memory()).value
        self._must_fit(memory)
        if extensions is None or memory is None or find_extension(extensions) is None or self.leg(extensions) is None:
            return False
        offer = yield from self._external_buffers()
        images = yield from self._external_images()
        yield from self.ask("semaphore", "external_semaphore", partial(self._semaphore, extensions))
        yield from self.opened(extensions, memory.types, partial(self._opened, offer=offer, images=images))
        return False

    def _must_fit(self, memory: Memory | None) -> None:
        """Refuse a size from the command line that no allocation of this device can have.

        Raises `Usage` if the size is past the limit.
        """
        size = self.of_run.request.size
        limits = [heap.size for heap in memory.heaps] if memory is not None else []
        most = max(limits, default=size)
        if self.identity.max_memory_allocation_size.value is not None:
            most = min(most, self.identity.max_memory_allocation_size.value)
        if size != DEFAULT_SIZE and size > most:
            raise Usage(
                f"--size {size} is more than device {self.index} allocates at once.", f"It takes 4096 to {most} bytes."
            )

    def _external_buffers(self) -> Generator[Event, None, ExternalMemoryProperties | None]:
        """Ask for every usage; return the answer for the usage of the probe's own buffers."""
        own = None
        for usage in _USAGES:
            named = spec.flags(usage, spec.BUFFER_USAGE_BITS)
            answer = yield from self.ask(
                f"buffer/{'+'.join(named.names).lower()}",
                "external_buffers",
                partial(probe_external_buffer, self.physical, self.identity, usage, spec.ZIRCON_VMO),
                usage=named,
                flags=spec.flags(0, spec.BUFFER_CREATE_BITS),
                handle_type=spec.flags(spec.ZIRCON_VMO, spec.HANDLE_TYPE_BITS),
            )
            own = answer.value if usage == TRANSFER else own
        return own

    def _external_images(self) -> Generator[Event, None, _Images]:
        found = {}
        for tiling in Tiling:
            for color in COLORS:
                found[color, tiling] = (yield from self._external_image(color, tiling)).value
        for tiling in Tiling:
            # No driver of Zircon VMOs supports it, so it must be refused.
            yield from self._external_image(COLORS[0], tiling, _FOREIGN, "/d3d11_texture")
        return found

    def _external_image(
        self, color: Color, tiling: Tiling, handle_type: int = spec.ZIRCON_VMO, suffix: str = ""
    ) -> Asking[ExternalMemoryProperties]:
        return self.ask(
            f"image/{tiling}.{color.format.name.lower()}{suffix}",
            "external_images",
            partial(probe_external_image, self.physical, image_spec(color, tiling), TRANSFER, handle_type),
            format=color.format,
            tiling=tiling,
            usage=spec.flags(TRANSFER, spec.IMAGE_USAGE_BITS),
            handle_type=spec.flags(handle_type, spec.HANDLE_TYPE_BITS),
        )

    def _semaphore(self, extensions: tuple[Extension, ...]) -> Any:
        if find_extension(extensions, _SEMAPHORE) is None:
            raise NotAsked(f"{_SEMAPHORE} is not listed")
        return probe_external_semaphore(self.physical)

    def _opened(
        self, target: Target, opener: DeviceOpener, *, offer: ExternalMemoryProperties | None, images: _Images
    ) -> Iterator[Event]:
        request, peer = self.of_run.request, self.of_run.peer
        peer.open(DeviceAsked(self.index, self.identity, opener.enabled))
        key = next((key for key, found in images.items() if _has(found, spec.EXPORTABLE)), None)
        shapes, image_reason = yield from self._shapes(target, image_spec(*key) if key else None)
        plain_image_reason = image_reason or _no_plain_image(images[key] if key else None, shapes[Form.PLAIN_IMAGE])
        can_export_again = {form: _exports_again(images[key] if key and form.is_image else offer) for form in Form}
        elsewhere = ImportTargets(target, opener, self.identity, self.index, self.stack)
        imports = ImportProbe(target, elsewhere, can_export_again)
        for what, rights in _OWN_VMO_RIGHTS.items():
            question = partial(_own_vmo_bits, target, rights)
            yield from self.ask(f"properties.{what}", "own_vmo_properties", question, what=what)
        probe = MemoryTypeProbe(self.ask, target, opener, shapes, imports, peer, request.size, [])
        for memory_type in target.types:
            yield from probe.probe(memory_type.index, _reasons(memory_type, offer, image_reason, plain_image_reason))
        yield from self._images(target, images)
        yield from probe.second_process()
        if request.stress:
            yield from probe.stress(request.timeout_s / 3)
        if request.negative:
            yield from probe.negative()

    def _shapes(self, target: Target, image: ImageSpec | None) -> Generator[Event, None, tuple[dict[Form, Shape], str]]:
        """Query the needs of buffer and image, and make each form's shape; the text says why there is no image."""
        buffer = partial(external_buffer, target.device, _SIZE)
        needed = {ResourceKind.BUFFER: (yield from self._needs(ResourceKind.BUFFER, buffer))}
        reason = "no image of the test's formats can be exported"
        if image is not None:
            needs = yield from self._needs(ResourceKind.IMAGE, partial(external_image, target.device, image))
            needed[ResourceKind.IMAGE] = needs
            reason = "" if needs is not None else "the image could not be created"
        shapes = {}
        for form in Form:
            kind = ResourceKind.IMAGE if form.is_image else ResourceKind.BUFFER
            needs = needed.get(kind) or MemoryRequirements(_SIZE, 1, (1 << 32) - 1, None)
            shapes[form] = Shape(form, _SIZE, image or image_spec(COLORS[0], Tiling.LINEAR), needs)
        return shapes, reason

    def _needs(
        self, kind: ResourceKind, make: Callable[[], AbstractContextManager[Resource]]
    ) -> Generator[Event, None, MemoryRequirements | None]:
        def ask() -> MemoryRequirements:
            with make() as resource:
                return resource.needs

        answer = yield from self.ask(f"requirements.{kind}", "requirements", ask, resource=kind)
        return answer.value

    def _images(self, target: Target, images: _Images) -> Iterator[Event]:
        for (color, tiling), found in images.items():
            # Whether memory is dedicated does not depend on the format, so one format is enough for plain memory.
            for form in (Form.DEDICATED_IMAGE, Form.PLAIN_IMAGE) if color is COLORS[0] else (Form.DEDICATED_IMAGE,):
                yield from self.ask(
                    f"image/{tiling}.{color.format.name.lower()}/trip{'' if form.is_dedicated else f'.{form}'}",
                    "images",
                    partial(_image_trip, target, color, tiling, form, found),
                    tiling=tiling,
                    format=color.format,
                    form=form,
                )


def _own_vmo_bits(target: Target, rights: int) -> int:
    """Ask which memory types take a new VMO, by a handle with *rights*."""
    kernel = target.must_have_kernel()
    with (
        owned(kernel, kernel.create(kernel.page_size())) as own,
        duplicated(kernel, own.value, rights) as handle,
    ):
        answer = PropertiesAnswer(target.device, handle)
        if not answer.written:
            raise NotAsked("the driver wrote no answer")
        return answer.bits


def _image_trip(
    target: Target, color: Color, tiling: Tiling, form: Form, found: ExternalMemoryProperties | None
) -> ImageTrip:
    if not _has(found, spec.EXPORTABLE | spec.IMPORTABLE):
        raise NotAsked("the driver does not report that such images can be exported and imported")
    if not form.is_dedicated and _has(found, spec.DEDICATED_ONLY):
        raise NotAsked(_ONLY_DEDICATED)
    return probe_image(target, color, tiling, form)


def _no_plain_image(found: ExternalMemoryProperties | None, shape: Shape) -> str:
    """Return why no plain memory is exported for the image, '' if it may be."""
    if _has(found, spec.DEDICATED_ONLY):
        return _ONLY_DEDICATED
    # VUID-vkBindImageMemory-image-01445
    return "the image requires dedicated memory" if shape.needs.requires_dedicated else ""


def _has(found: ExternalMemoryProperties | None, features: int) -> bool:
    return found is not None and found.written and found.features.value & features == features


def _exports_again(found: ExternalMemoryProperties | None) -> bool:
    return found is not None and bool(found.export_from_imported_handle_types.value & spec.ZIRCON_VMO)


def _reasons(
    memory_type: MemoryType, offer: ExternalMemoryProperties | None, image_reason: str, plain_image_reason: str
) -> dict[Form, str]:
    """Return the forms that a memory type is not asked for, and why."""
    if (reason := cannot_export(memory_type)) is not None:
        return dict.fromkeys(Form, reason)
    of_images = {Form.DEDICATED_IMAGE: image_reason, Form.PLAIN_IMAGE: plain_image_reason}
    reasons = {form: reason for form, reason in of_images.items() if reason}
    if offer is not None and offer.written and offer.features.value & spec.DEDICATED_ONLY:
        reasons[Form.PLAIN] = "buffers are DEDICATED_ONLY, so plain memory may not be exported"
    return reasons
