# SPDX-License-Identifier: Apache-2.0
"""Judges each manifest by what the loader did with it. Our own finding explains the verdict, or is a note beside it."""

import os
from collections.abc import Iterable
from dataclasses import replace

from vkzircon_cli.checks import Outcome
from vkzircon_cli.doctor.finding import Finding
from vkzircon_cli.doctor.library import DEATHS, fate_of
from vkzircon_cli.doctor.loader_trial import Asked
from vkzircon_cli.doctor.manifest import ManifestExam, fault, layer_finding, passed_over
from vkzircon_cli.doctor.search import nameable
from vkzircon_cli.doctor.settings import Settings

_STOPS = "The loader gives up on all drivers because of this file."
NOT_TRIED = "manifest.not-tried"


def verdict(exam: ManifestExam, asked: Asked, settings: Settings | None = None) -> ManifestExam:
    """Return the *exam* with the verdict of the loader; our own finding explains it, or is a note beside it."""
    manifest = exam.manifest
    stops = asked.stops_at(manifest.path, manifest.may_stop)
    cause = _STOPS if stops and manifest.problem else exam.finding.cause
    told = replace(exam, finding=replace(exam.finding, cause=cause), stops=stops)
    if manifest.problem is None and not exam.kills and asked.passes_over(manifest.path):
        return _unused(told, passed_over(manifest.path, "it does not look there"))
    if not manifest.is_driver:
        return _layer_verdict(told, asked)
    if settings and settings.leaves_out(manifest.path) and not asked.loads(manifest.resolved):
        return _unused(told, passed_over(manifest.path, f"{settings.path} names the only drivers that it uses"))
    return _driver_verdict(told, asked)


def _used(path: str, own: Finding) -> Finding:
    """Return the finding that the loader uses a driver, with our *own* contrary finding as a note."""
    sentence = f"{path} is used by this loader; other loaders may leave it out."
    return Finding("manifest.fine", path, Outcome.PASS, sentence, children=(_note(own), *own.children))


def _unused(exam: ManifestExam, finding: Finding) -> ManifestExam:
    return replace(exam, is_usable=False, is_on=None if exam.is_on is None else False, finding=finding)


def _driver_verdict(exam: ManifestExam, asked: Asked) -> ManifestExam:
    manifest, own = exam.manifest, exam.finding
    tried = asked.alone.get(manifest.path)
    if exam.kills or (tried is None and not exam.is_usable):
        return exam
    if tried is None:
        return _not_alone(exam, asked)
    words = tried.words_on()
    if tried.is_used and asked.loads(manifest.resolved) is not False:
        return exam if exam.is_usable else replace(exam, is_usable=True, finding=_used(manifest.path, own))
    if not exam.is_usable and own.id != NOT_TRIED:
        is_told = own.outcome is not Outcome.FAIL or own.evidence
        return exam if is_told else replace(exam, finding=replace(own, evidence=words))
    if tried.fate is None:
        returned = f"; with it alone, vkCreateInstance returns {tried.result}"
        return _not_used(exam, ", which the loader does not load" if tried.is_used else returned, words)
    word, outcome, does = DEATHS[fate_of(tried.fate)]
    how = tried.fate.result or tried.fate.reason
    told = _not_used(exam, f", which {does} in vkCreateInstance ({how})", words)
    return replace(told, kills=True, finding=replace(told.finding, id=word, outcome=outcome))


def _not_used(exam: ManifestExam, said: str, words: tuple[str, ...]) -> ManifestExam:
    manifest = exam.manifest
    notes = exam.finding.children if manifest.is_driver else ()
    words_of = f"names {manifest.resolved}{said}"
    return _unused(exam, fault(f"{manifest.prefix}.not-used", manifest.path, words_of, evidence=words, children=notes))


def _not_alone(exam: ManifestExam, asked: Asked) -> ManifestExam:
    """Return the *exam* of a driver whose library loads, but that the loader could not be asked about on its own."""
    path, whole = exam.manifest.path, asked.whole
    if whole is not None and (whole.has_no_driver or asked.loads(exam.manifest.resolved) is False):
        words = whole.words_on(path, exam.manifest.resolved)
        return _not_used(exam, ", which loads, but the loader does not use it", words)
    if not nameable([path]):
        why = f"no variable of the loader can name a path with {os.pathsep!r}"
    elif asked.control is not None and asked.control.is_used:
        why = "the loader's settings add drivers to each that is named"
    else:
        return exam
    return replace(exam, finding=replace(exam.finding, cause=f"{why}, so the driver was not tried without others"))


def _note(own: Finding) -> Finding:
    return replace(own, outcome=Outcome.INFO, cause="", command="", children=())


def _layer_verdict(exam: ManifestExam, asked: Asked) -> ManifestExam:
    manifest = exam.manifest
    loads = asked.loads(manifest.resolved)
    if loads is None or loads == bool(exam.is_on and exam.is_usable) or asked.whole is None:
        return exam
    if loads and exam.finding.id == "layer.no-entry-point":  # it keeps the library, and goes on without the layer
        return exam
    if loads:
        finding = layer_finding(manifest, True)
        return replace(exam, is_on=True, is_usable=True, finding=replace(finding, children=(_note(exam.finding),)))
    words = asked.whole.words_on(manifest.path, manifest.resolved, manifest.name)
    return _not_used(exam, " and should be on, but the loader does not load it", words)


def explained(exams: Iterable[ManifestExam]) -> tuple[ManifestExam, ...]:
    """Return the layers; if a meta-layer turns a layer on or off, it is the cause.

    A meta-layer has no library: it is on if all its components are (LoaderLayerInterface.md, Meta-layers).
    """
    every = list(exams)
    by_name = {exam.manifest.name: exam for exam in reversed(every)}
    every = [_meta(exam, by_name) if exam.manifest.components and exam.is_usable else exam for exam in every]
    return tuple(_under(exam, [each for each in every if each.manifest.components and each.is_on]) for exam in every)


def _meta(exam: ManifestExam, by_name: dict[str, ManifestExam]) -> ManifestExam:
    manifest = exam.manifest
    missing = [name for name in manifest.components if name not in by_name]
    if missing or manifest.name in manifest.components:
        words = "names itself among its layers: the loader ignores it"
        if missing:
            words = f"needs the layer {missing[0]}, which is not installed: the loader ignores the meta-layer"
        return _unused(exam, fault("layer.component-missing", manifest.path, words, Outcome.WARN))
    if exam.is_on and not all(by_name[name].is_on for name in manifest.components):
        return replace(exam, is_on=False, finding=layer_finding(manifest, False))
    return exam


def _under(exam: ManifestExam, metas: list[ManifestExam]) -> ManifestExam:
    name, found = exam.manifest.name, exam.finding
    for meta in metas:
        by = f"{meta.manifest.name} ({meta.manifest.path})"
        if name in meta.manifest.components and found.id == "layer.on":
            return replace(exam, finding=replace(found, cause=f"{by} turns it on", children=()))
        if name in meta.manifest.blocks and found.id == "layer.not-used":
            return replace(exam, finding=passed_over(exam.manifest.path, f"{by} blocks it"))
    return exam
