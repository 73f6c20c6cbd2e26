# SPDX-License-Identifier: Apache-2.0
"""What a command that asks the driver does, however its command line was read."""

from importlib import import_module

from vkzircon_cli.errors import Exit
from vkzircon_cli.model.base import record
from vkzircon_cli.model.request import Request
from vkzircon_cli.output import Place
from vkzircon_cli.render import Format, MatrixFormat, Style, View, WordFormat

_DRAWN_BY = {"markdown": "markdown", "html": "html", "junit": "junit", "csv": "csv"}
_DRAWN_ON_TERMINAL_BY = {"matrix": "matrix", "doctor": "doctor"}
_VIEWS = {"report": View.REPORT, "check": View.CHECKS, "devices": View.DEVICES}


@record
class Asked:
    """A *command* with all that its command line says; *format* is one of those that the command has."""

    command: str
    request: Request
    format: str
    verbose: bool
    place: Place


def begin(request: Request) -> None:
    """Have the driver asked while the rest is imported; whoever runs *request* finds its answers."""
    from vkzircon_cli.worker.question import ask_early

    ask_early(request)


def _load_what_draws(asked: Asked) -> None:
    """Load Rich, or what else draws, while the driver is asked.

    Without fork nothing may be loaded later: a driver that hangs while it is loaded has the linker's lock.
    """
    on_terminal = _DRAWN_ON_TERMINAL_BY.get(asked.command, "terminal")
    drawn_by = on_terminal if asked.format == Format.TERMINAL else _DRAWN_BY.get(asked.format)
    if drawn_by is not None and not (asked.place.quiet and asked.place.path is None):
        import_module(f"vkzircon_cli.render.{drawn_by}")


def carry_out(asked: Asked) -> Exit:
    """Have the driver asked, and import meanwhile what judges and draws.

    Raises:
        Stop: what ends a command early, said in a sentence.
    """
    begin(asked.request)
    if asked.command == "matrix":
        return _matrix(asked)
    if asked.command == "doctor":
        return _doctor(asked)
    from vkzircon_cli.cli.run import finish

    _load_what_draws(asked)
    style = Style(_VIEWS[asked.command], Format(asked.format), asked.verbose, asked.request.redacts)
    return finish(asked.request, style, asked.place)


def _matrix(asked: Asked) -> Exit:
    from vkzircon_cli.cli.run import deliver, watched
    from vkzircon_cli.pipeline import run_matrix
    from vkzircon_cli.render import render_matrix

    _load_what_draws(asked)
    written = MatrixFormat(asked.format)
    found = watched(lambda watch: run_matrix(asked.request, watch))
    is_for_people = written is MatrixFormat.TERMINAL
    return deliver(found, is_for_people, lambda page: render_matrix(found, written, asked.verbose, page), asked.place)


def _doctor(asked: Asked) -> Exit:
    from vkzircon_cli.doctor.background import Trials

    with Trials(asked.request) as trials:
        from vkzircon_cli.cli.run import deliver, watched
        from vkzircon_cli.doctor.diagnosis import diagnose
        from vkzircon_cli.render import render_diagnosis

        _load_what_draws(asked)
        found = watched(lambda watch: diagnose(asked.request, trials, watch))
    written = WordFormat(asked.format)
    is_for_people = written is WordFormat.TERMINAL
    return deliver(
        found, is_for_people, lambda page: render_diagnosis(found, written, asked.verbose, page), asked.place
    )
