# SPDX-License-Identifier: Apache-2.0
"""The diagnosis: all findings, their summary and the exit code.

It is a document of its own: a report describes devices, a diagnosis says why there are none.
"""

import errno
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import KW_ONLY, replace
from typing import Literal, TypeVar

from vkzircon_cli import pipeline
from vkzircon_cli.checks import SEVERITY, Outcome
from vkzircon_cli.checks.registry import sentence_case
from vkzircon_cli.doctor import access, bisect, extension, layer_bisect, loader, manifest_check, search
from vkzircon_cli.doctor.background import Trials
from vkzircon_cli.doctor.finding import Finding, leaves
from vkzircon_cli.doctor.library import NO_TIME
from vkzircon_cli.doctor.manifest import ManifestExam, ManifestKind
from vkzircon_cli.doctor.settings import settings_findings
from vkzircon_cli.errors import Exit, by_limit
from vkzircon_cli.model.base import record
from vkzircon_cli.model.facts import Device
from vkzircon_cli.model.home import without_home
from vkzircon_cli.model.limits import Limit, limit_in_the_way
from vkzircon_cli.model.quantities import counted
from vkzircon_cli.model.queries import display_name, offers_extension
from vkzircon_cli.model.request import Request
from vkzircon_cli.model.spec import EXTENSION
from vkzircon_cli.report.report import Report
from vkzircon_cli.report.stop_reason import ENDED_THE_RUN, NO_AGENT, is_limited
from vkzircon_cli.report.summary import count_outcomes, list_names
from vkzircon_cli.stream.decoding import decode
from vkzircon_cli.stream.document import Document, Summary
from vkzircon_cli.stream.events import Event, Failure, error
from vkzircon_cli.worker import interrupt

T = TypeVar("T")

# A lack of memory, files or threads may cause these: libraries are loaded under the limits of this process.
_OF_LACK = ("library.crashes", "library.exits", "loader.crashes", "manifest.not-used", "layer.not-used")
# It may cause these if the linker's words are of a lack.
_REFUSED = ("loader.refused", "manifest.not-loaded", "layer.not-loaded")
_WORDS = ("failed to map segment", os.strerror(errno.ENOMEM), os.strerror(errno.EMFILE))
_HARMLESS = (Outcome.PASS, Outcome.INFO, Outcome.SKIP)


@record
class FoundDevice:
    """A device that Vulkan lists; *offers* is None if its extensions are not known."""

    index: int
    name: str
    type: str
    offers: bool | None


@record
class Diagnosis(Document):
    """Everything that doctor found; *error* says why no device could be asked, if that is so."""

    _: KW_ONLY
    kind: Literal["doctor"] = "doctor"
    devices: tuple[FoundDevice, ...]
    findings: tuple[Finding, ...]


def diagnose(request: Request, trials: Trials, watch: Callable[[Event], None]) -> Diagnosis:
    """Examine everything between this process and the extension; *watch* receives the probe's events.

    The *trials* run beside the probe and are read after it, so that they add hardly any time. A signal ends them and
    the probe; the diagnosis then has what was found until then.

    Raises:
        Usage: the requested emulation is not possible.
    """
    report = pipeline.run(request, watch, bisect.find_culprits)

    def look(at: Callable[[], T]) -> T:
        """Return the result of *at*; after a signal, without waiting for more."""
        if not _is_over(report.error):
            with suppress(interrupt.Interrupted):
                return interrupt.endable(at)
        trials.give_up()
        return at()

    examined = look(trials.manifests.examined)
    drivers, layers = examined.drivers, examined.layers
    nodes = look(trials.nodes.nodes) if trials.nodes else None
    opened = loader.attempt_of_probe(report.loader)
    tried = look(lambda: opened if trials.are_over else loader.attempts(trials.where, report.loader))
    hidden = look(lambda: {} if trials.are_over else _hidden(request, trials.where, report, layers))
    if trials.are_over and not _is_over(report.error):
        report = replace(report, error=decode(Failure, pipeline.interruption()))
    where = trials.where
    found: tuple[Finding, ...] = (
        loader.loader_finding(tried, where, NO_TIME if _is_over(report.error) else ""),
        search.variables_finding(
            search.surroundings(where.timeout_s),
            loader.loader_file(tried),
            settings_findings(examined.settings, has_devices=bool(report.devices)),
        ),
        manifest_check.driver_findings(drivers, where),
        manifest_check.layer_findings(layers, where),
        access.routes_finding() if nodes is None else access.nodes_finding(nodes, access.reach(report.devices)),
    )
    found, limited = _under_limit(found)
    suspects = [exam.manifest.path for exam in drivers if exam.is_usable]
    findings = _explained(request, report, found, hidden, suspects)
    return conclude(replace(report, error=report.error or limited), findings, emulate=bool(request.emulate))


