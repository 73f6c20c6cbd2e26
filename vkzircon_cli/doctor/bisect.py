# SPDX-License-Identifier: Apache-2.0
"""Who keeps the loader from working: found among the manifests, or by trying drivers and layers one at a time.

What is found is left out by the loader's own variables, so that the drivers that work can be asked.
"""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from vkzircon_cli import pipeline
from vkzircon_cli.bindings.dynlib import LAYER_NAME
from vkzircon_cli.checks import Outcome
from vkzircon_cli.checks.registry import describe, sentence_case
from vkzircon_cli.doctor.manifest import ManifestKind
from vkzircon_cli.doctor.manifest_check import NOT_TRIED, ManifestExam, examine_drivers, examine_layers
from vkzircon_cli.doctor.surroundings import Surroundings, surroundings
from vkzircon_cli.model.base import MissingKind, record
from vkzircon_cli.model.host import FUCHSIA
from vkzircon_cli.model.loader_filters import driver_filter, layer_filter
from vkzircon_cli.model.request import Depth, Request
from vkzircon_cli.model.text import with_article
from vkzircon_cli.pipeline import Found
from vkzircon_cli.report.stop_reason import is_in_trouble
from vkzircon_cli.stream.events import Culprit
from vkzircon_cli.stream.fold import Fold, Transcript
from vkzircon_cli.worker.isolation import can_fork

# A driver that is only slow was waited for already, by the probe that ended in trouble.
_MOST_SECONDS = 5.0
_MOST_TRIED = 16
# What the loader answers where no driver has a device: such a driver is in nobody's way.
_NO_DEVICE = "VK_ERROR_INITIALIZATION_FAILED"
_IDLE = "it reports no device"
_ENABLE = "VK_LOADER_LAYERS_ENABLE"
# The folders that hold layers can be left out whole by the variable that names their parents.
_FOLDERS = {
    "XDG_DATA_HOME": "/.local/share/vulkan/",
    "XDG_CONFIG_HOME": "/.config/vulkan/",
}


def find_culprits(request: Request, seen: Transcript) -> Found:
    """Find who is to blame for a probe of *request* that could ask nobody, of which *seen* is the transcript.

    Raises:
        NoProcess: the system refuses to start more processes.
    """
    if not can_fork():
        return Found()
    where = surroundings(min(request.timeout_s, _MOST_SECONDS), request.environ)
    if where.platform == FUCHSIA or where.elevated:
        return Found()
    drivers, layers = examine_drivers(where), examine_layers(where)
    if any(exam.finding.id == NOT_TRIED for exam in (*drivers, *layers)):  # no process could be started
        return Found()
    asked = replace(request, depth=Depth.IDENTITY, timeout_s=where.timeout_s, device=None)
    trial = _Trial(asked, _trouble(seen))
    bad = [exam for exam in (*drivers, *layers) if _is_bad(exam)]
    if not bad and not any(exam.is_usable for exam in drivers):
        tried = (exam for exam in drivers if not driver_filter(where.trusted, exam.path))
        return Found(tuple(_culprit(exam, left_out=False) for exam in tried))
    if bad:
        without = _without(bad, drivers, layers, where)
        works = without is not None and trial.problem(without) == ""
        return Found(tuple(_culprit(exam, left_out=works) for exam in bad), without if works else None)
    return _by_trial(trial, drivers, layers, where)


def _is_bad(exam: ManifestExam) -> bool:
    return exam.stops_loader or (exam.kills and exam.is_on is not False)


def _culprit(exam: ManifestExam, *, left_out: bool, sentence: str = "") -> Culprit:
    kind = "driver" if exam.manifest.kind is ManifestKind.DRIVER else "layer"
    found = exam.finding
    place = next((each for each in found.evidence if each.startswith(f"{exam.path}:")), "")
    where = f" ({place})" if place else ""
    said = sentence or f"{found.sentence.removesuffix('.')}{where}."
    return Culprit(kind, exam.path, said, found.command, left_out)


@record
class _Trouble:
    """What is wrong, '' if devices can be asked; *is_death* if it crashed or hung, *later* is what it died of then."""

    words: str
    is_death: bool = False
    later: str = ""


_DEATHS = (MissingKind.CRASHED, MissingKind.TIMED_OUT)


