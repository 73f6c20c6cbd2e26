# SPDX-License-Identifier: Apache-2.0
"""Checks manifests together with their libraries: which lead to a working driver or layer, and why others do not."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from functools import partial
from shlex import quote

from vkzircon_cli.checks import Outcome
from vkzircon_cli.doctor import search
from vkzircon_cli.doctor.finding import Finding, branch, shown
from vkzircon_cli.doctor.library import (
    DEATHS,
    ENTRY_POINTS,
    NO_TIME,
    Fate,
    LibraryTrial,
    Loading,
    loading_problem,
    unfit,
)
from vkzircon_cli.doctor.loader_trial import Asked, LoaderTrial
from vkzircon_cli.doctor.manifest import (
    Manifest,
    ManifestExam,
    ManifestKind,
    examine,
    examine_any,
    fault,
    layer_finding,
    passed_over,
)
from vkzircon_cli.doctor.place import install_drivers
from vkzircon_cli.doctor.search import Surroundings
from vkzircon_cli.doctor.settings import Settings, settings_in_force
from vkzircon_cli.doctor.verdict import NOT_TRIED, explained, verdict
from vkzircon_cli.model.base import record
from vkzircon_cli.model.host import FUCHSIA
from vkzircon_cli.model.loader_filters import driver_filter, layer_filter


@record
class Examined:
    """All manifests of drivers and layers, and the loader's results for them, with its settings."""

    drivers: tuple[ManifestExam, ...]
    layers: tuple[ManifestExam, ...]
    asked: Asked
    settings: Settings | None


class ManifestTrial:
    """Reads manifests, runs the loader in one task, and loads those libraries that it does not use in another."""

    def __init__(self, where: Surroundings) -> None:
        self._where = where
        self._found = _looked_at([each for path, kind in _manifests(where) for each in examine(path, kind)], where)
        switches = [pair[0] for each, _, _ in self._found for pair in (each.switch, each.enabler) if pair]
        self._loader = LoaderTrial(where, _drivers(self._found), switches)
        self._library: LibraryTrial | None = None
        self._has_time = True

    def close(self) -> None:
        """End the tasks; what has no result yet counts as not tried."""
        self._has_time = False
        self._loader.close()
        if self._library is not None:
            self._library.close()

    def examined(self) -> Examined:
        """Return the results, also of manifests that only the loader found."""
        # A process that a driver ended takes long to replace: the libraries are then loaded beside it.
        calm = self._loader.asked() if self._loader.is_calm() else None
        library = self._loading(self._found, calm)
        asked = calm or self._loader.asked()
        loaded = library.loadings()
        known = {os.path.normpath(each.path) for each, _, _ in self._found}
        unknown = [path for path in asked.named_files() if path not in known]
        others = _looked_at([each for path in unknown for each in examine_any(path)], self._where)
        if others:
            asked = replace(asked, alone={**asked.alone, **self._loader.alone(_drivers(others))})
            loaded |= self._loading(others, asked).loadings()
        found = [*self._found, *others]
        return _examined(found, loaded | _used(found, asked), asked)

    def _loading(self, found: "list[_LookedAt]", asked: Asked | None) -> LibraryTrial:
        """Start to load those libraries that the loader is not known to use, except of layers that are off."""
        used = _used(found, asked) if asked else {}
        ready = [each for each, problem, is_on in found if problem is None and is_on is not False]
        libraries = [each.resolved for each in ready if each.resolved and each.resolved not in used]
        names = [name for each in ready for name in each.entry_points]
        self._library = LibraryTrial(libraries, self._where.timeout_s, names, has_time=self._has_time)
        return self._library


def _used(found: "list[_LookedAt]", asked: Asked) -> dict[str, Loading]:
    """Return the libraries of drivers that the loader uses; there is nothing to find out about them."""
    used = (each.resolved for each, _, _ in found if each.path in asked.alone and asked.alone[each.path].is_used)
    return dict.fromkeys(used, Loading(Fate.LOADED, symbols=ENTRY_POINTS))


def _examined(found: "list[_LookedAt]", loaded: Mapping[str, Loading], asked: Asked) -> Examined:
    earlier = partial(_earlier, asked, {})
    settings = settings_in_force(asked)
    told = [verdict(_exam(*each, loaded, earlier), asked, settings) for each in found]
    drivers = tuple(exam for exam in told if exam.manifest.is_driver)
    return Examined(drivers, explained(exam for exam in told if not exam.manifest.is_driver), asked, settings)


