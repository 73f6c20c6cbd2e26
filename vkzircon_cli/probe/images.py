# SPDX-License-Identifier: Apache-2.0
"""Clear an image in exported memory to a known colour, and read every pixel of it from the import."""

from contextlib import ExitStack

from vkzircon_cli.errors import NotAsked, Refused
from vkzircon_cli.model.base import record
from vkzircon_cli.model.queries import cannot_export
from vkzircon_cli.model.spec import Named
from vkzircon_cli.model.vmo import Form, ImageTrip, Tiling
from vkzircon_cli.probe.commands import clear_image, read_image
from vkzircon_cli.probe.patterns import Pattern
from vkzircon_cli.probe.resources import ImageSpec, Memory, Resource, Shape, bind, external_image, host_buffer
from vkzircon_cli.probe.target import Target


@record
class Color:
    """A format, the colour to clear to as 32-bit words, and the resulting bytes of one pixel."""

    format: Named
    words: tuple[int, int, int, int]
    pixel: bytes


# 0.2, 0.4, 0.6 and 0.8 are 51, 102, 153 and 204 of 255 exactly, so no driver needs to round.
_FIFTHS = (0x3E4CCCCD, 0x3ECCCCCD, 0x3F19999A, 0x3F4CCCCD)
COLORS = (
    Color(Named(37, "R8G8B8A8_UNORM"), _FIFTHS, bytes((51, 102, 153, 204))),
    Color(Named(44, "B8G8R8A8_UNORM"), _FIFTHS, bytes((153, 102, 51, 204))),
    Color(Named(9, "R8_UNORM"), _FIFTHS, bytes((51,))),
    Color(Named(98, "R32_UINT"), (0xC0FFEE5A, 0, 0, 0), (0xC0FFEE5A).to_bytes(4, "little")),
    Color(Named(109, "R32G32B32A32_SFLOAT"), _FIFTHS, b"".join(word.to_bytes(4, "little") for word in _FIFTHS)),
)


def image_spec(color: Color, tiling: Tiling) -> ImageSpec:
    """Return the image to clear to a colour."""
    return ImageSpec(color.format.value, tiling)


def probe_image(target: Target, color: Color, tiling: Tiling, form: Form) -> ImageTrip:
    """Export, import, clear, read: in memory of *form* and of the first type that takes the image and exports it.

    Raises:
        NotAsked: no memory type does.
        Refused: the driver refused one of the calls.
    """
    spec = image_spec(color, tiling)
    with ExitStack() as stack:
        source = stack.enter_context(external_image(target.device, spec))
        shape = Shape(form, 0, spec, source.needs)
        memory = _export(target, stack, shape, source)
        bind(target.device, source, memory)
        handle = stack.enter_context(target.exported(memory))
        image = stack.enter_context(external_image(target.device, spec))
        import_type, _ = target.import_type(handle, image, memory.memory_type)
        stack.enter_context(target.imported(shape, handle, image, import_type, size=memory.size, bound=(image, 0)))
        # Cleared after the import: otherwise an import that only copied the bytes would show the colour, too.
        clear_image(target.device, source.handle, color.words)
        pixels = Pattern(color.pixel, spec.width * spec.height * len(color.pixel))
        return _read(target, image, spec, pixels, memory.memory_type)


def _export(target: Target, stack: ExitStack, shape: Shape, source: Resource) -> Memory:
    refused: Refused | None = None
    for memory_type in target.types:
        if source.needs.memory_type_bits >> memory_type.index & 1 and not cannot_export(memory_type):
            try:
                return stack.enter_context(shape.exportable_for(target.device, memory_type.index, source))
            except Refused as error:
                refused = error
    if refused is not None:
        raise refused
    raise NotAsked(f"no memory type of the image's (0x{source.needs.memory_type_bits:x}) can be exported")


def _read(target: Target, image: Resource, spec: ImageSpec, pixels: Pattern, memory_type: int) -> ImageTrip:
    device = target.device
    with host_buffer(device, pixels.size, target.visible_types()) as (buffer, memory):
        read_image(device, image.handle, buffer, spec.width, spec.height)
        with target.mapped(memory) as view:
            return ImageTrip(memory_type, pixels.size, pixels.compare(view))
