# SPDX-License-Identifier: Apache-2.0
"""The environment variables that affect the loader: what each does or why it is ignored, and missing entries."""

import os
from collections.abc import Collection, Iterator

from vkzircon_cli.checks import Outcome
from vkzircon_cli.doctor.finding import Finding, branch, shown
from vkzircon_cli.doctor.search import Surroundings, driver_variable, entries
from vkzircon_cli.model.host import VARIABLES, KnownVariable
from vkzircon_cli.model.quantities import counted
from vkzircon_cli.model.spec import Version, api_version

_EMPTY = {"driver": Outcome.FAIL, "explicit layer": Outcome.WARN}


def variables_finding(where: Surroundings, loader: Version | None) -> Finding:
    """Return what each variable does that is set; *loader* is the version of the loader, None where none opens."""
    children = [_effect(known, where, loader) for name, known in VARIABLES.items() if name in where.environ]
    number = counted(len(children), "variable") if children else "No variable"
    words = "affect the loader are" if len(children) > 1 else "affects the loader is"
    return branch("variables", "environment", f"{number} that {words} set.", children)


def _effect(known: KnownVariable, where: Surroundings, loader: Version | None) -> Finding:
    name, value = known.name, where.environ[known.name]
    by = next((other for other in known.yields_to if other in where.environ), "")

    def finding(word: str, outcome: Outcome, said: str, cause: str = "", command: str = f"unset {name}") -> Finding:
        evidence = (f"{name}={shown(value)}",)
        return Finding(f"variable.{word}", name, outcome, f"{name} {said}.", evidence, cause, command)

    if where.elevated and known.is_secure:
        cause = "the loader ignores it in a process with raised privileges (set-user-ID, set-group-ID)"
        return finding("ignored", Outcome.WARN, "is ignored", cause, "id")
    if loader is not None and loader.value < known.since:
        cause = f"the loader is of Vulkan {loader.text}, and {api_version(known.since).text} introduced the variable"
        return finding("unknown", Outcome.WARN, "is ignored", cause)
    if by:
        cause = f"{by} is set{'' if where.environ[by] else ' (to nothing)'} and overrides it"
        return finding("overridden", Outcome.INFO, f"is ignored beside {by}", cause, f"unset {by}")
    if value:
        return finding("in-force", Outcome.INFO, known.effect)
    if known.removes:
        cause = "a variable that is set but empty is not the same as an unset one"
        return finding("empty", _EMPTY[known.removes], f"is empty, so the loader finds no {known.removes}", cause)
    return finding("empty", Outcome.INFO, "is empty and has no effect")


def driver_variables(where: Surroundings) -> Iterator[Finding]:
    """Yield the entries that do not exist of the variables that name driver manifests."""
    yield from _missing_entries(where, driver_variable(where) or "VK_ADD_DRIVER_FILES")


def layer_variables(where: Surroundings, known: Collection[str]) -> Iterator[Finding]:
    """Yield the folders of layers that do not exist, and the layers asked for that are not among the *known* ones."""
    yield from _missing_entries(where, "VK_LAYER_PATH" if "VK_LAYER_PATH" in where.environ else "VK_ADD_LAYER_PATH")
    for layer in where.environ.get("VK_INSTANCE_LAYERS", "").split(os.pathsep):
        if layer and layer not in known:
            words = f"VK_INSTANCE_LAYERS names {layer}, which is not installed: the loader ignores it."
            yield Finding("layer.not-installed", layer, Outcome.WARN, words, command="vulkaninfo --summary")


def _missing_entries(where: Surroundings, variable: str) -> Iterator[Finding]:
    """Yield the entries that do not exist, except those that are reported as unreadable manifests."""
    for entry in entries(where, variable):
        slip = _slip(entry)
        if not os.path.lexists(entry) and (slip or not entry.endswith(".json")):
            words = f'{variable} names "{entry}", which does not exist{f": {slip}" if slip else ""}.'
            yield Finding("variable.not-found", entry, Outcome.FAIL, words, command=f'echo "${variable}"')


def _slip(text: str) -> str:
    """Return a likely mistake in an entry, '' if there is none."""
    if text[:1] in "\"'" and text[-1:] == text[:1]:
        return "the quotes are part of the value"
    if text.startswith("~"):
        return "the shell did not expand the ~"
    if text != text.strip():
        return "a blank is part of the value"
    if "," in text:
        return f"entries are separated by {os.pathsep!r}, not by commas"
    return ""