def _drivers(found: "list[_LookedAt]") -> list[str]:
    return [each.path for each, _, _ in found if each.is_driver]


def examine_all(where: Surroundings) -> Examined:
    """Examine the manifests of drivers and layers."""
    with closing(ManifestTrial(where)) as trial:
        return trial.examined()


def _manifests(where: Surroundings) -> Iterator[tuple[str, ManifestKind]]:
    """Yield the path and the kind of each manifest: drivers first, explicit layers last."""
    yield from ((path, ManifestKind.DRIVER) for path in search.drivers(where))
    yield from ((path, ManifestKind.IMPLICIT_LAYER) for path in search.implicit_layers(where))
    yield from ((path, ManifestKind.EXPLICIT_LAYER) for path in search.explicit_layers(where))


# A manifest, what is wrong before its library is loaded, and whether it is on.
_LookedAt = tuple[Manifest, Finding | None, bool | None]


def _looked_at(manifests: list[Manifest], where: Surroundings) -> list[_LookedAt]:
    return [(each, each.problem or _unloadable(each, where), _is_on(each, where)) for each in manifests]


def _is_on(manifest: Manifest, where: Surroundings) -> bool | None:
    """Whether a layer is on: an explicit one if it is named, an implicit one unless its switch is off."""
    if manifest.is_driver:
        return None
    is_implicit = manifest.kind is ManifestKind.IMPLICIT_LAYER
    filtered = layer_filter(where.trusted, manifest.name, is_implicit=is_implicit)
    if filtered is False or (manifest.switch and manifest.switch[0] in where.environ):
        return False
    if filtered:
        return True
    if not is_implicit:
        return manifest.name in where.environ.get("VK_INSTANCE_LAYERS", "").split(os.pathsep)
    if manifest.enabler:
        return where.environ.get(manifest.enabler[0]) == manifest.enabler[1]
    return True


def _unloadable(manifest: Manifest, where: Surroundings) -> Finding | None:
    """Return why the loader does not load a library, as far as its file and the filters show it.

    A bare name, or one with $LIB, is found by the linker only.
    """
    path = manifest.resolved
    if manifest.is_driver and (variable := driver_filter(where.trusted, manifest.path)):
        return passed_over(manifest.path, f"{variable} says so")
    if "/" not in path or "$" in path or (manifest.is_driver and where.platform == FUCHSIA):
        return None
    return unfit(manifest)


def _exam(
    manifest: Manifest,
    problem: Finding | None,
    on: bool | None,
    loaded: Mapping[str, Loading],
    earlier: Callable[[Manifest], str],
) -> ManifestExam:
    loading = loaded.get(manifest.resolved, Loading(Fate.NOT_TRIED, NO_TIME))
    is_tried = problem is None and on is not False
    if is_tried:
        problem = loading_problem(manifest, loading)
    finding = problem or _fine(manifest, loading, on, earlier(manifest))
    if manifest.notes:
        finding = replace(finding, children=manifest.notes)
    is_usable = problem is None and (loading.fate is Fate.LOADED or not manifest.is_driver)
    return ManifestExam(manifest, is_usable, is_tried and loading.fate in DEATHS, on, finding)


def _earlier(asked: Asked, seen: dict[str, str], manifest: Manifest) -> str:
    """Return an earlier manifest of the same library, '' if there is none, and remember this one in *seen*."""
    library = asked.file_of(manifest.resolved)
    earlier = seen.get(library, "")
    seen.setdefault(library, manifest.path)
    return earlier


def _fine(manifest: Manifest, loading: Loading, on: bool | None, first: str) -> Finding:
    if not manifest.is_driver:
        return layer_finding(manifest, on)
    if first:
        same = "is read twice" if first == manifest.path else f"names the same library as {first}"
        words = f"{same}: each of its devices is listed twice"
        return fault("manifest.duplicate", manifest.path, words, Outcome.WARN)
    if loading.fate is Fate.NOT_TRIED:
        words = f"{manifest.path} names {manifest.resolved}; it was not loaded: {loading.words}."
        return Finding(NOT_TRIED, manifest.path, Outcome.SKIP, words)
    words = f"{manifest.path} names {manifest.resolved}, which loads."
    return Finding("manifest.fine", manifest.path, Outcome.PASS, words)


