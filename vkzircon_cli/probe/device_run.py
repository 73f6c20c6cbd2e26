# SPDX-License-Identifier: Apache-2.0
"""The order in which one device is asked, from its extensions to its closing."""

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from typing import Any, TypeVar

from vkzircon_cli.bindings import vk
from vkzircon_cli.bindings.zircon import Zircon
from vkzircon_cli.errors import NotAsked, Usage
from vkzircon_cli.model.base import plain
from vkzircon_cli.model.facts import (
    Extension,
    ExternalMemoryProperties,
    Identity,
    Instance,
    Memory,
    MemoryType,
    OpenDevice,
)
from vkzircon_cli.model.queries import cannot_export, dependency_leg, find_extension
from vkzircon_cli.model.request import DEFAULT_SIZE, Request
from vkzircon_cli.model.spec import (
    BUFFER_CREATE_BITS,
    BUFFER_USAGE_BITS,
    DEDICATED_ONLY,
    EXPORTABLE,
    HANDLE_TYPE_BITS,
    IMAGE_USAGE_BITS,
    IMPORTABLE,
    SIBLING_DEVICE_EXTENSIONS,
    ZIRCON_VMO,
    flags,
)
from vkzircon_cli.model.vmo import Form, MemoryRequirements, ResourceKind, Tiling
from vkzircon_cli.probe.allocation import Shape
from vkzircon_cli.probe.capabilities import probe_external_buffer, probe_external_image, probe_external_semaphore
from vkzircon_cli.probe.data import DataProbe
from vkzircon_cli.probe.device import DeviceOpener, probe_extensions, probe_memory
from vkzircon_cli.probe.images import COLORS, Color, ImageProbe, image_spec
from vkzircon_cli.probe.import_targets import Places
from vkzircon_cli.probe.imports import ImportProbe
from vkzircon_cli.probe.memory import TRANSFER, ImageSpec, Resource, external_buffer, external_image
from vkzircon_cli.probe.memory_type import Bench, MemoryTypeProbe
from vkzircon_cli.probe.peer import DeviceAsked, SecondProcess
from vkzircon_cli.stream.events import Asker, Asking, Event

T = TypeVar("T")
_SEMAPHORE = SIBLING_DEVICE_EXTENSIONS[0]
# Each alone, and the two that the probe's own buffers have.
_USAGES = (TRANSFER, *(1 << bit for bit in range(len(BUFFER_USAGE_BITS))))


