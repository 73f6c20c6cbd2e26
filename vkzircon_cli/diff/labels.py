# SPDX-License-Identifier: Apache-2.0
"""Names a fact in a report: its path for programs, its label for people, and its area.

A new fact needs no line here. A field is called after itself, a row after the field that holds its table, and a row's
key follows from the types of its fields. The tables below hold only the names for which that would not read well.
"""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from enum import StrEnum
from functools import cache
from typing import Any, get_args, get_origin

from vkzircon_cli.diff.model import Area
from vkzircon_cli.diff.values import is_value_type
from vkzircon_cli.model.base import Answer, record
from vkzircon_cli.model.facts import Device, DriverIdentity
from vkzircon_cli.model.host import Variable
from vkzircon_cli.model.queries import CAPABILITIES_EXTENSION
from vkzircon_cli.model.spec import EXTENSION, SIBLING_DEVICE_EXTENSIONS, SIBLING_INSTANCE_EXTENSIONS, Flags, Named
from vkzircon_cli.model.vmo import Handle, VmoInfo
from vkzircon_cli.report.report import Report

# The extension, its dependencies and its siblings are compared one by one, all other extensions together.
KIN = frozenset(
    (
        EXTENSION,
        CAPABILITIES_EXTENSION,
        "VK_KHR_external_memory",
        *SIBLING_DEVICE_EXTENSIONS,
        *SIBLING_INSTANCE_EXTENSIONS,
    )
)

# What one row of a table is called; otherwise it is the singular of the field's name.
_NOUNS: Mapping[str, str] = {
    "types": "memory type",
    "extensions": "",
    "requirements": "memory requirement",
    "external_buffers": "buffer capability",
    "external_images": "image capability",
    "two_gets": "two gets",
    "two_exports": "two exports",
    "through_channel": "handle through a channel",
    "fresh_bytes": "fresh VMO",
    "outlives": "outliving VMO",
    "properties": "handle properties",
    "releases": "handle given to an import",
    "stress": "stress",
    "negative": "wrong input",
}
# What a field is called. A field that holds a record is not mentioned unless it is named here.
_LABELS: Mapping[str, str] = {
    "memory_type_bits": "memoryTypeBits",
    "duplicate_bits": "memoryTypeBits of a duplicate",
    "api_version": "Vulkan version",
    "device_uuid": "device UUID",
    "driver_uuid": "driver UUID",
    "heap_index": "heap",
    "parent_koid": "parent",
    "size_bytes": "size in ZX_INFO_VMO",
    "through_vmo_read": "through zx_vmo_read",
    "through_vmo_map": "through zx_vmar_map",
    "loader": "loader",
    "kernel": "libzircon",
    "emulation": "emulation",
    "external_semaphore": "external semaphores",
    "seen": "bytes",
    "kept": "bytes kept",
    "shared": "bytes shared",
    "header_kept": "sType and pNext kept",
    "num_children": "children",
    "num_mappings": "mappings",
    "tool": "vkzircon",
    "vendor_id": "vendor ID",
    "device_id": "device ID",
    "python": "Python",
    "released": "",
    "stressed": "",
    "zeros": "",
}
_OWN_LABELS: Mapping[tuple[type, str], str] = {
    (Report, "closed"): "vkDestroyInstance returned",
    (Device, "closed"): "vkDestroyDevice returned",
    (DriverIdentity, "name"): "driver name",
    (DriverIdentity, "info"): "driver info",
    (DriverIdentity, "id"): "driver ID",
    (Handle, "value"): "handle",
    (Handle, "valid"): "valid to the kernel",
    (Variable, "value"): "",
    (VmoInfo, "version"): "version of ZX_INFO_VMO",
    (VmoInfo, "name"): "VMO name",
    (VmoInfo, "flags"): "VMO flags",
}
# What a record is called where only one of the two reports has it.
_WHOLES: Mapping[str, str] = {"basic": "type and rights", "info": "ZX_INFO_VMO", "opened": "opens with the extension"}
_TWO = {"first": "first handle", "second": "second handle"}
_AREAS: Mapping[str, Area] = {
    "external_buffers": Area.EXTENSION,
    "external_images": Area.EXTENSION,
    "external_semaphore": Area.EXTENSION,
    "enabled_extensions": Area.EXTENSION,
    "entry_points": Area.EXTENSION,
    "rights": Area.RIGHTS,
    "requirements": Area.MEMORY,
    "memory": Area.MEMORY,
    "max_memory_allocation_count": Area.MEMORY,
    "max_memory_allocation_size": Area.MEMORY,
    "non_coherent_atom_size": Area.MEMORY,
    "identity": Area.DEVICE,
    "extensions": Area.EXTENSION,
    "opened": Area.DEVICE,
    "index": Area.DEVICE,
    "selected": Area.DEVICE,
    "closed": Area.DEVICE,
}


