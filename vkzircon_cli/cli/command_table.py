# SPDX-License-Identifier: Apache-2.0
"""The commands: one record each, and nothing else has to know of a command, but the function that it names.

Imports nothing of ours: the program's entry reads this table before it forks the probe's worker.
"""

from typing import NamedTuple

_WRITTEN = "output quiet verbose no_color"
_EMULATION = "emulate persona fault timeout"
_MORE_STEPS = "size stress negative"


class Command(NamedTuple):
    """A command; *run* is a module of `cli` and the function in it that carries it out.

    *options* are names in `options.OPTIONS`, in the order of the help. *depth* is how much it asks of the driver, None
    where it needs no Vulkan. *formats* are those of its result, the first is the default; *view* is the part of a
    report that people see. *passes_on* tells Typer to leave words that look like options alone.
    """

    name: str
    run: str
    options: str
    help: str
    depth: str | None = None
    formats: str = ""
    view: str = "report"
    passes_on: str = ""


_ALL = (
    Command(
        "report",
        "probing.probe",
        f"device format {_WRITTEN} no_redact {_EMULATION} {_MORE_STEPS} version",
        """Export, import, compare, and report everything.

        A report holds names, UUIDs and versions of devices and drivers, paths of libraries with the home folder as ~,
        and the VK_ and VKZIRCON_ variables that change what Vulkan does. Nothing is sent anywhere.
        """,
        depth="everything",
        formats="terminal json markdown html junit trace",
    ),
    Command(
        "check",
        "probing.probe",
        f"device require select ignore format {_WRITTEN} no_redact {_EMULATION} {_MORE_STEPS} version",
        """Print only the verdicts of a report, and judge by your own conditions.

        A condition is a check's id, which must pass, or FACT OPERATOR VALUE: device.type=discrete,
        memory.exportable-types>=1, vmo.rights>=READ|WRITE|MAP. Of several devices, one must meet all conditions.
        """,
        depth="everything",
        formats="terminal json markdown html junit trace",
        view="checks",
    ),
    Command(
        "devices",
        "probing.probe",
        f"device format {_WRITTEN} {_EMULATION} version",
        """List the devices.

        One record for each: index, UUID, name, driver, and whether the extension is offered.
        """,
        depth="identity",
        formats="terminal json trace",
        view="devices",
    ),
    Command(
        "matrix",
        "probing.probe",
        f"device handle_type formats format {_WRITTEN} {_EMULATION} version",
        """Show which buffers and images can be shared.

        The driver is asked for each usage of buffers, and for each format, tiling and usage of images; nothing is
        allocated. Exit code 3: no chosen device supports the handle type.
        """,
        depth="matrix",
        formats="terminal json csv",
    ),
    Command(
        "bench",
        "probing.probe",
        f"device seconds largest format {_WRITTEN} no_redact {_EMULATION} version",
        """Measure how much time sharing without a copy saves.

        Measures the time of each call, how fast host and device move bytes, and a buffer of 1 MiB to 1 GiB shared by
        VMO against the same buffer copied. Uses the first device that offers the extension, and at most a quarter of
        its memory. Ctrl-C ends the bench with what was measured so far. Exit code 1: no buffer could be shared.
        """,
        depth="bench",
        formats="terminal json html",
    ),
    Command(
        "doctor",
        "probing.doctor",
        f"format {_WRITTEN} {_EMULATION} version",
        """Find out why Vulkan, or the extension, is missing.

        Examines the loader, the variables that affect it, driver manifests, layers, device nodes or services, and the
        extension: each with evidence, cause and what to do. Works without a loader, driver or permissions. Exit code 0:
        healthy; 1: a problem was found; 4: no device can be used.
        """,
        depth="identity",
        formats="terminal json",
    ),
    Command(
        "bundle",
        "probing.bundle",
        f"device zip quiet no_redact {_EMULATION} {_MORE_STEPS} version",
        """Write one zip for a bug report.

        Holds the report in every format, the trace, the loader's log, manifests and versions. Names of users and hosts,
        UUIDs, passwords and keys are hidden. What is missing is listed. Exit code 0: the zip was written, also where a
        check failed.
        """,
        depth="everything",
    ),
    Command(
        "emulate",
        "offline.emulate",
        "command persona fault print_env shell cflags libs list version",
        """Run any Vulkan program with the emulation on.

        Example: vkzircon emulate --persona goldfish -- vulkaninfo. The exit code and signals are the program's own, and
        the environment's other layers stay on. For a whole shell: eval "$(vkzircon emulate --print-env)"; in fish:
        vkzircon emulate --print-env | source. To build a program: cc $(vkzircon emulate --cflags) ... $(vkzircon
        emulate --libs)
        """,
        passes_on="allow_interspersed_args",
    ),
    Command(
        "show",
        "offline.show",
        f"file format {_WRITTEN} no_redact version",
        """Render a saved report or trace.

        Needs no Vulkan. A trace may stop anywhere: the output names the step in which it stops.
        """,
        formats="terminal json markdown html junit",
    ),
    Command(
        "diff",
        "offline.diff",
        "before after format output quiet no_color no_redact version",
        """Compare two saved reports.

        Compares verdicts, extension, memory types, rights and everything else in them; times, koids and handle values
        do not count. Exit code 0: no difference; 1: there are differences. Needs no Vulkan.
        """,
        formats="terminal json markdown",
    ),
    Command(
        "explain",
        "offline.explain",
        "word format output no_color version",
        """Explain a word of a report.

        Takes a check's id, a VUID, a VkResult or a zx_status_t, by name or number, or a persona or fault of the
        emulation, and prints its meaning, the usual causes, and what to do. Without a word: the list of words. Needs no
        Vulkan.
        """,
        formats="terminal json",
        # A number below 0 is a word here; other words that look like options are refused where the word is read.
        passes_on="ignore_unknown_options",
    ),
    Command(
        "schema",
        "offline.schema",
        "document output version",
        """Print the JSON Schema of a document.

        The schema (dialect 2020-12) is derived from the code that writes the documents. Needs no Vulkan.
        """,
    ),
)
COMMANDS = {command.name: command for command in _ALL}