class DeviceProbe:
    """Asks one physical device. *made* holds the instance's facts; *kernel* is None where there is no libzircon."""

    def __init__(
        self,
        ask: Asker,
        instance: vk.Instance,
        physical: Any,
        index: int,
        *,
        request: Request,
        made: Instance,
        kernel: Zircon | None,
        second: SecondProcess,
    ) -> None:
        self._asker = ask
        self._instance = instance
        self._physical = physical
        self._index = index
        self._request = request
        self._made = made
        self._kernel = kernel
        self._second = second
        self._stack = ExitStack()
        self._device: vk.Device | None = None

    def extensions(self) -> Asking[tuple[Extension, ...]]:
        """List the device's extensions."""
        return self._ask("extensions", "extensions", lambda: probe_extensions(self._instance, self._physical))

    def everything(self, identity: Identity) -> Iterator[Event]:
        """Ask all there is; without the extension, or what it rests on, no more than who the device is."""
        extensions = (yield from self.extensions()).value
        memory = (yield from self._ask("memory", "memory", lambda: probe_memory(self._instance, self._physical))).value
        self._must_fit(identity, memory)
        leg = dependency_leg(self._made, identity, extensions or ())
        if extensions is None or memory is None or find_extension(extensions) is None or leg is None:
            return
        offer = yield from self._external_buffers(identity)
        images = yield from self._external_images()
        yield from self._ask("semaphore", "external_semaphore", partial(self._semaphore, extensions))
        opener = DeviceOpener(self._instance, self._physical, extensions, leg)
        with self._stack:
            yield from self._ask("open", "opened", lambda: self._open(opener), live=True)
            if self._device is not None:
                self._second.open(_asked(identity, self._index, opener))
                places = Places(self._device, memory.types, opener, identity, self._index, self._stack)
                yield from self._opened(self._device, opener, places, memory.types, offer, images)
                yield from self._asker(f"device{self._index}/close", "closed", self._close, device=self._index)

    def _must_fit(self, identity: Identity, memory: Memory | None) -> None:
        """Refuse a size that was asked for and that no allocation of this device can have.

        Raises:
            Usage: it is past the limit.
        """
        limits = [heap.size for heap in memory.heaps] if memory is not None else []
        most = max(limits, default=self._request.size)
        if identity.max_memory_allocation_size.value is not None:
            most = min(most, identity.max_memory_allocation_size.value)
        if self._request.size != DEFAULT_SIZE and self._request.size > most:
            said = f"--size {self._request.size} is more than device {self._index} allocates at once."
            raise Usage(said, f"It takes 4096 to {most} bytes.")

    def _ask(self, name: str, fact: str, question: Callable[[], T], **key: Any) -> Asking[T]:
        """Ask under this device's prefix; a lost device is not asked anything more."""

        def unless_lost() -> T:
            if self._device is not None and (self._device.lost or self._device.stuck):
                raise NotAsked(f"the device was {'lost' if self._device.lost else 'stuck'} in an earlier step")
            return question()

        return self._asker(f"device{self._index}/{name}", fact, unless_lost, device=self._index, **key)

    def _external_buffers(self, identity: Identity) -> Generator[Event, None, ExternalMemoryProperties | None]:
        """Ask for every usage; give the answer for the probe's own."""
        own = None
        for usage in _USAGES:
            named = flags(usage, BUFFER_USAGE_BITS)
            answer = yield from self._ask(
                f"buffer/{'+'.join(named.names).lower()}",
                "external_buffers",
                partial(probe_external_buffer, self._instance, self._physical, identity, usage, ZIRCON_VMO),
                usage=named,
                flags=flags(0, BUFFER_CREATE_BITS),
                handle_type=flags(ZIRCON_VMO, HANDLE_TYPE_BITS),
            )
            own = answer.value if usage == TRANSFER else own
        return own

    def _external_images(self) -> Generator[Event, None, dict[tuple[Color, Tiling], ExternalMemoryProperties | None]]:
        found = {}
        for tiling in Tiling:
            for color in COLORS:
                spec = image_spec(color, tiling)
                answer = yield from self._ask(
                    f"image/{tiling}.{color.format.name.lower()}",
                    "external_images",
                    partial(probe_external_image, self._instance, self._physical, spec, TRANSFER, ZIRCON_VMO),
                    format=color.format,
                    tiling=tiling,
                    usage=flags(TRANSFER, IMAGE_USAGE_BITS),
                    handle_type=flags(ZIRCON_VMO, HANDLE_TYPE_BITS),
                )
                found[color, tiling] = answer.value
        return found

    def _semaphore(self, extensions: tuple[Extension, ...]) -> Any:
        if find_extension(extensions, _SEMAPHORE) is None:
            raise NotAsked(f"{_SEMAPHORE} is not listed")
        return probe_external_semaphore(self._instance, self._physical)

    def _open(self, opener: DeviceOpener) -> OpenDevice:
        self._device = self._stack.enter_context(opener.open())
        return opener.describe(self._device)

    def _close(self) -> bool:
        if self._instance.vulkan.on_call.hangs("vkDestroyDevice"):
            raise NotAsked("vkDestroyDevice hung in an earlier step")
        self._stack.close()
        return True

    def _opened(  # noqa: PLR0917 - what one open device is asked with
        self,
        device: vk.Device,
        opener: DeviceOpener,
        places: Places,
        types: tuple[MemoryType, ...],
        offer: ExternalMemoryProperties | None,
        images: Mapping[tuple[Color, Tiling], ExternalMemoryProperties | None],
    ) -> Iterator[Event]:
        key = next((key for key, found in images.items() if _has(found, EXPORTABLE)), None)
        shapes, image_reason = yield from self._shapes(device, image_spec(*key) if key else None)
        can_export_again = {
            form: _exports_again(images[key] if key and form is Form.DEDICATED_IMAGE else offer) for form in Form
        }
        imports = ImportProbe(device, self._kernel, places, types, can_export_again=can_export_again)
        data = DataProbe(device, imports, types, self._request.size)
        bench = Bench(device, opener, self._kernel, types, shapes, imports, data, self._second)
        probe = MemoryTypeProbe(self._ask, bench)
        for memory_type in types:
            yield from probe.probe(memory_type.index, _reasons(memory_type, offer, image_reason))
        yield from self._images(ImageProbe(device, self._kernel, types), images)
        yield from probe.second_process()
        if self._request.stress:
            yield from probe.stress(self._request.timeout_s / 3)
        if self._request.negative:
            yield from probe.negative()

    def _shapes(
        self, device: vk.Device, spec: ImageSpec | None
    ) -> Generator[Event, None, tuple[dict[Form, Shape], str]]:
        """Ask what buffer and image need, and make a shape of each form; the words say why there is no image."""
        needed = {
            ResourceKind.BUFFER: (yield from self._needs(ResourceKind.BUFFER, partial(external_buffer, device, _SIZE)))
        }
        reason = "no image of the test's formats can be exported"
        if spec is not None:
            image = yield from self._needs(ResourceKind.IMAGE, partial(external_image, device, spec))
            needed[ResourceKind.IMAGE] = image
            reason = "" if image is not None else "the image could not be created"
        shapes = {}
        for form in Form:
            kind = ResourceKind.IMAGE if form is Form.DEDICATED_IMAGE else ResourceKind.BUFFER
            needs = needed.get(kind) or MemoryRequirements(_SIZE, 1, (1 << 32) - 1, None)
            shapes[form] = Shape(form, size=_SIZE, image=spec or image_spec(COLORS[0], Tiling.LINEAR), needs=needs)
        return shapes, reason

    def _needs(
        self, kind: ResourceKind, make: Callable[[], AbstractContextManager[Resource]]
    ) -> Generator[Event, None, MemoryRequirements | None]:
        def ask() -> MemoryRequirements:
            with make() as resource:
                return resource.needs

        answer = yield from self._ask(f"requirements.{kind}", "requirements", ask, resource=kind)
        return answer.value

    def _images(
        self, probe: ImageProbe, images: Mapping[tuple[Color, Tiling], ExternalMemoryProperties | None]
    ) -> Iterator[Event]:
        for (color, tiling), found in images.items():
            yield from self._ask(
                f"image/{tiling}.{color.format.name.lower()}/trip",
                "images",
                partial(_image_trip, probe, color, tiling, found),
                tiling=tiling,
                format=color.format,
            )