@record
class Table:
    """The rows of one field: *noun* is one row, *names* and *number* are the fields that distinguish rows."""

    noun: str
    names: tuple[str, ...]
    number: str

    @property
    def key(self) -> tuple[str, ...]:
        """Return the fields that distinguish rows."""
        return (*self.names, self.number) if self.number else self.names

    @property
    def has_proper_names(self) -> bool:
        """Whether a row is called by a name of its own, not by its kind."""
        return self.names in (("name",), ("path",))


def table_of(field: str, row: type) -> Table:
    """Return how the rows of type *row* in *field* are distinguished: by index, by name, or by kind and memory type."""
    shapes = {each.name: each.type for each in fields(row)}
    number = next((name for name in ("index", "memory_type") if name in shapes), "")
    names: tuple[str, ...] = next(((name,) for name in ("name", "path") if name in shapes), ())
    if not names and number != "index":
        kinds = [name for name, shape in shapes.items() if _tells_apart(shape)]
        names = tuple(sorted(kinds, key=lambda name: shapes[name] is not Named))
    return Table(_NOUNS[field] if field in _NOUNS else _singular(label_of(row, field)), names, number)


def _singular(noun: str) -> str:
    return f"{noun[:-3]}y" if noun.endswith("ies") else noun.removesuffix("s")


def _tells_apart(shape: Any) -> bool:
    return shape in (str, Flags, Named) or (isinstance(shape, type) and issubclass(shape, StrEnum))


@record
class RowLabel:
    """A table's row in words, apart from its table and its number, so that equal rows can be grouped."""

    table: Table
    names: tuple[str, ...]
    number: int | None


def label_of_row(table: Table, row: Any) -> RowLabel:
    """Return the label of a row; the handle type is the same in all rows and is left out."""
    words = (_word(getattr(row, name)) for name in table.names if name != "handle_type")
    return RowLabel(table, tuple(filter(None, words)), getattr(row, table.number) if table.number else None)


def _word(value: Any) -> str:
    if isinstance(value, Flags):
        return "|".join(value.names)
    return value.name if isinstance(value, Named) else str(value)


@record
class FactPath:
    """A way into a report: *path* for programs, the fields passed, the row last entered, and the labels since then."""

    path: str
    device: int | None
    fields: tuple[str, ...] = ()
    row: RowLabel | None = None
    labels: tuple[str, ...] = ()
    last: str = ""
    about: Area | None = None

    def into(self, owner: type, field: str) -> "FactPath":
        """Return the path to a field of a record; each of two handles is labelled like a row."""
        here = replace(self, path=f"{self.path}.{field}", fields=(*self.fields, field))
        if self.row and field in _TWO:
            return replace(here, row=replace(self.row, names=(*self.row.names, _TWO[field])))
        label = label_of(owner, field)
        is_silent = not label or (field not in _LABELS and _holds_record(owner, field))
        last = _WHOLES.get(field, "" if self.row else label)
        return replace(here, labels=self.labels if is_silent else (*self.labels, label), last=last)

    def inside(self) -> "FactPath":
        """Return the path into a table, whose rows have labels of their own."""
        return replace(self, labels=())

    def at(self, row: RowLabel, key: str) -> "FactPath":
        """Return the path to a row of a table."""
        return replace(self, path=f"{self.path}[{key}]", row=row, labels=(), last="")

    def labelled(self, label: str, area: Area) -> "FactPath":
        """Return the same path under another label, in *area*."""
        return replace(self, labels=(label,), about=area)

    @property
    def field(self) -> str:
        """Return the label within the row, or within the device or machine if there is no row."""
        return ", ".join(self.labels) or self.last

    @property
    def area(self) -> Area:
        """Return the area of the innermost field that has one."""
        if self.about:
            return self.about
        if self.row and "extensions" in self.fields and self.row.names[0] in KIN:
            return Area.EXTENSION
        if self.device is None:
            return Area.MACHINE
        return next((_AREAS[field] for field in reversed(self.fields) if field in _AREAS), Area.SHARING)


def label_of(owner: type, field: str) -> str:
    """Return a field's label."""
    return _OWN_LABELS.get((owner, field), _LABELS.get(field, field.replace("_", " ")))


@cache
def _holds_record(owner: type, field: str) -> bool:
    """Whether the fields of what *field* holds are compared one by one."""
    shape: Any = next(each.type for each in fields(owner) if each.name == field)
    shape = get_args(shape)[0] if get_origin(shape) is Answer else shape
    return is_dataclass(shape) and not is_value_type(shape)
