# SPDX-License-Identifier: Apache-2.0
"""The chain of steps that sharing needs: if a link fails, checks of later links fail too.

`report.causes` searches for a cause in the order of the links, and of the checks in each link.
"""

from enum import StrEnum

from vkzircon_cli.checks.registry import DEATH_OF, RowResult
from vkzircon_cli.model.base import NEVER_REACHED, MissingKind


class Link(StrEnum):
    """The links of the chain, in order: each needs all earlier ones."""

    LOADER = "loader"
    EXTENSION = "extension"
    DEVICE = "device"
    CAPABILITIES = "capabilities"
    EXPORT = "export"
    KERNEL = "kernel"
    PROPERTIES = "properties"
    IMPORT = "import"
    BIND = "bind"
    BYTES = "bytes"
    AFTER = "after"


# A check that compares a driver's report with its behaviour comes after the checks of that behaviour: a refused import
# is the cause of "import is reported, and none works".
CHAIN: dict[Link, tuple[str, ...]] = {
    Link.LOADER: ("device.hardware", "device.unique"),  # which driver the loader chose
    Link.EXTENSION: ("extension.listed", "extension.dependencies", "extension.entry-points", "extension.revision"),
    Link.DEVICE: ("device.opens",),
    Link.CAPABILITIES: (
        *("capabilities.well-formed", "capabilities.compatible", "capabilities.offered", "capabilities.dedicated"),
        "capabilities.semaphore",
    ),
    Link.EXPORT: (
        *("export.memory-type", "export.result-codes", "capabilities.agree-export", "export.form"),
        "export.handle-given",
    ),
    Link.KERNEL: (
        *("export.handle-shape", "export.handle-is-vmo", "export.rights", "export.size", "export.whole-pages"),
        *("export.fixed-size", "export.ordinary", "export.two-gets-distinct", "export.two-gets-share"),
        *("export.same-koid", "export.two-exports-apart", "export.survives-channel", "export.fresh-zeros"),
    ),
    Link.PROPERTIES: (
        *("properties.succeeds", "properties.result-codes", "properties.written", "properties.bits-set"),
        *("properties.exporting-type", "properties.bits-in-range", "properties.duplicate-agrees"),
        *("properties.handle-kept", "properties.own-vmo"),
    ),
    Link.IMPORT: (
        *("import.same-device", "import.second-device", "import.second-instance", "import.other-device"),
        *("import.twice", "import.re-export", "import.own-vmo", "import.whole-size", "import.small"),
        *("import.result-codes", "capabilities.agree-import"),
    ),
    Link.BIND: (
        *("import.bind-offset", "import.bind-export-import-bind", "import.export-bind-import-bind"),
        "import.export-import-bind-bind",
    ),
    Link.BYTES: (
        *("import.contents-kept", "import.shares", "data.host-write", "data.host-write-import", "data.gpu-fill"),
        *("data.gpu-copy", "data.size", "data.image", "capabilities.images", "import.second-process"),
    ),
    Link.AFTER: (
        *("export.outlives", "import.releases-handle", "stress.imports", "stress.rounds", "stress.memory"),
        *("negative.survives", "negative.import-refused", "negative.handle-kept", "negative.properties-refused"),
        *("negative.no-handle-type", "negative.get-refused", "device.closes"),
    ),
}

_ALL_LATER = ("",)
_OF_PROPERTIES = (
    *("properties.bits-", "properties.exporting-type", "properties.duplicate-agrees", "properties.own-vmo"),
)
_OF_BYTES = ("data.host-", "data.gpu-", "data.image", "capabilities.images", "import.second-process")
# The checks that explain others, with the beginnings of the ids that they explain; a check that is not here explains
# only the checks that met the same refusal, crash or hang. docs/faults.md shows what fails with each fault.
EXPLAINS: dict[str, tuple[str, ...]] = {
    "extension.listed": _ALL_LATER,
    "extension.dependencies": _ALL_LATER,
    "extension.entry-points": _ALL_LATER,
    "device.opens": _ALL_LATER,
    "capabilities.offered": ("capabilities.agree-",),
    "export.memory-type": ("capabilities.", "export.", "data.image"),
    "capabilities.agree-export": ("capabilities.images",),
    "export.handle-given": _ALL_LATER,
    "export.handle-shape": _ALL_LATER,
    "export.handle-is-vmo": _ALL_LATER,
    "export.rights": ("properties.succeeds", "properties.bits-set", "properties.exporting-type"),
    "export.size": ("export.whole-pages", "import.", *_OF_BYTES, "stress.imports", "stress.rounds"),
    # The second handle is one of the sides on which import.shares looks for the bytes.
    "export.two-gets-distinct": ("import.shares",),
    "export.two-gets-share": ("import.shares",),
    "export.survives-channel": ("import.second-process", "import.shares"),
    "properties.succeeds": ("properties.result-codes", *_OF_PROPERTIES, "import."),
    "properties.written": (*_OF_PROPERTIES, "import."),
    "properties.bits-set": (*_OF_PROPERTIES, "import."),
    "properties.bits-in-range": ("properties.own-vmo",),
    "properties.handle-kept": ("negative.handle-kept",),
    "import.same-device": (
        *("import.", "data.", "capabilities.", "stress.imports", "stress.rounds", "negative.import-refused"),
    ),
    "import.contents-kept": _OF_BYTES,
    "import.shares": _OF_BYTES,
    "data.host-write": _OF_BYTES,
    "import.releases-handle": ("stress.imports", "stress.rounds"),
}

_LINKS = {check: link for link, checks in CHAIN.items() for check in checks}
_PLACES = {check: place for place, check in enumerate(_LINKS)}


def place_of(id: str) -> int:
    """Return the place of a check in the chain, from 0; a check that is not in it is the last."""
    return _PLACES.get(id, len(_PLACES))


def link_of(id: str) -> Link:
    """Return the link that a check tests."""
    return _LINKS.get(id, Link.AFTER)


def explains(cause: str, id: str) -> bool:
    """Whether a failure of the check *cause* explains one of the later check *id*."""
    return place_of(cause) < place_of(id) and id.startswith(EXPLAINS.get(cause, ("no check",)))


_WRONG = {
    "wrong-bytes": (
        *("export.two-gets-share", "export.two-exports-apart", "export.survives-channel", "export.fresh-zeros"),
        *("export.outlives", "import.second-process", "import.contents-kept", "import.shares"),
        *("data.host-", "data.gpu-", "data.image"),
    ),
    "missing-right": ("export.rights",),
    "wrong-size": ("export.size", "export.whole-pages"),
    "wrong-count": ("import.releases-handle", "stress.imports", "stress.rounds", "stress.memory"),
}


def is_judged(row: RowResult) -> bool:
    """Whether an answer was judged, and not a refusal, a crash or a hang."""
    missing = row.missing
    return missing is None or missing.kind is MissingKind.NOT_ASKED or missing.result == "VK_SUCCESS"


def what_happened(id: str, row: RowResult) -> str:
    """Return what *row* of a check shows, a word of `vkzircon explain`: a result, crash, timeout, wrong-bytes ..."""
    if is_judged(row):
        return next((word for word, ids in _WRONG.items() if id.startswith(ids)), "wrong-answer")
    missing = row.missing or NEVER_REACHED
    return DEATH_OF.get(missing.kind, missing.result)
