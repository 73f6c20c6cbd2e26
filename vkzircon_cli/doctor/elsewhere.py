# SPDX-License-Identifier: Apache-2.0
"""Examination of a device behind an agent: what its process sees. Files are read on this machine only."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from vkzircon_cli.bindings.caller import Caller
from vkzircon_cli.checks import Outcome
from vkzircon_cli.doctor import access, loader, search
from vkzircon_cli.doctor.finding import Finding, branch
from vkzircon_cli.errors import CannotAsk
from vkzircon_cli.model.base import Missing
from vkzircon_cli.model.host import FUCHSIA
from vkzircon_cli.model.request import Request
from vkzircon_cli.report.report import Report
from vkzircon_cli.worker.agent_process import connected
from vkzircon_cli.worker.isolation import AgentLost

_HERE_ONLY = "vkzircon reads manifests, and tries without them, only on the machine that it runs on"


def findings(request: Request, report: Report) -> tuple[Finding, ...]:
    """Return what the agent of *request* sees: the loader, variables, paths, and services or device nodes."""
    where = _surroundings(request, report)
    names = search.names_tried(where.environ)
    parts = list(unseen(request, report, "the agent ended"))
    answers: list[Any] = []
    fate: Missing | None = None
    try:
        with connected(replace(request, environ={}), is_silent=True) as caller:
            parts[2:] = _of_paths(replace(where, exists=caller.exists), caller)
            if _must_try(report, names):
                answers.extend(loader.try_names(caller, names))  # those before the agent's end are kept
    except AgentLost as lost:
        fate = lost.missing
    except CannotAsk as no_agent:
        return tuple(unseen(request, report, no_agent.message.rstrip(".")))
    if _must_try(report, names):
        parts[:2] = _of_loader(loader.attempts_of(names, answers, fate), where)
    return tuple(parts)


def unseen(request: Request, report: Report, why: str) -> Iterator[Finding]:
    """Yield the same parts as far as *report* has them; *why* is the reason why the rest was not examined."""
    yield from _of_loader(loader.attempt_of_probe(report.loader), _surroundings(request, report), why)
    for part in ("drivers", "layers", "access"):
        child = Finding(f"{part}.not-looked-at", "", Outcome.SKIP, "They were not looked at.", (), why)
        yield branch(part, "", child.sentence, [child])


def _surroundings(request: Request, report: Report) -> search.Surroundings:
    """Return the surroundings of the agent's process, as the report has them."""
    there = report.environment
    environ = {variable.name: variable.value for variable in there.variables}
    return search.Surroundings(there.platform, there.elevated, environ, request.timeout_s)


def _must_try(report: Report, names: Sequence[str]) -> bool:
    """Whether the loader is not known from the probe, or is one whose earlier names do not open."""
    return report.loader.value is None or report.loader.value.library != names[0]


def _of_loader(
    attempts: tuple[loader.Attempt, ...] | None, where: search.Surroundings, why: str = ""
) -> tuple[Finding, Finding]:
    # The loader's file is on the device, and is not read here.
    return loader.loader_finding(attempts, where, why), search.variables_finding(where, "")


def _of_paths(where: search.Surroundings, caller: Caller) -> list[Finding]:
    is_fuchsia = where.platform == FUCHSIA
    return [
        _of_manifests("drivers", search.DRIVERS, search.driver_variable(where) or "VK_ADD_DRIVER_FILES", where),
        _of_manifests("layers", search.EXPLICIT_LAYERS, search.layer_variable(where), where),
        access.routes_behind(caller.exists) if is_fuchsia else access.nodes_behind(caller.exists),
    ]


def _of_manifests(part: str, kind: str, variable: str, where: search.Surroundings) -> Finding:
    """Return which entries of *variable* and usual folders exist; the files are not read."""
    missing = list(search.missing_entries(where, variable, with_manifests=True))
    folders = [folder for folder in search.folders(where, kind) if where.exists(folder)]
    named = [entry for entry in search.entries(where, variable) if where.exists(entry)]
    words = f"No manifest of {part} was read on the device."
    seen = f"Paths that exist: {', '.join([*named, *folders]) or 'none of the usual folders'}."
    return branch(part, "", words, [*missing, Finding(f"{part}.not-looked-at", "", Outcome.SKIP, seen, (), _HERE_ONLY)])