def _trouble(transcript: Transcript) -> _Trouble:
    facts = transcript.facts
    if not is_in_trouble(transcript):
        answers = (answer.missing for device in facts.devices for answer in (device.identity, device.extensions))
        died = next((each for each in answers if each is not None and each.kind in _DEATHS), None)
        return _Trouble("", later=describe(died) if died else "")
    if transcript.failure is not None:
        message = transcript.failure.message
        return _Trouble(f"{message[:1].lower()}{message[1:].removesuffix('.')}", is_death=True)
    missing = facts.instance.missing or facts.device_count.missing
    if missing is None or missing.result == _NO_DEVICE:
        return _Trouble(_IDLE)
    return _Trouble(describe(missing), missing.kind in _DEATHS)


@dataclass(slots=True)
class _Trial:
    """Asks in a child who is there, with other drivers and layers than the surroundings have; *trouble*: with those."""

    request: Request
    trouble: _Trouble
    _known: dict[tuple[tuple[str, str], ...], _Trouble] = field(default_factory=dict)

    def problem(self, changed: Mapping[str, str]) -> str:
        """Say what is wrong with *changed* on top, '' if devices can be asked."""
        return self.result(changed).words

    def helps(self, changed: Mapping[str, str]) -> bool:
        """Tell whether *changed* mends it, or lets what died live."""
        result = self.result(changed)
        return not result.words or (self.trouble.is_death and not result.is_death)

    def result(self, changed: Mapping[str, str]) -> _Trouble:
        """Tell what comes of *changed* on top."""
        key = tuple(sorted(changed.items()))
        if key not in self._known:
            self._known[key] = self._asked(changed)
        return self._known[key]

    def _asked(self, changed: Mapping[str, str]) -> _Trouble:
        fold = Fold()
        for event in pipeline.events(replace(self.request, environ={**self.request.environ, **changed})):
            fold.add(event)
        return _trouble(fold.transcript())


def _by_trial(
    trial: _Trial, drivers: Iterable[ManifestExam], layers: Iterable[ManifestExam], where: Surroundings
) -> Found:
    """Ask once more, then without layers, then each driver alone, until something works."""
    happened, trial.trouble = trial.trouble.words, trial.result({})
    if not trial.trouble.words:
        return Found((), {}, passed=happened)  # nobody is to blame
    on = [exam for exam in layers if exam.is_on][:_MOST_TRIED]
    quiet = _layers_off(on, where)
    if on and trial.helps(quiet):
        return _guilty_layers(trial, on, where)
    usable = [exam for exam in drivers if exam.is_usable][:_MOST_TRIED]
    if len(usable) < _TWO:
        return Found(tuple(_culprit(exam, left_out=False) for exam in drivers if exam.finding.outcome is Outcome.FAIL))
    # Without the layers, which change nothing here: they have troubles of their own with a driver without a device.
    problems = {exam.path: trial.problem({**quiet, **_only([exam.path])}) for exam in usable}
    good = [path for path, problem in problems.items() if not problem]
    culprits = [
        _culprit(exam, left_out=bool(good), sentence=_driver_words(exam.path, problems[exam.path]))
        for exam in usable
        if problems[exam.path] and (problems[exam.path] != _IDLE or not good)
    ]
    return Found(tuple(culprits), _only(good) if good and culprits else None)


_TWO = 2


def _driver_words(path: str, problem: str) -> str:
    if problem == _IDLE:
        return f"The driver of {path} reports no device."
    return f"{sentence_case(problem)}, with {path}."


def _guilty_layers(trial: _Trial, on: list[ManifestExam], where: Surroundings) -> Found:
    """Find the layer without which it goes, or as few layers as it takes, of those that are *on*."""

    def helps(off: list[ManifestExam]) -> bool:
        return trial.helps(_layers_off(off, where, on))

    guilty = next(([exam] for exam in on if helps([exam])), None) or _as_few_as_it_takes(on, helps)
    off = _layers_off(guilty, where, on)
    left_out = all(exam.manifest.name != LAYER_NAME for exam in guilty)  # the emulation is what was asked for
    words = _words(trial.trouble.words, trial.result(off), alone=len(guilty) == 1)
    told = [_culprit(exam, left_out=left_out, sentence=f"{_layer(exam)} {words}") for exam in guilty]
    return Found(tuple(told), off if left_out else None)


