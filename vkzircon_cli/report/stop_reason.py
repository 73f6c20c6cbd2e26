# SPDX-License-Identifier: Apache-2.0
"""The reason why no device could be queried, by the facts: no driver, no device, or a driver that crashed or hung."""

from dataclasses import replace
from typing import Any

from vkzircon_cli.bindings.dynlib import LAYER_NAME
from vkzircon_cli.checks.registry import describe, sentence_case
from vkzircon_cli.errors import Exit
from vkzircon_cli.model.base import Answer, Missing, MissingKind
from vkzircon_cli.model.facts import Facts
from vkzircon_cli.model.host import FUCHSIA, VARIABLES, Environment, Variable
from vkzircon_cli.model.loader_filters import layer_filter
from vkzircon_cli.model.text import visible
from vkzircon_cli.stream.events import Failure, Message
from vkzircon_cli.stream.fold import Transcript

_NO_DRIVER = "VK_ERROR_INCOMPATIBLE_DRIVER"
_NO_DEVICE = "VK_ERROR_INITIALIZATION_FAILED"
_MOST_WORDS = 3
FIRST_ONLY = "The first attempt failed: "
NOT_ISOLATED = "No process could be started"
# Causes that can end a run at any time.
ENDED_THE_RUN = ("interrupted", "our-fault")
NO_AGENT = "no-agent"
# Causes that are not the fault of the loader or of a driver.
_WE_LACK = (
    "no-package",
    "no-process",
    "no-binding",
    "no-libzircon",
    "no-layer",
    "no-memfd",
    "limit",
    "no-emulation",
    NO_AGENT,
    "cut-off",
)
_NOT_DOCTORS = (*_WE_LACK, *ENDED_THE_RUN)
_LOADER_SAYS = " The loader says: "
_LEAVE_OUT = "Leave out one driver or implicit layer after another until it works (VK_DRIVER_FILES=FILE.json)."


def is_limited(failure: Failure | None) -> bool:
    """Whether the run ended at a limit of this process, so that nothing behind it tells anything about a driver."""
    return failure is not None and failure.cause in ("limit", "no-process")


def doctors_hint(environment: Environment) -> str:
    """Return the sentence that names the `doctor` command to run."""
    return f"Run vkzircon doctor{environment.options} for the cause."


def what_stopped(transcript: Transcript, environment: Environment, emulate: bool) -> Failure | None:
    """Return why no device could be queried (*emulate*: with the layer), None if one was."""
    failure = transcript.failure or _what_stopped(transcript, environment, emulate)
    if failure is not None and failure.cause == "no-emulation" and transcript.culprits:
        (culprit, *_) = transcript.culprits
        return replace(failure, hint=f"{culprit.sentence} To leave it out: {culprit.command}")
    if failure is None or failure.cause in _NOT_DOCTORS:
        return failure
    doctor = doctors_hint(environment)
    # The culprits were left out, so a problem that remains is not their fault.
    guilty = [culprit for culprit in transcript.culprits if not culprit.left_out]
    if not guilty:
        is_loaders = failure.exit_code == Exit.CANNOT_ASK
        return replace(failure, hint=f"{failure.hint} {doctor}".strip()) if is_loaders else failure
    named = " ".join(culprit.sentence for culprit in guilty[:_MOST_WORDS])
    # The culprits' sentences replace the loader's messages and the general advice.
    hint = failure.hint.partition(_LOADER_SAYS)[0].removeprefix(_LEAVE_OUT).strip()
    if any(culprit.kind in ("settings", "variable") for culprit in guilty):
        hint = ""  # neither a driver nor a device is missing
    return replace(failure, hint=" ".join(filter(None, (named, hint, doctor))))


def _what_stopped(transcript: Transcript, environment: Environment, emulate: bool) -> Failure | None:
    facts = transcript.facts
    said = tuple(message for message in transcript.messages if not message.own)
    if transcript.is_cut:
        return _cut(transcript)
    for answer in (facts.loader, facts.kernel, facts.instance, facts.device_count):
        missing = answer.missing
        if missing is not None and missing.kind in (MissingKind.CRASHED, MissingKind.TIMED_OUT):
            return _died(missing, said)
    if facts.instance.missing is not None:
        return _no_instance(facts.instance.missing, said, environment)
    if emulate and lacks_emulation(facts):
        return _no_emulation(environment)
    if facts.device_count.missing is not None or facts.device_count.value == 0:
        return _no_device(facts.device_count.missing, environment)
    return None


def lacks_emulation(facts: Facts) -> bool:
    """Whether there is an instance without the emulation layer."""
    return facts.instance.value is not None and not facts.instance.value.is_emulated


def is_in_trouble(transcript: Transcript) -> bool:
    """Whether the loader or a driver kept all devices from being queried, so that leaving out a culprit may help."""
    facts = transcript.facts
    if transcript.failure is not None:
        return transcript.failure.cause == "probe-died" and facts.device_count.value is None
    if facts.device_count.value == 0 or has_died(facts.loader):
        return True
    return any(
        answer.missing is not None and answer.missing.kind is not MissingKind.NOT_ASKED
        for answer in (facts.instance, facts.device_count)
    )


def has_died(answer: Answer[Any]) -> bool:
    """Whether a crash or a hang is why there is no answer. A layer may take part even in the loader's own version."""
    return answer.missing is not None and answer.missing.kind in (MissingKind.CRASHED, MissingKind.TIMED_OUT)


