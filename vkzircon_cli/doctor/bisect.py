# SPDX-License-Identifier: Apache-2.0
"""Finds the driver or layer that is the cause, by its manifest or by leaving out one at a time.

Such a culprit keeps all devices from being probed, or hides the extension or its commands from one. It is left out
by the loader's own variables so that the other drivers can be probed.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from shlex import quote

from vkzircon_cli.bindings.dynlib import LAYER_NAME
from vkzircon_cli.checks import Outcome
from vkzircon_cli.checks.registry import DEATH_OF, describe, sentence_case
from vkzircon_cli.doctor.layer_bisect import LayerBisect, fewest, layers_off, layers_on, probe_again, without_layers
from vkzircon_cli.doctor.manifest import ManifestExam, ManifestKind
from vkzircon_cli.doctor.manifest_bisect import fatal_manifests, folder_off
from vkzircon_cli.doctor.manifest_check import Examined, examine_all
from vkzircon_cli.doctor.search import Surroundings, nameable, only_drivers, surroundings
from vkzircon_cli.doctor.settings import without_settings
from vkzircon_cli.doctor.verdict import NOT_TRIED
from vkzircon_cli.model.base import record
from vkzircon_cli.model.host import FUCHSIA, VARIABLES
from vkzircon_cli.model.loader_filters import driver_filter
from vkzircon_cli.model.queries import hidden_commands
from vkzircon_cli.model.request import Depth, Request
from vkzircon_cli.model.text import visible, with_article
from vkzircon_cli.pipeline import Found
from vkzircon_cli.report.stop_reason import has_died, is_in_trouble, lacks_emulation
from vkzircon_cli.stream.events import Culprit
from vkzircon_cli.stream.fold import Transcript
from vkzircon_cli.worker.isolation import NoProcess, can_fork

# The probe that failed has already waited longer for a driver that is only slow.
_USUAL_S, _OF_LIMIT = 5.0, 1 / 3
_MOST_TRIED = 16
# The loader's result where no driver has a device; such a driver does not hinder the others.
_NO_DEVICE = "VK_ERROR_INITIALIZATION_FAILED"
_IDLE = "it reports no device"


def find_culprits(request: Request, seen: Transcript) -> Found:
    """Return the manifests that kept a probe from every device, or that hide a command; *seen* is its transcript.

    Raises:
        NoProcess: the system refuses to start more processes.
    """
    if not can_fork():
        return Found()
    where = surroundings(min(request.timeout_s, max(_USUAL_S, request.timeout_s * _OF_LIMIT)), request.environ)
    if where.platform == FUCHSIA or where.elevated:
        return Found()
    if is_in_trouble(seen):
        return _reaching_none(request, where, seen)
    if request.emulate is not None and lacks_emulation(seen.facts):
        return Found(tuple(_leaving_emulation_out(where)))
    return _hiding_layers(request, where, seen)


def _leaving_emulation_out(where: Surroundings) -> Iterator[Culprit]:
    """Yield the meta-layers that are on while the emulation is not: such a layer may limit the search for layers."""
    layers = examine_all(where).layers
    if any(exam.is_on for exam in layers if exam.manifest.name == LAYER_NAME):
        return
    for exam in layers:
        found = exam.manifest
        if found.components and exam.is_on:
            sentence = f"{found.name} ({found.path}) is on, and sets the folders in which the loader looks for layers."
            off = f"export {found.switch[0]}={found.switch[1] or 1}" if found.switch else f"ls -l {quote(found.path)}"
            yield Culprit("layer", found.path, sentence, off, left_out=False)


def _reaching_none(request: Request, where: Surroundings, seen: Transcript) -> Found:
    examined = examine_all(where)
    drivers, layers = examined.drivers, examined.layers
    every = (*drivers, *layers)
    if any(exam.finding.id == NOT_TRIED for exam in every):
        raise NoProcess("No process", "the system refuses it")
    asked = replace(request, depth=Depth.IDENTITY, timeout_s=where.timeout_s, device=None)
    trial = _Trial(asked, _trouble(seen))
    if hiders := _hiders(trial, where, examined):
        return Found(hiders)
    bad = [exam for exam in every if exam.stops or (exam.kills and exam.is_on is not False)]
    if not bad and not any(exam.is_usable for exam in drivers):
        tried = (exam for exam in drivers if not driver_filter(where.trusted, exam.manifest.path))
        return Found(tuple(_culprit(exam, left_out=False) for exam in tried))
    if bad:
        environ = _without(bad, drivers, layers, where)
        works = environ is not None and not trial.result(environ).words
        return Found(tuple(_culprit(exam, left_out=works) for exam in bad), environ if works else None)
    return _by_trial(trial, drivers, layers, where)


def _hiders(trial: "_Trial", where: Surroundings, examined: Examined) -> tuple[Culprit, ...]:
    """Return the loader's settings, or the variables, that leave out every device.

    Settings that leave out drivers are no cause if none of those works.
    """
    if trial.trouble.is_death:
        return ()
    settings, alone = examined.settings, examined.asked.alone
    works = [path for path, tried in alone.items() if tried.is_used]
    if settings is not None and (settings.devices is not None or any(map(settings.leaves_out, works))):
        sentence = f"{settings.path}, the loader's settings, {' and '.join(settings.effects)}."
        return (Culprit("settings", settings.path, sentence, without_settings(settings), left_out=False),)
    given = [known for known in VARIABLES.values() if known.hides == "devices" and where.trusted.get(known.name)]
    if not given or trial.result({known.name: "" for known in given}).words:
        return ()
    return tuple(
        Culprit("variable", known.name, f"{known.name} {known.effect}.", f"unset {known.name}", left_out=False)
        for known in given
    )


def _hiding_layers(request: Request, where: Surroundings, seen: Transcript) -> Found:
    """Return the layers without which the extension's commands are there."""
    on = layers_on(examine_all(where).layers)
    bad = [device for device in seen.facts.devices if hidden_commands(device)]
    paths = {exam.manifest.name: exam.manifest.path for exam in on}
    found: dict[str, Culprit] = {}
    for hidden in LayerBisect(request, where, on).devices(bad).values() if on else ():
        if names := hidden.hidden_by:
            named = visible(", ".join(names))
            shown = f"layers {named} together hide" if len(names) > 1 else f"layer {named} hides"
            sentence = f"The {shown} {' and '.join(hidden.commands)}: vkGetDeviceProcAddr returns NULL."
            emulated = " --emulate" if request.emulate is not None else ""
            command = f"{without_layers(names)} vkzircon check{emulated}"
            found[sentence] = Culprit("layer", paths[names[0]], sentence, command, left_out=False)
    return Found(tuple(found.values()))


