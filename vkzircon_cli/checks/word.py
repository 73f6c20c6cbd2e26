# SPDX-License-Identifier: Apache-2.0
"""The steps that are tried although the driver reports that they do not work.

Such a step breaks VUID-VkBufferCreateInfo-pNext-00920, VUID-VkImageCreateInfo-pNext-00990 or
VUID-VkExportMemoryAllocateInfo-handleTypes-09860, so a driver may do anything in it.
"""

from collections.abc import Iterator

from vkzircon_cli.model.facts import Device, ExternalMemoryProperties
from vkzircon_cli.model.spec import EXPORTABLE, IMPORTABLE, USAGE_TRANSFER_DST, USAGE_TRANSFER_SRC, ZIRCON_VMO
from vkzircon_cli.model.vmo import Form, ImportKind

OWN_USAGE = USAGE_TRANSFER_SRC | USAGE_TRANSFER_DST
_IMPORTING = ("import", "data", "stress")


def denies_import(device: Device, form: Form) -> bool:
    """Whether the driver reports that such resources cannot be imported, which allows it to refuse an import."""
    return _denies(device, form, IMPORTABLE)


def denial(device: Device, memory_type: int, name: str) -> str:
    """Return what the driver reports as not supported in the step *name* of a memory type, '' if nothing."""
    group, last = name.partition(".")[0], name.rpartition(".")[2]
    form = Form(last) if last in tuple(Form) else exported_form(device, memory_type)
    verbs = []
    if f".{ImportKind.OWN_VMO}" not in name and _denies(device, form, EXPORTABLE):
        verbs.append("export")
    if group in _IMPORTING and denies_import(device, form):
        verbs.append("import")
    resources = "images" if form.is_image else "buffers"
    return f"the driver reports no {' and no '.join(verbs)} of such {resources}" if verbs else ""


def exported_form(device: Device, memory_type: int) -> Form:
    """Return the form in which a memory type was exported, plain if it was not."""
    forms = (row.form for row in device.exports if row.memory_type == memory_type and row.handle.value is not None)
    return next(forms, Form.PLAIN)


def _denies(device: Device, form: Form, feature: int) -> bool:
    features = [found.features.value for found in _answers(device, form) if found.written]
    return bool(features) and not any(each & feature for each in features)


def _answers(device: Device, form: Form) -> Iterator[ExternalMemoryProperties]:
    """Yield the answers for the probe's own resources of *form*."""
    images = device.external_images if form.is_image else ()
    buffers = device.external_buffers if not form.is_image else ()
    for image in images:
        if image.handle_type.value == ZIRCON_VMO and image.properties.value is not None:
            yield image.properties.value
    for row in buffers:
        if row.usage.value == OWN_USAGE and row.properties.value is not None:
            yield row.properties.value