def _cut(transcript: Transcript) -> Failure:
    ended = max(transcript.steps, key=lambda step: step.began_ms, default=None)
    after = f", after {visible(ended.step)}" if ended else ""
    if transcript.is_broken_off:
        where = f", in step {visible(transcript.stopped_in)}" if transcript.stopped_in else after
        message = f"The file ends in the middle of a line{where}: the rest is lost."
    elif transcript.stopped_in is None:
        message = f"The trace stops between two steps{after}: the rest is lost."
    else:
        step = visible(transcript.stopped_in)
        message = f"The trace stops in step {step}: the driver most likely died or hung there."
    return Failure("cut-off", message, "The results up to there follow.", Exit.CRASHED)


def _died(missing: Missing, messages: tuple[Message, ...]) -> Failure:
    cause = "driver-hung" if missing.kind is MissingKind.TIMED_OUT else "driver-crashed"
    return Failure(cause, sentence_case(describe(missing)) + ".", _with_words(_LEAVE_OUT, messages), Exit.CRASHED)


def _no_instance(missing: Missing, messages: tuple[Message, ...], environment: Environment) -> Failure:
    if missing.result == _NO_DRIVER:
        message = f"No Vulkan driver was found: {missing.call} returned {missing.result}."
        return Failure("no-driver", message, _with_words(_driver_hint(environment), messages), Exit.CANNOT_ASK)
    cause = "bad-manifest" if any(".json" in message.text for message in messages) else "no-instance"
    hint = _manifest_hint(messages) if cause == "bad-manifest" else _driver_hint(environment)
    message = f"No Vulkan instance could be created: {describe(missing)}."
    return Failure(cause, message, _with_words(hint, messages), Exit.CANNOT_ASK)


def _manifest_hint(messages: tuple[Message, ...]) -> str:
    files = sorted({word.strip(",") for m in messages for word in m.text.split() if word.strip(",.").endswith(".json")})
    return f"Repair or remove {' and '.join(files)}: one malformed manifest stops the loader for all drivers."


def filter_of_emulation(environment: Environment) -> Variable | None:
    """Return the variable that makes the loader leave out the emulation layer, None if there is none."""
    given = {} if environment.elevated else {variable.name: variable for variable in environment.variables}
    values = {name: variable.value for name, variable in given.items()}
    is_off = layer_filter(values, LAYER_NAME, is_implicit=False) is False
    return given["VK_LOADER_LAYERS_DISABLE"] if is_off else None


def _no_emulation(environment: Environment) -> Failure:
    hint = "For the reason, run the same command with VK_LOADER_DEBUG=layer in the environment and --verbose."
    if environment.elevated:
        hint = "The process runs with raised privileges, and the loader then ignores variables that name a layer."
    elif variable := filter_of_emulation(environment):
        hint = f'Unset {variable.name}: it is "{variable.value}", which turns the layer off.'
    return Failure("no-emulation", "The loader did not load the emulation layer.", hint, Exit.CANNOT_ASK)


def _no_device(missing: Missing | None, environment: Environment) -> Failure:
    message = "The driver reports no device."
    if missing is not None:
        message = f"No Vulkan device could be listed: {describe(missing)}."
        if missing.result == _NO_DEVICE:
            message = f"The driver reports no device ({missing.call} returned {missing.result})."
    return Failure("no-device", message, _device_hint(environment), Exit.CANNOT_ASK)


def _driver_hint(environment: Environment) -> str:
    if environment.platform == FUCHSIA:
        return (
            'Include "vulkan/client.shard.cml" in the component\'s manifest, by which it uses '
            "fuchsia.vulkan.loader.Loader and fuchsia.sysmem2.Allocator (older drivers: fuchsia.sysmem.Allocator), and "
            '"vulkan/offer.shard.cml" in its parent\'s, which must offer them: without them the loader finds no driver.'
        )
    return _hiding(environment, "drivers") or "Install a driver (Debian: apt-get install mesa-vulkan-drivers)."


def _hiding(environment: Environment, what: str) -> str:
    """Return a hint for each variable that may hide *what*."""
    ignored = " (ignored: the process runs with raised privileges)" if environment.elevated else ""
    known = {v.name: v.value for v in environment.variables if v.name in VARIABLES}
    given = {
        name: value
        for name, value in known.items()
        if VARIABLES[name].hides == what and known.keys().isdisjoint(VARIABLES[name].yields_to)
    }
    told = {name: value for name, value in given.items() if value or VARIABLES[name].removes}
    hints = [f'Check {name}="{value}"{ignored}: it {VARIABLES[name].effect}.' for name, value in told.items()]
    return " ".join(hints)


def _device_hint(environment: Environment) -> str:
    if environment.platform == FUCHSIA:
        return "Check that the driver is in the product's image and runs: ffx component list | grep vulkan."
    usual = "Check that the GPU's device nodes are there and may be opened: ls -l /dev/dri /dev/nvidia*."
    return _hiding(environment, "devices") or usual


def _with_words(hint: str, messages: tuple[Message, ...]) -> str:
    words = list(dict.fromkeys(message.text for message in messages if message.severity == "error"))[:_MOST_WORDS]
    return f"{hint}{_LOADER_SAYS}{'; '.join(words)}" if words else hint