def _culprit(exam: ManifestExam, *, left_out: bool, sentence: str = "") -> Culprit:
    kind = "driver" if exam.manifest.kind is ManifestKind.DRIVER else "layer"
    found = exam.finding
    place = next((each for each in found.evidence if each.startswith(f"{exam.manifest.path}:")), "")
    where = f" ({place})" if place else ""
    said = sentence or f"{found.sentence.removesuffix('.')}{where}."
    # A layer that loads has a finding without a command.
    off = f"export {'='.join(exam.manifest.switch)}" if exam.manifest.switch else ""
    return Culprit(kind, exam.manifest.path, said, found.command or off, left_out)


@record
class _Trouble:
    """Why no device can be probed, '' if one can; *is_death*: by a crash or hang. *later*: a crash after that point."""

    words: str
    is_death: bool = False
    later: str = ""


def _trouble(transcript: Transcript) -> _Trouble:
    facts = transcript.facts
    if not is_in_trouble(transcript):
        answers = (answer for device in facts.devices for answer in (device.identity, device.extensions))
        died = next((answer.missing for answer in answers if has_died(answer)), None)
        return _Trouble("", later=describe(died) if died else "")
    if transcript.failure is not None:
        message = transcript.failure.message
        return _Trouble(f"{message[:1].lower()}{message[1:].removesuffix('.')}", is_death=True)
    died = facts.loader.missing if has_died(facts.loader) else None
    missing = died or facts.instance.missing or facts.device_count.missing
    if missing is None or missing.result == _NO_DEVICE:
        return _Trouble(_IDLE)
    return _Trouble(describe(missing), missing.kind in DEATH_OF)


@dataclass(slots=True)
class _Trial:
    """Probes identities with other drivers and layers; *trouble* is the result without a change."""

    request: Request
    trouble: _Trouble
    _known: dict[tuple[tuple[str, str], ...], _Trouble] = field(default_factory=dict)

    def helps(self, changed: Mapping[str, str]) -> bool:
        """Whether the *changed* variables solve the trouble, or at least the crash or hang."""
        result = self.result(changed)
        return not result.words or (self.trouble.is_death and not result.is_death)

    def result(self, changed: Mapping[str, str]) -> _Trouble:
        """Return the trouble with the *changed* variables."""
        key = tuple(sorted(changed.items()))
        if key not in self._known:
            self._known[key] = _trouble(probe_again(self.request, changed))
        return self._known[key]


