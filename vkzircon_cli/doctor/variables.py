# SPDX-License-Identifier: Apache-2.0
"""What the variables name that name manifests and layers: what is not there, and likely slips."""

import os
from collections.abc import Collection, Iterator

from vkzircon_cli.checks import Outcome
from vkzircon_cli.doctor.finding import Finding
from vkzircon_cli.doctor.search import Entry, driver_variable, entries, layer_variable
from vkzircon_cli.doctor.surroundings import Surroundings


def driver_variables(where: Surroundings) -> Iterator[Finding]:
    """Judge what the variables name that name drivers."""
    yield from _entries(where, driver_variable(where) or "VK_ADD_DRIVER_FILES")


def layer_variables(where: Surroundings, known: Collection[str]) -> Iterator[Finding]:
    """Judge the variables that name folders of layers, and layers, of which the *known* ones are installed."""
    yield from _entries(where, layer_variable(where))
    for layer in where.environ.get("VK_INSTANCE_LAYERS", "").split(os.pathsep):
        if layer and layer not in known:
            words = f"VK_INSTANCE_LAYERS names {layer}, which is not installed: the loader goes on without it."
            yield Finding("layer.not-installed", layer, Outcome.WARN, words, command="vulkaninfo --summary")


def _entries(where: Surroundings, name: str) -> Iterator[Finding]:
    """Judge what a variable that is in force names; what it does is told where all variables are."""
    if not where.elevated:
        yield from (_entry(each) for each in entries(where, name) if not each.is_there and not _is_examined(each))


def _is_examined(entry: Entry) -> bool:
    """Tell whether the entry is told of as a manifest that cannot be read, and no slip explains it."""
    return entry.text.endswith(".json") and not _slip(entry.text)


def _entry(entry: Entry) -> Finding:
    slip = _slip(entry.text)
    words = f'{entry.variable} names "{entry.text}", which is not there{f": {slip}" if slip else ""}.'
    return Finding("variable.not-found", entry.text, Outcome.FAIL, words, command=f'echo "${entry.variable}"')


def _slip(text: str) -> str:
    """Guess what went wrong in writing it."""
    if text[:1] in "\"'" and text[-1:] == text[:1]:
        return "the quotes are part of the value"
    if text.startswith("~"):
        return "the shell has not expanded the ~"
    if text != text.strip():
        return "a blank is part of the value"
    if "," in text:
        return f"entries are separated by {os.pathsep!r}, not by commas"
    return ""