def driver_findings(exams: tuple[ManifestExam, ...], where: Surroundings) -> Finding:
    """Return the branch of all drivers; a bad one matters less beside a good one."""
    good = [exam for exam in exams if exam.is_usable]
    children = [
        *search.missing_entries(where, search.driver_variable(where) or "VK_ADD_DRIVER_FILES"),
        *search.crowded_folders(exam.manifest.path for exam in exams),
        *(_by_the_linker(_softened(exam, matters=not good or exam.kills), where) for exam in exams),
    ]
    hidden = search.hidden_drivers(where, Outcome.INFO if good else Outcome.FAIL)
    if not exams and not hidden:
        children.append(_none_found(where))
    children += (*_all_filtered(exams, where), *hidden)
    said = f"{len(good)} of {len(exams)} driver manifests {'leads' if len(good) == 1 else 'lead'} to a driver."
    if untried := sum(exam.finding.id == NOT_TRIED for exam in exams):
        said = f"{untried} of {len(exams)} drivers were not tried."
    return branch("drivers", "", said, children)


def _by_the_linker(found: Finding, where: Surroundings) -> Finding:
    """Return the finding with LD_LIBRARY_PATH as its cause if the linker's message names a file from there."""
    words = " ".join(found.evidence)
    folder = next((each for each in search.entries(where, "LD_LIBRARY_PATH") if f"{each.rstrip('/')}/" in words), "")
    if not folder:
        return found
    cause = f"LD_LIBRARY_PATH puts {shown(folder)} before the system's folders, and that file is from there"
    return replace(found, cause=cause, command="unset LD_LIBRARY_PATH")


def _softened(exam: ManifestExam, *, matters: bool) -> Finding:
    """Return the finding; a failure is at most a warning if it neither *matters* nor stops the loader."""
    found = exam.finding
    if matters or exam.stops or found.outcome is not Outcome.FAIL:
        return found
    return replace(found, outcome=Outcome.INFO if found.id == "manifest.wrong-class" else Outcome.WARN)


def _all_filtered(exams: tuple[ManifestExam, ...], where: Surroundings) -> Iterator[Finding]:
    """Yield a finding if a variable leaves out every driver; leaving out some is its purpose."""
    filters = [driver_filter(where.trusted, exam.manifest.path) for exam in exams]
    if filters and all(filters):
        variable = filters[0]
        words = f'{variable} leaves out every driver: it is "{shown(where.environ[variable])}".'
        yield Finding("drivers.filtered", variable, Outcome.FAIL, words, command=f"unset {variable}")


def _none_found(where: Surroundings) -> Finding:
    words = "No driver manifest was found."
    if where.platform == FUCHSIA:
        cause = "The loader gets them from the service fuchsia.vulkan.loader.Loader when it needs them."
        return Finding("drivers.served", "", Outcome.SKIP, words, cause=cause)
    variable = search.driver_variable(where)
    command = f"unset {variable}" if variable else install_drivers()
    cause = f"{variable} names the only manifests that the loader reads" if variable else "no driver is installed"
    return Finding("drivers.none", "", Outcome.FAIL, words, cause=cause, command=command)


def layer_findings(exams: tuple[ManifestExam, ...], where: Surroundings) -> Finding:
    """Return the branch of all layers; a bad library matters less where its layer is off."""
    children = [
        *search.layer_variables(where, {exam.manifest.name for exam in exams}),
        *search.crowded_folders(exam.manifest.path for exam in exams),
        *_same_names(exams),
        *(_softened(exam, matters=bool(exam.is_on or exam.manifest.problem)) for exam in exams),
    ]
    on = sum(bool(exam.is_on and exam.is_usable) for exam in exams)
    return branch("layers", "", f"{on} of {len(exams)} layers {'is' if on == 1 else 'are'} on.", children)


def _same_names(exams: tuple[ManifestExam, ...]) -> Iterator[Finding]:
    paths: dict[str, list[str]] = {}
    for exam in exams:
        if exam.manifest.name:
            paths.setdefault(exam.manifest.name, []).append(exam.manifest.path)
    for name, of in paths.items():
        if len(of) > 1:
            words = f"{name} is the name of {len(of)} layers; the loader uses the first one."
            command = f"ls -l {' '.join(map(quote, of))}"
            yield Finding("layer.same-name", name, Outcome.WARN, words, tuple(of), command=command)