def _by_trial(
    trial: _Trial, drivers: Iterable[ManifestExam], layers: Iterable[ManifestExam], where: Surroundings
) -> Found:
    """Probe once more, then without layers or their manifests, then with each driver alone, until one works."""
    happened, trial.trouble = trial.trouble.words, trial.result({})
    if not trial.trouble.words:
        return Found((), {}, passed=happened)  # it failed only once
    on = [exam for exam in layers if exam.is_on][:_MOST_TRIED]
    quiet = layers_off(on, where)
    if on and trial.helps(quiet):
        return _guilty_layers(trial, on, where)
    usable = [exam for exam in drivers if exam.is_usable and nameable([exam.manifest.path])][:_MOST_TRIED]
    if fatal := _fatal(trial, usable, layers, where):
        return fatal
    if not usable[1:]:
        return Found(tuple(_culprit(exam, left_out=False) for exam in drivers if exam.finding.outcome is Outcome.FAIL))
    # Without the layers, which make no difference here, but may fail on their own if there is no device.
    problems = {
        exam.manifest.path: trial.result({**quiet, **only_drivers([exam.manifest.path])}).words for exam in usable
    }
    good = [path for path, problem in problems.items() if not problem]
    culprits = [
        _culprit(exam, left_out=bool(good), sentence=_driver_words(exam.manifest.path, problems[exam.manifest.path]))
        for exam in usable
        if problems[exam.manifest.path] and (problems[exam.manifest.path] != _IDLE or not good)
    ]
    return Found(tuple(culprits), only_drivers(good) if good and culprits else None)


def _fatal(
    trial: _Trial, usable: Sequence[ManifestExam], layers: Iterable[ManifestExam], where: Surroundings
) -> Found | None:
    """Return the culprits among layers' manifests that kill the loader while it reads them, None if there are none."""
    if not trial.trouble.is_death or not usable:
        return None
    chosen = only_drivers([exam.manifest.path for exam in usable])
    paths = [exam.manifest.path for exam in layers]
    found = fatal_manifests(paths, where, lambda changed: trial.helps({**chosen, **changed}))
    off: dict[str, str] = {}
    for path in found:
        off |= folder_off(path, replace(where, environ={**where.environ, **off})) or {}
    works = bool(found) and trial.helps({**chosen, **off})
    words = _words(trial.trouble.words, _Trouble(""), alone=len(found) == 1)
    told = [Culprit("layer", path, f"{path} {words}", f"cat {quote(path)}", left_out=works) for path in found]
    return Found(tuple(told), {**chosen, **off} if works else None) if found else None


def _driver_words(path: str, problem: str) -> str:
    return f"The driver of {path} reports no device." if problem == _IDLE else f"{sentence_case(problem)}, with {path}."


def _guilty_layers(trial: _Trial, on: list[ManifestExam], where: Surroundings) -> Found:
    """Return the layers, as few as possible of those that are *on*, without which the trouble is solved."""
    guilty = fewest(on, lambda off: trial.helps(layers_off(off, where, on)))
    off = layers_off(guilty, where, on)
    left_out = all(exam.manifest.name != LAYER_NAME for exam in guilty)  # the user asked for the emulation
    words = _words(trial.trouble.words, trial.result(off), alone=len(guilty) == 1)
    told = [_culprit(exam, left_out=left_out, sentence=f"{_layer(exam)} {words}") for exam in guilty]
    return Found(tuple(told), off if left_out else None)


def _layer(exam: ManifestExam) -> str:
    found = exam.manifest
    kind = "the emulation" if found.name == LAYER_NAME else f"{with_article(found.kind)} ({found.path})"
    return f"{found.name}, {kind},"


def _words(happened: str, without: _Trouble, *, alone: bool) -> str:
    """Describe a layer's part in what *happened*: it is the cause if there is no trouble *without* it."""
    if not alone:
        return f"is a cause, together with others: {happened}, which does not happen without all of them."
    if then := without.words or without.later:
        return f"is one cause: {happened}, and without it {then}."
    return f"is the cause: {happened}, which does not happen without it."


def _without(
    bad: Sequence[ManifestExam], drivers: Sequence[ManifestExam], layers: Sequence[ManifestExam], where: Surroundings
) -> dict[str, str] | None:
    """Return the variables that leave the *bad* ones out, None if there are none or no driver would be left."""
    good = nameable(exam.manifest.path for exam in drivers if exam.is_usable)
    environ = only_drivers(good) if good else None
    for exam in bad:
        if environ is not None and exam in layers:
            off = folder_off(exam.manifest.path, where) if exam.stops else layers_off([exam], where)
            environ = environ | off if off is not None else None
    return environ
