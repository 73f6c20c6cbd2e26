# SPDX-License-Identifier: Apache-2.0
"""Where in a report a fact stands: its path for programs, its name in words, the area that it belongs to."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from vkzircon_cli.diff.model import Area
from vkzircon_cli.model.base import record
from vkzircon_cli.model.facts import (
    Device,
    DriverIdentity,
    EntryPoint,
    Extension,
    ExternalBuffer,
    ExternalImage,
    Heap,
    Layer,
    MemoryType,
    QueueFamily,
)
from vkzircon_cli.model.host import Variable
from vkzircon_cli.model.queries import CAPABILITIES_EXTENSION
from vkzircon_cli.model.spec import EXTENSION, SIBLING_DEVICE_EXTENSIONS, SIBLING_INSTANCE_EXTENSIONS, Flags, Named
from vkzircon_cli.model.vmo import (
    Data,
    Export,
    FreshBytes,
    Handle,
    Image,
    Import,
    Negative,
    Outlives,
    PairOfHandles,
    Properties,
    Release,
    Requirements,
    Stress,
    VmoInfo,
)
from vkzircon_cli.report.report import Report
from vkzircon_cli.stream.events import Culprit

# The extension and what it stands on, or stands beside; all others are told of together.
KIN = frozenset(
    {
        EXTENSION,
        CAPABILITIES_EXTENSION,
        "VK_KHR_external_memory",
        *SIBLING_DEVICE_EXTENSIONS,
        *SIBLING_INSTANCE_EXTENSIONS,
    }
)


@record
class Table:
    """How the rows of one type are told apart: fields that name a row, and one that numbers it.

    *shown* are those that a reader needs; *of* is what the number counts; *is_name* tells a name from a kind.
    """

    noun: str
    names: tuple[str, ...] = ()
    shown: tuple[str, ...] = ()
    number: str = ""
    of: str = ""
    is_name: bool = False


_MEMORY_TYPE = "memory type"
TABLES: Mapping[type, Table] = {
    Heap: Table("heap", number="index"),
    MemoryType: Table(_MEMORY_TYPE, number="index"),
    QueueFamily: Table("queue family", number="index"),
    EntryPoint: Table("entry point", ("name",), ("name",), is_name=True),
    Extension: Table("", ("name",), ("name",), is_name=True),
    Layer: Table("layer", ("name",), ("name",), is_name=True),
    Culprit: Table("culprit", ("path",), ("path",), is_name=True),
    Variable: Table("variable", ("name",), ("name",), is_name=True),
    Requirements: Table("memory requirement", ("resource",), ("resource",)),
    ExternalBuffer: Table("buffer capability", ("usage", "flags", "handle_type"), ("usage", "flags")),
    ExternalImage: Table(
        "image capability", ("format", "tiling", "usage", "handle_type"), ("format", "tiling", "usage")
    ),
    Export: Table("export", ("form",), ("form",), "memory_type", _MEMORY_TYPE),
    FreshBytes: Table("fresh VMO", number="memory_type", of=_MEMORY_TYPE),
    Outlives: Table("outliving VMO", number="memory_type", of=_MEMORY_TYPE),
    Properties: Table("handle properties", number="memory_type", of=_MEMORY_TYPE),
    Import: Table("import", ("kind", "form"), ("kind", "form"), "memory_type", _MEMORY_TYPE),
    Release: Table("handle given to an import", number="memory_type", of=_MEMORY_TYPE),
    Data: Table("data", ("write",), ("write",), "memory_type", _MEMORY_TYPE),
    Image: Table("image", ("format", "tiling"), ("format", "tiling")),
    Stress: Table("stress", ("what",), ("what",), "memory_type", _MEMORY_TYPE),
    Negative: Table("wrong input", ("what", "call"), ("what", "call")),
}
_PAIRS = {
    "two_gets": Table("two gets", number="memory_type", of=_MEMORY_TYPE),
    "two_exports": Table("two exports", number="memory_type", of=_MEMORY_TYPE),
    "through_channel": Table("handle through a channel", number="memory_type", of=_MEMORY_TYPE),
}

# Fields that a reader does not miss in the name of what is in them.
_SILENT = frozenset(
    {
        "basic",
        "driver",
        "environment",
        "handle",
        "identity",
        "imported",
        "info",
        "instance",
        "memory",
        "needed",
        "opened",
        "pair",
        "properties",
        "refusal",
        "released",
        "round_trip",
        "stressed",
        "trip",
        "uuids",
        "zeros",
    }
)
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
    "kernel": "libzircon",
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
}
_TWO = {"first": "first handle", "second": "second handle"}
# What such a field is called where it is not entered, since one of the two reports has no answer there.
_WHOLES: Mapping[str, str] = {"basic": "type and rights", "info": "ZX_INFO_VMO", "opened": "opens with the extension"}
_OWN_LABELS: Mapping[tuple[type, str], str] = {
    (Report, "closed"): "vkDestroyInstance returned",
    (Device, "closed"): "vkDestroyDevice returned",
    (DriverIdentity, "name"): "driver name",
    (DriverIdentity, "info"): "driver info",
    (DriverIdentity, "id"): "driver ID",
    (DriverIdentity, "conformance_version"): "conformance version",
    (Handle, "value"): "handle",
    (Handle, "valid"): "valid to the kernel",
    (Variable, "value"): "",
    (VmoInfo, "version"): "version of ZX_INFO_VMO",
    (VmoInfo, "name"): "VMO name",
    (VmoInfo, "flags"): "VMO flags",
}

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
class Row:
    """A table's row in words that other rows can be told together with."""

    table: Table
    names: tuple[str, ...]
    number: int | None


