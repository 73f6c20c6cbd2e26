# SPDX-License-Identifier: Apache-2.0
"""The commands. Each builds a request, has it run, renders the report, writes it, and gives the exit code."""

import contextlib
import io
import os
from collections.abc import Sequence
from typing import Any, TypeVar

import typer
from typer._completion_classes import completion_init
from typer.core import TyperGroup

from vkzircon_cli import session
from vkzircon_cli.delivery import Place, compare, deliver, finish, pack, page_of, present, watched
from vkzircon_cli.documents import DocumentKind, shape_of
from vkzircon_cli.errors import Exit, Usage
from vkzircon_cli.options import (
    DEFAULT_BUNDLE,
    After,
    Before,
    BundleFile,
    Command,
    CompilerFlags,
    Device,
    DevicesOutputFormat,
    DiffOutputFormat,
    DocumentName,
    EmulateOption,
    ExplainFormat,
    Faults,
    FormatSet,
    HandleType,
    Ignore,
    LinkerFlags,
    ListFaults,
    MatrixOutputFormat,
    Negative,
    NoColor,
    NoRedact,
    OutputFile,
    OutputFormat,
    Persona,
    PrintEnv,
    Quiet,
    Require,
    SavedFile,
    Select,
    ShellSyntax,
    ShowFormat,
    Size,
    Stress,
    Timeout,
    Verbose,
    Version,
    Word,
)
from vkzircon_cli.output import write
from vkzircon_cli.render import (
    DevicesFormat,
    DiffFormat,
    Format,
    MatrixFormat,
    Rendered,
    Style,
    View,
    WordFormat,
    render_matrix,
)
from vkzircon_cli.report import SCHEMA_VERSION
from vkzircon_cli.request import DEFAULT_SIZE, DEFAULT_TIMEOUT_S, Depth, Emulate, Formats, Judging, Request
from vkzircon_cli.vocabulary import HANDLE_TYPES

T = TypeVar("T")

_COMMANDS = ("report", "check", "devices", "matrix", "doctor", "emulate", "show", "diff", "bundle", "schema", "explain")
_COMPLETE_VARIABLE = "_VKZIRCON_COMPLETE"
# Typer keeps its error classes to itself; this is the one that all mistakes on a command line share.
_UsageError: type[Exception] = typer.BadParameter.__bases__[0]

_EPILOG = (
    "Exit codes: 0 nothing failed; 1 a check failed, a condition was not met, or two reports differ; 2 usage; 3 no "
    "chosen device offers the extension; 4 could not ask: no loader, driver, device or permission; 5 the driver "
    "crashed or hung; 6 the result could not be written; 70 a fault of vkzircon's own; 130 interrupted; 141 the reader "
    "closed the pipe."
)