def _as_few_as_it_takes(on: list[ManifestExam], helps: Callable[[list[ManifestExam]], bool]) -> list[ManifestExam]:
    """Turn off one after another until it helps, which all do together; what can be on again all the same may be."""
    off = next(on[: count + 1] for count in range(len(on)) if count + 1 == len(on) or helps(on[: count + 1]))
    for exam in tuple(off):
        rest = [other for other in off if other is not exam]
        off = rest if rest and helps(rest) else off
    return off


def _layer(exam: ManifestExam) -> str:
    is_ours = exam.manifest.name == LAYER_NAME
    return (
        f"{exam.manifest.name}, {'the emulation' if is_ours else f'{with_article(exam.manifest.kind)} ({exam.path})'},"
    )


def _words(happened: str, without: _Trouble, *, alone: bool) -> str:
    """Say what a layer has to do with what *happened*: it is to blame if nothing is wrong *without* it."""
    if not alone:
        return f"is to blame, with others: {happened}, which does not happen without all of these."
    if then := without.words or without.later:
        return f"is in the way: {happened}, and without it {then}."
    return f"is to blame: {happened}, which does not happen without it."


def _without(
    bad: list[ManifestExam], drivers: tuple[ManifestExam, ...], layers: tuple[ManifestExam, ...], where: Surroundings
) -> dict[str, str] | None:
    """Give the variables that leave the bad ones out, None where that cannot be done or leaves no driver."""
    good = [exam.path for exam in drivers if exam.is_usable]
    if not good:
        return None
    environ = _only(good)
    for exam in (exam for exam in bad if exam in layers):
        if not exam.stops_loader:
            environ.update(_layers_off([exam], where))
        elif (folder := _without_folder(exam.path, where)) is not None:
            environ.update(folder)
        else:
            return None
    return environ


def _only(paths: list[str]) -> dict[str, str]:
    """Name the only drivers that are looked at; loaders before 1.3.207 know the older name."""
    named = os.pathsep.join(paths)
    return {"VK_DRIVER_FILES": named, "VK_ICD_FILENAMES": named}


def _layers_off(exams: list[ManifestExam], where: Surroundings, on: Sequence[ManifestExam] = ()) -> dict[str, str]:
    """Turn layers off: implicit ones by their own switch, explicit ones by not asking for them; others stay *on*."""
    environ = {e.manifest.switch[0]: e.manifest.switch[1] or "1" for e in exams if e.manifest.switch}
    names = {exam.manifest.name for exam in exams if exam.manifest.kind is ManifestKind.EXPLICIT_LAYER}
    if not names:
        return environ
    asked = where.environ.get("VK_INSTANCE_LAYERS", "")
    environ["VK_INSTANCE_LAYERS"] = os.pathsep.join(n for n in asked.split(os.pathsep) if n not in names)
    parts = [part for part in where.environ.get(_ENABLE, "").split(",") if part]
    kept = [part for part in parts if not any(_enables(part, name) for name in names)]
    others = [exam.manifest.name for exam in on if exam.manifest.name not in names]
    kept += [name for name in others if any(_enables(part, name) for part in parts if part not in kept)]
    return environ | {_ENABLE: ",".join(kept)} if parts else environ


def _enables(part: str, name: str) -> bool:
    return layer_filter({_ENABLE: part}, name, is_implicit=False) is True


def _without_folder(path: str, where: Surroundings) -> dict[str, str] | None:
    """Leave out the folder that *path* is in, by the variable that leads the search there; other files in it go too."""
    parent, _, _ = path.partition("/vulkan/")
    for variable, default in (("XDG_DATA_DIRS", "/usr/local/share:/usr/share"), ("XDG_CONFIG_DIRS", "/etc/xdg")):
        folders = (where.environ.get(variable) or default).split(os.pathsep)
        kept = [folder for folder in folders if folder and folder.rstrip("/") != parent]
        if len(kept) < len([folder for folder in folders if folder]):
            return {variable: os.pathsep.join(kept) or "/nonexistent"}
    for variable, inside in _FOLDERS.items():
        if where.environ.get(variable, "").rstrip("/") == parent or inside in path:
            return {variable: "/nonexistent"}
    return None
