# SPDX-License-Identifier: Apache-2.0
"""The personas and faults of the emulation, for people and for programs."""

from collections.abc import Sequence
from itertools import takewhile

from vkzircon_cli.bindings.faults import Entry
from vkzircon_cli.emulation.launch import Listing
from vkzircon_cli.model.base import plain
from vkzircon_cli.render.json import render_json
from vkzircon_cli.render.style import Page
from vkzircon_cli.render.writer import Sheet

LISTING_SCHEMA_VERSION = "1.0"
# faults.h defines a fault for each pair of a way and a place, such as `abort-in-export`.
_WAYS = ("abort", "exit", "hang", "segfault")
_IN = "-in-"


def render_listing(listing: Listing, page: Page) -> str:
    """Format the names with their descriptions; list the faults that end or hang the process as ways and places."""
    places = _places(listing.faults)
    folded = {each.name for entries in places.values() for each in entries}
    sheet = Sheet(page)
    _write(sheet, "Personas (--persona NAME)", [(each.name, each.description) for each in listing.personas])
    others = [(each.name, each.description) for each in listing.faults if each.name not in folded]
    _write(sheet, "Faults (--fault NAME)", others)
    if places:
        where = {place: _where(entries) for place, entries in places.items()}
        first, entries = next(iter(places.items()))
        said = [each.description.replace(where[first], "PLACE") for each in entries]
        _write(
            sheet,
            "Faults WAY-in-PLACE, such as --fault hang-in-export: what WAY can be",
            list(zip(_WAYS, said, strict=True)),
        )
        _write(sheet, "Faults WAY-in-PLACE: what PLACE can be", list(where.items()))
    return sheet.finish()


def _places(faults: Sequence[Entry]) -> dict[str, list[Entry]]:
    """Return the places that have a fault of every way, with these faults in the order of `_WAYS`."""
    named = {each.name: each for each in faults}
    places = dict.fromkeys(name.partition(_IN)[2] for name in named if name.startswith(f"{_WAYS[0]}{_IN}"))
    of_place = {place: [named.get(f"{way}{_IN}{place}") for way in _WAYS] for place in places}
    return {place: [each for each in found if each] for place, found in of_place.items() if None not in found}


def _where(entries: Sequence[Entry]) -> str:
    """Return the call: the words with which all descriptions of one place end."""
    ends = [each.description.rstrip(".").split()[::-1] for each in entries]
    same = takewhile(lambda words: len(set(words)) == 1, zip(*ends, strict=False))
    return " ".join(words[0] for words in reversed(list(same)))


def _write(sheet: Sheet, title: str, rows: Sequence[tuple[str, str]]) -> None:
    sheet.heading(title)
    for name, words in rows:
        sheet.field(name, words, label_width=max(len(name) for name, _ in rows), indent=2, prose=True)


def render_listing_json(listing: Listing) -> str:
    """Format the personas and faults as JSON, with an entry for each fault."""
    found = {"personas": plain(listing.personas), "faults": plain(listing.faults)}
    return render_json({"schema_version": LISTING_SCHEMA_VERSION, **found})
