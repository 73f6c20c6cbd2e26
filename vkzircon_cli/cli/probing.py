# SPDX-License-Identifier: Apache-2.0
"""The commands that ask the driver, as Typer reads them: each builds a request, and says what is done with it."""

from vkzircon_cli.cli.app import EPILOG, app
from vkzircon_cli.cli.options import (
    DEFAULT_BUNDLE,
    BenchOutputFormat,
    BundleFile,
    Command,
    CompilerFlags,
    Device,
    DevicesOutputFormat,
    EmulateOption,
    ExplainFormat,
    Faults,
    FormatSet,
    HandleType,
    Ignore,
    Largest,
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
    Seconds,
    Select,
    ShellSyntax,
    Size,
    Stress,
    Timeout,
    Verbose,
    Version,
)
from vkzircon_cli.errors import CannotAsk, Exit, Usage
from vkzircon_cli.model.request import (
    DEFAULT_SECONDS,
    DEFAULT_SIZE,
    DEFAULT_TIMEOUT_S,
    LARGEST_SHARED,
    Depth,
    Emulate,
    Formats,
    Judging,
    Request,
)
from vkzircon_cli.model.spec import HANDLE_TYPES
from vkzircon_cli.output import Place, write
from vkzircon_cli.render import (
    BenchFormat,
    DevicesFormat,
    Format,
    MatrixFormat,
    WordFormat,
)
from vkzircon_cli.worker import interrupt, worker


@app.command(epilog=EPILOG)
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
    return _carry_out("report", request, format, verbose, Place(output, quiet, no_color))


@app.command(epilog=EPILOG)
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
    judging = _judging(require, select, ignore)
    emulated = _emulation(emulate, persona, fault)
    request = Request(
        Depth.EVERYTHING, device, emulated, timeout, size, stress, negative, judging=judging, redacts=not no_redact
    )
    return _carry_out("check", request, format, verbose, Place(output, quiet, no_color))


@app.command(epilog=EPILOG)
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
    return _carry_out("devices", request, format, verbose, Place(output, quiet, no_color))


@app.command(epilog=EPILOG)
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
    return _carry_out("matrix", request, format, verbose, Place(output, quiet, no_color))


@app.command(epilog=EPILOG)
def bench(
    device: Device = None,
    seconds: Seconds = DEFAULT_SECONDS,
    size: Largest = LARGEST_SHARED,
    format: BenchOutputFormat = BenchFormat.TERMINAL,
    output: OutputFile = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
    no_color: NoColor = False,
    no_redact: NoRedact = False,
    emulate: EmulateOption = False,
    persona: Persona = None,
    fault: Faults = None,
    timeout: Timeout = DEFAULT_TIMEOUT_S,
    version: Version = False,
) -> Exit:
    """Measure what sharing without a copy saves.

    The time of each call, how fast host and device move bytes, and a buffer of 1 MiB to 1 GiB shared by VMO against
    copied. The first device that offers the extension is measured, with a quarter of its memory at most. Ctrl-C gives
    what was measured so far. Exit code 1: no buffer could be shared.
    """
    emulated = _emulation(emulate, persona, fault)
    request = Request(Depth.BENCH, device, emulated, timeout, size, seconds=seconds, redacts=not no_redact)
    request = _send_early(request)
    from vkzircon_cli.cli.run import measure

    return measure(request, format, Place(output, quiet, no_color), verbose=verbose)


@app.command(epilog=EPILOG)
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
    request = Request(Depth.IDENTITY, None, _emulation(emulate, persona, fault), timeout)
    request = _send_early(request)
    from vkzircon_cli.doctor.background import Trials

    with Trials(request) as trials:  # its tasks run while `run` and the rest of doctor are imported
        from vkzircon_cli.cli.run import examine

        return examine(request, trials, format, verbose, Place(output, quiet, no_color))


@app.command(epilog=EPILOG)
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
    request = _send_early(request)
    from vkzircon_cli.cli.run import pack

    return pack(request, output, quiet=quiet)


@app.command(epilog=EPILOG, context_settings={"allow_interspersed_args": False})
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
    from vkzircon_cli.emulation import launch

    launch.refuse_mixture(command, print_env=print_env, shell=shell, builds=cflags or libs, lists=list)
    asked = Emulate(persona, tuple(fault or ()))
    if list:
        write(launch.listing(), None)
    elif cflags or libs:
        write(launch.build_flags(cflags=cflags, libs=libs), None)
    elif print_env:
        write(launch.assignments(asked, shell), None)
    else:
        launch.become(command or (), asked, interrupt.release)
    return Exit.OK


def _carry_out(command: str, request: Request, format: str, verbose: bool, place: Place) -> Exit:
    """Run a command that differs from others by its request and its renderer only."""
    request = _send_early(request)
    from vkzircon_cli.cli.run import carry_out

    return carry_out(command, request, format, verbose, place)


def _send_early(request: Request) -> Request:
    """Send the request to the worker that was started early, and return it with the environment that it needs.

    The worker starts to ask while `run` is imported, which takes 36 ms.
    """
    from vkzircon_cli.emulation.installation import with_environment  # here: 2 ms, which help does not need

    try:
        request = with_environment(request)
    except CannotAsk:
        return request  # the report says why
    worker.send_early(request)
    return request


def _judging(require: list[str] | None, select: list[str] | None, ignore: list[str] | None) -> Judging:
    judging = Judging(tuple(require or ()), tuple(select or ()), tuple(ignore or ()))
    if ignore:
        from vkzircon_cli.report.conditions import refuse_empty_choice

        refuse_empty_choice(judging)
    return judging


def _emulation(asked: bool, persona: str | None, faults: list[str] | None) -> Emulate | None:
    if not asked and (persona or faults):
        raise Usage("--persona and --fault are the emulation's, which is not on.", "Add --emulate.")
    return Emulate(persona, tuple(faults or ())) if asked else None
