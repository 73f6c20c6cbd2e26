# SPDX-License-Identifier: Apache-2.0
"""The report: environment, facts, verdicts, and the summary of them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, replace
from typing import Any, Literal, TypeVar

from vkzircon_cli.bindings.dynlib import LAYER_NAME
from vkzircon_cli.checks import REGISTRY, Outcome, Verdict, in_order
from vkzircon_cli.checks.registry import BAD
from vkzircon_cli.model.base import Answer, record
from vkzircon_cli.model.facts import Device, Facts, Instance, Kernel, Loader
from vkzircon_cli.model.queries import by_device
from vkzircon_cli.model.request import NOTHING_ASKED, Depth
from vkzircon_cli.report.causes import Cause, advice_for, find_causes
from vkzircon_cli.report.stop_reason import has_died, what_stopped
from vkzircon_cli.report.summary import REQUIRED, CheckResult, conclude
from vkzircon_cli.stream.decoding import decode
from vkzircon_cli.stream.document import Document, Emulation, EmulationAsked, Header, Run
from vkzircon_cli.stream.events import Culprit
from vkzircon_cli.stream.fold import Transcript

Told = TypeVar("Told", CheckResult, Cause)


@record
class Report(Document):
    """The facts of a machine, and the verdicts on them."""

    _: KW_ONLY
    kind: Literal["report"] = "report"
    loader: Answer[Loader]
    kernel: Answer[Kernel]
    instance: Answer[Instance]
    device_count: Answer[int]
    devices: tuple[Device, ...]
    closed: Answer[bool]
    checks: tuple[CheckResult, ...]
    causes: tuple[Cause, ...] = ()

    def of_devices(self) -> Iterator[tuple[Device, list[CheckResult]]]:
        """Yield each device that has results, and these."""
        results = by_device(self.checks)
        return ((device, results[device.index]) for device in self.devices if device.index in results)


def make_report(transcript: Transcript) -> Report:
    """Judge a transcript that has its header."""
    header: Header = decode(Header, transcript.header)
    facts = transcript.facts
    common = common_fields(transcript)
    verdicts = {device.index: _verdicts(facts, device, header.depth) for device in facts.devices if device.selected}
    everything = tuple(_results(verdicts))
    asked = header.judging != NOTHING_ASKED
    checks = tuple(_as_asked(facts, header, common["emulation"].active, everything)) if asked else everything
    guilty = [culprit for culprit in transcript.culprits if not culprit.left_out]
    if guilty and common["error"] is None:  # the layers that hide the extension's commands
        checks = tuple(_of_layers(result, result.id, guilty) for result in checks)
    chosen = {(result.device, result.id) for result in checks}
    causes = tuple(
        _of_layers(cause, cause.check, guilty)
        for index, of_checks in verdicts.items()
        for cause in find_causes(index, {name: said for name, said in of_checks.items() if (index, name) in chosen})
    )
    summary = conclude(facts, everything, checks, causes, failure=common["error"], depth=header.depth)
    answers = {name: getattr(facts, name) for name in Facts.__dataclass_fields__}
    return Report(**common, **answers, summary=summary, checks=checks, causes=causes)


def common_fields(transcript: Transcript) -> dict[str, Any]:
    """Return the fields of a `Document` that do not depend on its kind: all but *summary*."""
    header: Header = decode(Header, transcript.header)
    return {
        "schema_version": header.schema_version,
        "tool": header.tool,
        "error": what_stopped(transcript, header.environment, header.emulation.asked),
        "emulation": emulation_of(transcript.facts, header.emulation),
        "environment": header.environment,
        "run": Run(header.started, transcript.ended_ms, transcript.steps, transcript.messages, transcript.output),
        "culprits": transcript.culprits,
    }


def emulation_of(facts: Facts, asked: EmulationAsked) -> Emulation:
    """Return the emulation that was loaded, or the requested one if the instance crashed or hung."""
    made = facts.instance.value
    active = made.is_emulated if made is not None else asked.asked and has_died(facts.instance)
    return Emulation(active, LAYER_NAME if active else None, asked.settings if active else "")


def _verdicts(facts: Facts, device: Device, depth: Depth) -> dict[str, Verdict]:
    checks = (check for check in in_order() if depth is not Depth.IDENTITY or not check.needs_extension)
    return {check.id: check.verdict(facts, device) for check in checks}


def _results(verdicts: Mapping[int, Mapping[str, Verdict]]) -> Iterator[CheckResult]:
    for index, of_checks in verdicts.items():
        for name, said in of_checks.items():
            advice = advice_for(name, said.rows[0]) if said.outcome in BAD and not said.against_word else None
            yield CheckResult(name, index, said.outcome, said.sentence, said.steps, REGISTRY[name].rule, advice)


def _of_layers(result: Told, check: str, guilty: Sequence[Culprit]) -> Told:
    """Name the layers that hide the extension's commands as the cause, and advise the command that leaves them out."""
    if not guilty or check != "extension.entry-points" or result.outcome is not Outcome.FAIL:
        return result
    advice = f"Leave the layer out: {' or '.join(each.command for each in guilty)}"
    return replace(result, sentence=" ".join(each.sentence for each in guilty), advice=advice)


def _as_asked(facts: Facts, header: Header, emulated: bool, results: Sequence[CheckResult]) -> Iterator[CheckResult]:
    """Yield the selected results, and one for each condition and device: one device must meet all conditions."""
    from vkzircon_cli.report.conditions import Seen, is_chosen, judge, parse_condition  # 1.3 ms, for few runs

    yield from (result for result in results if is_chosen(result.id, header.judging))
    judged, results_of = {}, by_device(results)
    for device in (device for device in facts.devices if device.selected):
        seen = Seen(facts, device, header.environment.platform, emulated)
        of_checks = {result.id: result for result in results_of.get(device.index, ())}
        judged[device.index] = [judge(parse_condition(text), seen, of_checks) for text in header.judging.require]
    able = [index for index, verdicts in judged.items() if all(v.outcome is Outcome.PASS for v in verdicts)]
    for index, verdicts in judged.items():
        for text, verdict in zip(header.judging.require, verdicts, strict=True):
            outcome, sentence = verdict.outcome, verdict.sentence
            if outcome is Outcome.FAIL and able:
                outcome, sentence = Outcome.INFO, f"{sentence} Device {able[0]} meets every condition."
            yield CheckResult(f"{REQUIRED}{text}", index, outcome, sentence, verdict.steps, "--require", None)
