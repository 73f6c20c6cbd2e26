# SPDX-License-Identifier: Apache-2.0
"""The forms in which memory is exported and imported: plain, or dedicated to a buffer or an image."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from vkzircon_cli.bindings.vk import Device
from vkzircon_cli.model.spec import ZIRCON_VMO
from vkzircon_cli.model.vmo import Form, MemoryRequirements, ResourceKind
from vkzircon_cli.probe.resources import (
    ImageSpec,
    ImportAsked,
    Memory,
    Resource,
    exportable_memory,
    external_buffer,
    external_image,
    imported_memory,
)


class Shape:
    """One form with its resource; exporter and importer create theirs with identical create-info.

    Dedicated forms require that (VUID-VkMemoryDedicatedAllocateInfo-image-04751 and -buffer-04752).
    """

    def __init__(self, form: Form, *, size: int, image: ImageSpec | None, needs: MemoryRequirements) -> None:
        self.form = form
        self.needs = needs
        self.room = 0
        self._size = size
        self._image = image

    @property
    def is_dedicated(self) -> bool:
        """Whether the memory is for one resource only."""
        return self.form is not Form.PLAIN

    @property
    def kind(self) -> ResourceKind:
        """Return what is bound to memory of this form."""
        return ResourceKind.IMAGE if self.form is Form.DEDICATED_IMAGE else ResourceKind.BUFFER

    @property
    def size(self) -> int:
        """Return the size of the buffer."""
        return self._size

    @property
    def image(self) -> ImageSpec | None:
        """Return the image, where there is one."""
        return self._image

    def resource(self, device: Device) -> AbstractContextManager[Resource]:
        """Create the buffer or image."""
        if self.kind is ResourceKind.IMAGE and self._image is not None:
            return external_image(device, self._image)
        return external_buffer(device, self._size)

    @contextmanager
    def exportable(self, device: Device, memory_type: int) -> Iterator[tuple[Memory, Resource]]:
        """Create the resource and memory for it that may be exported; nothing is bound yet."""
        with self.resource(device) as resource:
            dedicated = resource if self.is_dedicated else None
            with exportable_memory(device, self.needs.size + self.room, memory_type, dedicated) as memory:
                yield memory, resource

    def exportable_for(self, device: Device, memory_type: int, resource: Resource) -> AbstractContextManager[Memory]:
        """Allocate memory that may be exported for a *resource* that exists already."""
        dedicated = resource if self.is_dedicated else None
        return exportable_memory(device, self.needs.size, memory_type, dedicated)

    @contextmanager
    def memory(self, device: Device, memory_type: int) -> Iterator[Memory]:
        """Allocate memory that may be exported."""
        with self.exportable(device, memory_type) as (memory, _):
            yield memory

    def imported(
        self,
        device: Device,
        handle: int,
        memory_type: int,
        resource: Resource,
        *,
        size: int,
        export: bool = False,
        handle_type: int = ZIRCON_VMO,
    ) -> AbstractContextManager[Memory]:
        """Import for *resource*; dedicated memory has the size that the resource needs (VUID-02964, -02965)."""
        dedicated = resource if self.is_dedicated else None
        asked = ImportAsked(handle, handle_type, export)
        return imported_memory(device, asked, size, memory_type, dedicated)

    def with_room(self) -> "Shape":
        """Return the same shape with room in its memory for one more alignment, to bind after the start."""
        made = Shape(self.form, size=self._size, image=self._image, needs=self.needs)
        made.room = self.needs.alignment
        return made