def diagnose_elsewhere(request: Request, watch: Callable[[Event], None]) -> Diagnosis:
    """Examine the device behind the agent of *request*, as far as the agent can; a signal ends this as `diagnose`.

    Raises:
        Usage: the requested emulation is not possible.
    """
    from vkzircon_cli.doctor import elsewhere  # 2 ms, which only an agent needs

    report = pipeline.run(request, watch, bisect.find_culprits)
    found = tuple(elsewhere.unseen(request, report, NO_TIME))
    if report.error is not None and report.error.cause == NO_AGENT:
        found = tuple(elsewhere.unseen(request, report, "there is no agent"))
    elif not _is_over(report.error):
        try:
            found = interrupt.endable(lambda: elsewhere.findings(request, report))
        except interrupt.Interrupted:
            report = replace(report, error=decode(Failure, pipeline.interruption()))
    return conclude(report, _explained(request, report, found, {}, ()), emulate=bool(request.emulate))


def _explained(
    request: Request,
    report: Report,
    found: tuple[Finding, ...],
    hidden: Mapping[int, layer_bisect.Hidden],
    suspects: Sequence[str],
) -> tuple[Finding, ...]:
    """Return the finished findings, with the one about the extension."""
    known = {each.subject for each in leaves(found) if SEVERITY[each.outcome] >= SEVERITY[Outcome.FAIL]}
    explained = extension.extension_finding(report, hidden, known, suspects, emulate=bool(request.emulate))
    return tuple(_finished(each, redacts=request.redacts) for each in (*found, explained))


def _hidden(
    request: Request, where: search.Surroundings, report: Report, layers: Sequence[ManifestExam]
) -> dict[int, layer_bisect.Hidden]:
    """Probe again where explicit layers or the emulation may be why the extension is missing."""
    on = layer_bisect.layers_on(layers)
    asked_for = any(exam.manifest.kind is ManifestKind.EXPLICIT_LAYER for exam in on)
    lacking = any(not offers_extension(device) for device in report.devices)
    if not (asked_for or (request.emulate and lacking)):
        return {}
    return layer_bisect.LayerBisect(request, where, on).devices(report.devices)


def conclude(report: Report, findings: tuple[Finding, ...], *, emulate: bool = False) -> Diagnosis:
    """Return the diagnosis of what the probe reported and the *findings*; *emulate*: the extension was asked for."""
    devices = tuple(_found(device) for device in report.devices)
    return Diagnosis(
        schema_version=report.schema_version,
        tool=report.tool,
        summary=_summary(report.error, devices, findings, emulate=emulate),
        error=None if devices and not (_is_over(report.error) or is_limited(report.error)) else report.error,
        emulation=report.emulation,
        environment=report.environment,
        run=report.run,
        culprits=report.culprits,
        devices=devices,
        findings=findings,
    )


def _found(device: Device) -> FoundDevice:
    identity = device.identity.value
    offers = None if device.extensions.value is None else offers_extension(device)
    return FoundDevice(device.index, display_name(identity), identity.type.name if identity else "", offers)


def _is_over(failure: Failure | None) -> bool:
    return failure is not None and failure.cause in ENDED_THE_RUN