@record
class Place:
    """A way into a report: *path* for programs, the fields passed, the row last entered, and the labels since then."""

    path: str
    device: int | None
    fields: tuple[str, ...] = ()
    row: Row | None = None
    labels: tuple[str, ...] = ()
    last: str = ""
    about: Area | None = None

    def into(self, owner: type, field: str) -> "Place":
        """Go into a field of a record; each of two handles is a row of its own, in words."""
        if self.row and field in _TWO:
            row = replace(self.row, names=(*self.row.names, _TWO[field]))
            return replace(self, path=f"{self.path}.{field}", fields=(*self.fields, field), row=row)
        label = label_of(owner, field)
        silent = not label or (field in _SILENT and (owner, field) not in _OWN_LABELS)
        labels = self.labels if silent else (*self.labels, label)
        last = _WHOLES.get(field, "" if self.row else label)
        return replace(self, path=f"{self.path}.{field}", fields=(*self.fields, field), labels=labels, last=last)

    def inside(self) -> "Place":
        """Go into a table, whose rows have names of their own."""
        return replace(self, labels=())

    def at(self, row: Row, key: str) -> "Place":
        """Go into a row of a table."""
        return replace(self, path=f"{self.path}[{key}]", row=row, labels=(), last="")

    def labelled(self, label: str) -> "Place":
        """Be called otherwise."""
        return replace(self, labels=(label,))

    def of(self, area: Area) -> "Place":
        """Belong to *area*, whatever the fields say."""
        return replace(self, about=area)

    @property
    def field(self) -> str:
        """Name what is in the row, or in the device or machine where there is no row."""
        return ", ".join(self.labels) or self.last

    @property
    def area(self) -> Area:
        """Tell what this is about: the innermost field that says so decides."""
        if self.about:
            return self.about
        if self.row and self.row.table is TABLES[Extension] and self.row.names[0] in KIN:
            return Area.EXTENSION
        if self.device is None:
            return Area.MACHINE
        return next((_AREAS[field] for field in reversed(self.fields) if field in _AREAS), Area.SHARING)


def label_of(owner: type, field: str) -> str:
    """Name a field for a reader."""
    return _OWN_LABELS.get((owner, field), _LABELS.get(field, field.replace("_", " ")))


def table_of(field: str, row: type) -> Table:
    """Give the table that rows of this type in *field* are."""
    return _PAIRS[field] if row is PairOfHandles else TABLES[row]


def row_of(table: Table, record: Any) -> Row:
    """Name a row."""
    shown = tuple(filter(None, (_name(getattr(record, name)) for name in table.shown)))
    return Row(table, shown, getattr(record, table.number) if table.number else None)


def _name(value: Any) -> str:
    if isinstance(value, Flags):
        return "|".join(value.names)
    return value.name if isinstance(value, Named) else str(value)
