# SPDX-License-Identifier: Apache-2.0
"""The commands that ask the driver: each sends its request first, and imports what reads the answers meanwhile."""

from collections.abc import Mapping
from typing import Any

from vkzircon_cli.cli.command_table import Command
from vkzircon_cli.errors import CannotAsk, Exit, Usage
from vkzircon_cli.model.request import Depth, Emulate, Judging, Request
from vkzircon_cli.worker import worker

_FIELDS = {
    "device": "device",
    "timeout": "timeout_s",
    "size": "size",
    "largest": "size",
    "stress": "stress",
    "negative": "negative",
    "handle_type": "handle_type",
    "formats": "formats",
    "seconds": "seconds",
}


def probe(command: Command, given: Mapping[str, Any]) -> Exit:
    """Ask the driver to the depth of *command*, and write the result."""
    request = _begin(command, given)
    from vkzircon_cli.cli.run import carry_out

    return carry_out(command, request, given)


def doctor(command: Command, given: Mapping[str, Any]) -> Exit:
    """Examine everything between this process and the extension, and write the diagnosis."""
    request = _begin(command, given)
    from vkzircon_cli.doctor.background import Trials

    with Trials(request) as trials:  # its tasks run while `run` and the rest of doctor are imported
        from vkzircon_cli.cli.run import examine

        return examine(command, request, trials, given)


def bundle(command: Command, given: Mapping[str, Any]) -> Exit:
    """Write the zip for a bug report."""
    request = _begin(command, given)
    from vkzircon_cli.cli.run import pack

    return pack(request, given["zip"], quiet=given["quiet"])


def _begin(command: Command, given: Mapping[str, Any]) -> Request:
    """Send the request to the worker that was started early, and return it with the environment that it needs.

    The worker starts to ask while `run` is imported, which takes 36 ms.
    """
    request = request_of(command, given)
    from vkzircon_cli.emulation.installation import with_environment  # here: 2 ms, which help does not need

    try:
        request = with_environment(request)
    except CannotAsk:
        return request  # the document says why
    worker.send_early(request)
    return request


def request_of(command: Command, given: Mapping[str, Any]) -> Request:
    """Return the request that the options *given* amount to.

    Raises:
        Usage: the options do not go together.
    """
    return Request(
        Depth(command.depth or ""),
        emulate=_emulation(given),
        judging=_judging(given),
        redacts=not given.get("no_redact"),
        **{field: given[option] for option, field in _FIELDS.items() if option in given},
    )


def _judging(given: Mapping[str, Any]) -> Judging:
    judging = Judging(*(tuple(given.get(name) or ()) for name in ("require", "select", "ignore")))
    if judging.ignore:
        from vkzircon_cli.report.conditions import refuse_empty_choice

        refuse_empty_choice(judging)
    return judging


def _emulation(given: Mapping[str, Any]) -> Emulate | None:
    if not given["emulate"] and (given["persona"] or given["fault"]):
        raise Usage("--persona and --fault belong to the emulation, which is off.", "Add --emulate.")
    return Emulate(given["persona"], tuple(given["fault"] or ())) if given["emulate"] else None