class _ReportByDefault(TyperGroup):
    """A group in which options without a command are the options of `report`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        own = ("--help", "-h", "--version")
        leading = args[0] if args else ""
        # Completion asks with no arguments at all and wants the commands, not the options of one of them.
        is_bare = not args and not ctx.resilient_parsing
        if is_bare or (leading.startswith("-") and leading not in own):
            args = ["report", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    name="vkzircon",
    cls=_ReportByDefault,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
    epilog=_EPILOG,
)


@app.callback()
def _root(version: Version = False) -> None:
    """Find out whether this device shares Vulkan memory as a Zircon VMO, whether that works, and if not, why.

    Without a command: report.
    """


@app.command(epilog=_EPILOG)
def report(
    device: Device = None,
    format: OutputFormat = Format.TERMINAL,
    output: OutputFile = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
    no_color: NoColor = False,
    no_redact: NoRedact = False,
    emulate: EmulateOption = False,
    persona: Persona = None,
    fault: Faults = None,
    timeout: Timeout = DEFAULT_TIMEOUT_S,
    size: Size = DEFAULT_SIZE,
    stress: Stress = False,
    negative: Negative = False,
    version: Version = False,
) -> Exit:
    """Export, import, compare, and report it all.

    A report holds names, UUIDs and versions of devices and drivers, paths of libraries with the home folder as ~, and
    the VK_ and VKZIRCON_ variables that change what Vulkan does. Nothing is sent anywhere.
    """
    emulated = _emulation(emulate, persona, fault)
    request = Request(Depth.EVERYTHING, device, emulated, timeout, size, stress, negative, redacts=not no_redact)
    return finish(request, Style(View.REPORT, format, verbose, not no_redact), Place(output, quiet, no_color))


@app.command(epilog=_EPILOG)
def check(
    device: Device = None,
    require: Require = None,
    select: Select = None,
    ignore: Ignore = None,
    format: OutputFormat = Format.TERMINAL,
    output: OutputFile = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
    no_color: NoColor = False,
    no_redact: NoRedact = False,
    emulate: EmulateOption = False,
    persona: Persona = None,
    fault: Faults = None,
    timeout: Timeout = DEFAULT_TIMEOUT_S,
    size: Size = DEFAULT_SIZE,
    stress: Stress = False,
    negative: Negative = False,
    version: Version = False,
) -> Exit:
    """Print only the verdicts of a report, and judge by conditions of your own.

    A condition is a check's id, which must pass, or FACT OPERATOR VALUE: device.type=discrete,
    memory.exportable-types>=1, vmo.rights>=READ|WRITE|MAP. Of several devices one must meet all conditions.
    """
    judging = Judging(tuple(require or ()), tuple(select or ()), tuple(ignore or ()))
    emulated = _emulation(emulate, persona, fault)
    request = Request(
        Depth.EVERYTHING, device, emulated, timeout, size, stress, negative, judging=judging, redacts=not no_redact
    )
    return finish(request, Style(View.CHECKS, format, verbose, not no_redact), Place(output, quiet, no_color))


@app.command(epilog=_EPILOG)
def devices(
    device: Device = None,
    format: DevicesOutputFormat = DevicesFormat.TERMINAL,
    output: OutputFile = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
    no_color: NoColor = False,
    emulate: EmulateOption = False,
    persona: Persona = None,
    fault: Faults = None,
    timeout: Timeout = DEFAULT_TIMEOUT_S,
    version: Version = False,
) -> Exit:
    """List the devices.

    A record each: index, UUID, name, driver, and whether the extension is offered.
    """
    request = Request(Depth.IDENTITY, device, _emulation(emulate, persona, fault), timeout)
    return finish(request, Style(View.DEVICES, Format(format), verbose), Place(output, quiet, no_color))


@app.command(epilog=_EPILOG)
def matrix(
    device: Device = None,
    handle_type: HandleType = "zircon-vmo",
    formats: FormatSet = Formats.COMMON,
    format: MatrixOutputFormat = MatrixFormat.TERMINAL,
    output: OutputFile = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
    no_color: NoColor = False,
    emulate: EmulateOption = False,
    persona: Persona = None,
    fault: Faults = None,
    timeout: Timeout = DEFAULT_TIMEOUT_S,
    version: Version = False,
) -> Exit:
    """Show what buffers and images can be shared.

    The driver is asked for each usage of buffers, and for each format, tiling and usage of images; nothing is tried.
    Exit code 3 says that no chosen device supports the handle type at all.
    """
    emulated, asked = _emulation(emulate, persona, fault), HANDLE_TYPES[handle_type]
    request = Request(Depth.MATRIX, device, emulated, timeout, handle_type=asked, formats=formats)
    place = Place(output, quiet, no_color)
    found = watched(lambda watch: session.run_matrix(request, watch))
    return deliver(
        found, format is MatrixFormat.TERMINAL, lambda page: render_matrix(found, format, verbose, page), place
    )


@app.command(epilog=_EPILOG)
def doctor(
    format: ExplainFormat = WordFormat.TERMINAL,
    output: OutputFile = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
    no_color: NoColor = False,
    emulate: EmulateOption = False,
    persona: Persona = None,
    fault: Faults = None,
    timeout: Timeout = DEFAULT_TIMEOUT_S,
    version: Version = False,
) -> Exit:
    """Find out why Vulkan, or the extension, is not there.

    The loader, the variables that lead it, driver manifests, layers, device nodes or services, the extension: each with
    evidence, cause and what to do. It works without a loader, driver or rights. Exit code 0: healthy; 1: a problem was
    found; 4: no device can be used.
    """
    from vkzircon_cli.doctor.diagnosis import diagnose
    from vkzircon_cli.render import render_diagnosis

    request = Request(Depth.IDENTITY, None, _emulation(emulate, persona, fault), timeout)
    found = watched(lambda watch: diagnose(request, watch))
    place = Place(output, quiet, no_color)
    is_for_people = format is WordFormat.TERMINAL
    return deliver(found, is_for_people, lambda page: render_diagnosis(found, format, verbose, page), place)


@app.command(epilog=_EPILOG, context_settings={"allow_interspersed_args": False})
def emulate(
    command: Command = None,
    persona: Persona = None,
    fault: Faults = None,
    print_env: PrintEnv = False,
    shell: ShellSyntax = None,
    cflags: CompilerFlags = False,
    libs: LinkerFlags = False,
    list: ListFaults = False,
    version: Version = False,
) -> Exit:
    """Run any Vulkan program with the emulation on.

    As in: vkzircon emulate --persona goldfish -- vulkaninfo. The program's exit code and signals are its own, and the
    environment's other layers stay on. For a whole shell: eval "$(vkzircon emulate --print-env)"; in fish: vkzircon
    emulate --print-env | source. To build a program: cc $(vkzircon emulate --cflags) ... $(vkzircon emulate --libs)
    """
    from vkzircon_cli import launch

    launch.refuse_mixture(command, print_env=print_env, shell=shell, builds=cflags or libs, lists=list)
    asked = Emulate(persona, tuple(fault or ()))
    if list:
        write(launch.listing(), None)
    elif cflags or libs:
        write(launch.build_flags(cflags=cflags, libs=libs), None)
    elif print_env:
        write(launch.assignments(asked, shell), None)
    else:
        launch.become(command or (), asked)
    return Exit.OK


@app.command(epilog=_EPILOG)
def show(
    file: SavedFile,
    format: ShowFormat = Rendered.TERMINAL,
    output: OutputFile = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
    no_color: NoColor = False,
    no_redact: NoRedact = False,
    version: Version = False,
) -> Exit:
    """Render a saved report or trace.

    It needs no Vulkan. A trace may stop anywhere: the step in which it stops is named.
    """
    from vkzircon_cli.reading import read

    style = Style(View.REPORT, Format(format), verbose, not no_redact)
    return present(read(file), style, Place(output, quiet, no_color))


@app.command(epilog=_EPILOG)
def diff(
    before: Before,
    after: After,
    format: DiffOutputFormat = DiffFormat.TERMINAL,
    output: OutputFile = None,
    quiet: Quiet = False,
    no_color: NoColor = False,
    no_redact: NoRedact = False,
    version: Version = False,
) -> Exit:
    """Tell what differs between two saved reports.

    Verdicts, extension, memory types, rights and all else that was seen; times, koids and handle values are no
    difference. Exit code 0: nothing differs; 1: something does. It needs no Vulkan.
    """
    return compare(before, after, format, Place(output, quiet, no_color), redacts=not no_redact)


@app.command(epilog=_EPILOG)
def bundle(
    device: Device = None,
    output: BundleFile = DEFAULT_BUNDLE,
    quiet: Quiet = False,
    no_redact: NoRedact = False,
    emulate: EmulateOption = False,
    persona: Persona = None,
    fault: Faults = None,
    timeout: Timeout = DEFAULT_TIMEOUT_S,
    size: Size = DEFAULT_SIZE,
    stress: Stress = False,
    negative: Negative = False,
    version: Version = False,
) -> Exit:
    """Write one zip for a bug report.

    The report in every format, the trace, the loader's log, manifests, versions. Names of users and hosts, UUIDs,
    passwords and keys are hidden. What is missing is noted. Exit code 0: the zip is there, whatever the verdict.
    """
    emulated = _emulation(emulate, persona, fault)
    request = Request(Depth.EVERYTHING, device, emulated, timeout, size, stress, negative, redacts=not no_redact)
    return pack(request, output, quiet=quiet)


@app.command(epilog=_EPILOG)
def schema(
    document: DocumentName = DocumentKind.REPORT,
    output: OutputFile = None,
    version: Version = False,
) -> Exit:
    """Print the JSON Schema of a document.

    It is of the dialect 2020-12, and derived from what the documents are written from. It needs no Vulkan.
    """
    from vkzircon_cli.render.json import to_json
    from vkzircon_cli.schema import schema_of

    title = f"vkzircon {document}, schema version {SCHEMA_VERSION}"
    write(to_json(schema_of(shape_of(document), title)), output, as_utf8=True)
    return Exit.OK


# A number below 0 is a word here, not an option; what else looks like one is refused where the word is read.
@app.command(epilog=_EPILOG, context_settings={"ignore_unknown_options": True})
def explain(
    word: Word = None,
    format: ExplainFormat = WordFormat.TERMINAL,
    output: OutputFile = None,
    no_color: NoColor = False,
    version: Version = False,
) -> Exit:
    """Say what a word of a report means.

    A check id, a VUID, a VkResult or a zx_status_t, by name or number, and the emulation's personas and faults: the
    meaning, the usual causes, what to do. Without a word: the words. It needs no Vulkan.
    """
    from vkzircon_cli import explanations
    from vkzircon_cli.render import explanation

    page, as_json = page_of(Place(output, False, no_color)), format is WordFormat.JSON
    if word is None:
        groups = explanations.word_groups()
        text = explanation.render_words_json(groups) if as_json else explanation.render_words(groups, page)
    else:
        found = explanations.explain(word)
        render_json, render_text = explanation.render_explanations_json, explanation.render_explanations
        text = render_json(word, found) if as_json else render_text(found, page)
    write(text, output)
    return Exit.OK


def _emulation(asked: bool, persona: str | None, faults: list[str] | None) -> Emulate | None:
    if not asked and (persona or faults):
        raise Usage("--persona and --fault are the emulation's, which is not on.", "Add --emulate.")
    return Emulate(persona, tuple(faults or ())) if asked else None


def run(arguments: Sequence[str]) -> int:
    """Run one command line and give its exit code; what Typer prints (help, version) is written as results are.

    Raises:
        Stop: what ends a command early, said in a sentence.
        PipeClosed: nobody reads standard output any more.
    """
    if _COMPLETE_VARIABLE in os.environ:
        completion_init()  # with add_completion=False Typer knows no shell until it is told
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            code = app(list(arguments), prog_name="vkzircon", complete_var=_COMPLETE_VARIABLE, standalone_mode=False)
    except SystemExit as leave:  # how completion ends
        code = leave.code
    except _UsageError as error:
        raise Usage(*_sentence(error)) from error
    if printed.getvalue():
        write(printed.getvalue(), None)
    return code if isinstance(code, int) else 0


def _sentence(error: Any) -> tuple[str, str]:
    command = error.ctx.command_path if error.ctx is not None else "vkzircon report"
    message = " ".join(error.format_message().split())
    hint = f"See: {command} --help"
    if "unexpected extra argument" in message and any(f"({name}" in message for name in _COMMANDS):
        hint = "Options come after the command, as in: vkzircon check --emulate"
    return message if message.endswith((".", "?")) else f"{message}.", hint
