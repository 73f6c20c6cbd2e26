# SPDX-License-Identifier: Apache-2.0
"""The resources that a driver reports it can share by one handle type. See `facts` for the conventions."""

from vkzircon_cli.model.base import Answer, record
from vkzircon_cli.model.facts import ExternalMemoryProperties, Identity
from vkzircon_cli.model.spec import EXPORTABLE, IMPORTABLE, Named
from vkzircon_cli.model.vmo import Tiling


@record
class Support:
    """One answer, which is the same for each of *usages* when asked alone.

    A buffer has no *tiling*, and the query of buffers no *result*. Without VK_SUCCESS there are no *properties*. An
    image that can be shared is also asked about with each *create_flag*, for its first usage that can be shared.
    """

    tiling: Tiling | None
    usages: tuple[str, ...]
    result: str | None
    properties: ExternalMemoryProperties | None
    create_flag: str | None = None

    @property
    def is_supported(self) -> bool:
        """Whether the driver reports that such a resource can be exported or imported."""
        found = self.properties
        return found is not None and found.written and bool(found.features.value & (EXPORTABLE | IMPORTABLE))


@record
class ImageFormat:
    """vkGetPhysicalDeviceImageFormatProperties2 for 2D images of one format, in every tiling and for every usage."""

    format: Named
    answers: Answer[tuple[Support, ...]]


@record
class MatrixDevice:
    """One physical device; one that is not selected is only asked for its identity."""

    index: int
    selected: bool
    identity: Answer[Identity]
    buffers: Answer[tuple[Support, ...]]
    image_formats: tuple[ImageFormat, ...]

    @property
    def answers(self) -> tuple[Answer[tuple[Support, ...]], ...]:
        """Return all answers: the one for buffers, then one for each format."""
        return (self.buffers, *(image.answers for image in self.image_formats))
