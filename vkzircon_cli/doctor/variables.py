# SPDX-License-Identifier: Apache-2.0
"""The variables that name manifests and layers: which is in force, what each entry leads to, and likely slips."""

import os
from collections.abc import Collection, Iterator

from vkzircon_cli.checks import Outcome
from vkzircon_cli.doctor.finding import Finding
from vkzircon_cli.doctor.search import Entry, driver_variable, entries
from vkzircon_cli.doctor.surroundings import Surroundings

_DRIVERS = ("VK_DRIVER_FILES", "VK_ICD_FILENAMES", "VK_ADD_DRIVER_FILES")
_LAYERS = ("VK_LAYER_PATH", "VK_ADD_LAYER_PATH")


def driver_variables(where: Surroundings) -> Iterator[Finding]:
    """Judge the variables that name drivers."""
    chosen = driver_variable(where)
    for name in _DRIVERS:
        yield from _variable(where, name, chosen if chosen != name else "")


def layer_variables(where: Surroundings, known: Collection[str]) -> Iterator[Finding]:
    """Judge the variables that name folders of layers, and layers, of which the *known* ones are installed."""
    first = "VK_LAYER_PATH" if where.environ.get("VK_LAYER_PATH") else ""
    for name in _LAYERS:
        yield from _variable(where, name, first if first != name else "")
    for layer in where.environ.get("VK_INSTANCE_LAYERS", "").split(os.pathsep):
        if layer and layer not in known:
            words = f"VK_INSTANCE_LAYERS names {layer}, which is not installed: the loader goes on without it."
            yield Finding("layer.not-installed", layer, Outcome.WARN, words, command="vulkaninfo --summary")


def _variable(where: Surroundings, name: str, overridden_by: str) -> Iterator[Finding]:
    value = where.environ.get(name)
    if value is None:
        return
    if where.elevated:
        words = f"{name} is ignored: the process runs with raised privileges."
        yield Finding(
            "variable.ignored", name, Outcome.WARN, words, (f'{name}="{value}"',), command=f"env -u {name} vkzircon"
        )
    elif not value:
        yield Finding("variable.empty", name, Outcome.INFO, f"{name} is set and empty, as if it were not set.")
    elif overridden_by:
        words = f"{name} is ignored: {overridden_by} is set too, and goes before it."
        yield Finding("variable.overridden", name, Outcome.INFO, words, (f'{name}="{value}"',), command=f"unset {name}")
    else:
        yield Finding(
            "variable.in-force",
            name,
            Outcome.INFO,
            f"{name} is in force: only what it names is looked at.",
            (f'{name}="{value}"',),
        )
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