def _summary(
    failure: Failure | None, devices: Sequence[FoundDevice], findings: Sequence[Finding], *, emulate: bool
) -> Summary:
    """Return the verdict; it names the extension if that was requested, or if a device lacks it."""
    made = list(leaves(findings))
    counts = count_outcomes(each.outcome for each in made)
    problems = [each for each in made if each.outcome not in _HARMLESS]
    problems.sort(key=lambda found: SEVERITY[found.outcome], reverse=True)
    was_asked = failure is None or failure.cause != "no-layer"  # without the layer, no loader is opened
    if failure is not None and (_is_over(failure) or not was_asked or (devices and is_limited(failure))):
        return Summary(Outcome.ERROR, failure.message, failure.exit_code, counts)
    if not devices:
        cause = f" {problems[0].sentence}" if problems else ""
        if failure is not None and is_limited(failure):
            cause = f" {failure.message}"
        asked = f", so {EXTENSION} cannot be emulated" if emulate else ""
        return Summary(Outcome.ERROR, f"No Vulkan device can be used{asked}.{cause}", Exit.CANNOT_ASK, counts)
    lacking = [device.name for device in devices if not device.offers]
    if not problems:
        outcome = Outcome.INFO if len(lacking) == len(devices) else Outcome.PASS
        return Summary(outcome, f"{_offered(devices)}.", Exit.OK, counts)
    more = f" ({counted(len(problems) - 1, 'more problem')} below)" if len(problems) > 1 else ""
    if (lacking or emulate) and EXTENSION not in problems[0].sentence:
        more += f" {_offered(devices)}."
    return Summary(problems[0].outcome, f"{problems[0].sentence}{more}", Exit.FAILED, counts)


def _offered(devices: Sequence[FoundDevice]) -> str:
    """Return which devices offer the extension and which lack it, without a full stop."""
    able, unable, unknown = ([d.name for d in devices if d.offers is offers] for offers in (True, False, None))
    parts = []
    if able:
        parts.append(f"{list_names(able)} {'offers' if len(able) == 1 else 'offer'} {EXTENSION}")
    if unable:
        lacks = "it" if able else EXTENSION
        start = "" if able else "Vulkan works, but "
        parts.append(f"{start}{list_names(unable)} {'does' if len(unable) == 1 else 'do'} not offer {lacks}")
    if unknown:
        parts.append(f"{list_names(unknown)} could not be asked for {EXTENSION}")
    return "; ".join(parts)


def _finished(finding: Finding, *, redacts: bool) -> Finding:
    """Return the finding with its cause as a sentence and the home folder as ``~``."""
    cause = finding.cause
    if cause and not cause.endswith((".", "?", "!")):
        cause = f"{sentence_case(cause)}."
    texts = [finding.subject, finding.sentence, cause, finding.command, *finding.evidence]
    subject, sentence, cause, command, *evidence = without_home(texts) if redacts else texts
    children = tuple(_finished(child, redacts=redacts) for child in finding.children)
    return Finding(finding.id, subject, finding.outcome, sentence, tuple(evidence), cause, command, children)


def _under_limit(findings: Sequence[Finding]) -> tuple[tuple[Finding, ...], Failure | None]:
    """Return the *findings* with the limit of this process that may have caused some, and the error that names it."""
    spoiled = next(filter(_is_of_lack, leaves(findings)), None)
    if spoiled is None or (limit := limit_in_the_way()) is None:
        return tuple(findings), None
    limited = by_limit(spoiled.sentence.removesuffix("."))
    failure = decode(Failure, error(limited, limited.cause)) if limited else None
    return tuple(_caused(each, limit) for each in findings), failure


def _caused(finding: Finding, limit: Limit) -> Finding:
    finding = replace(finding, children=tuple(_caused(child, limit) for child in finding.children))
    return replace(finding, cause=limit.words, command=limit.fix) if _is_of_lack(finding) else finding


def _is_of_lack(finding: Finding) -> bool:
    words = " ".join(finding.evidence)
    return finding.id in _OF_LACK or (finding.id in _REFUSED and any(each in words for each in _WORDS))