_SIZE = DEFAULT_SIZE


def _asked(identity: Identity, index: int, opener: DeviceOpener) -> DeviceAsked:
    uuids = plain(identity.uuids.value) if identity.uuids.value is not None else None
    return DeviceAsked(index, identity.name, uuids, opener.enabled)


def _image_trip(probe: ImageProbe, color: Color, tiling: Tiling, found: ExternalMemoryProperties | None) -> Any:
    if not _has(found, EXPORTABLE | IMPORTABLE):
        raise NotAsked("such images cannot be both exported and imported, says the driver")
    return probe.trip(color, tiling)


def _has(found: ExternalMemoryProperties | None, features: int) -> bool:
    return found is not None and found.written and found.features.value & features == features


def _exports_again(found: ExternalMemoryProperties | None) -> bool:
    return found is not None and bool(found.export_from_imported_handle_types.value & ZIRCON_VMO)


def _reasons(memory_type: MemoryType, offer: ExternalMemoryProperties | None, image_reason: str) -> dict[Form, str]:
    """Tell which forms a memory type is not asked for, and why."""
    if (reason := cannot_export(memory_type)) is not None:
        return dict.fromkeys(Form, reason)
    reasons = {Form.DEDICATED_IMAGE: image_reason} if image_reason else {}
    if offer is not None and offer.written and offer.features.value & DEDICATED_ONLY:
        reasons[Form.PLAIN] = "buffers are DEDICATED_ONLY, so plain memory may not be exported"
    return reasons
