# SPDX-License-Identifier: Apache-2.0
"""The commands: one record each. A command's only other parts are its help and its function in `handlers`.

Imports no other module of this package: the program's entry reads this table before it forks the probe's worker.
The help of each command is in help.txt, which only Typer needs.
"""

from typing import NamedTuple

_WRITTEN = "output quiet verbose no_color"
_EMULATION = "emulate persona fault timeout"
_PROBE = f"{_EMULATION} size stress negative version"
_REPORT_FORMATS = "terminal json markdown html junit"


class Command(NamedTuple):
    """A command; *run* is the function of `handlers` that carries it out.

    *options* are names in `options.OPTIONS`, in the order of the help. *depth* is the depth of its probe, None if it
    needs no Vulkan. *formats* are those of its result, the first is the default; *view* is the part of a report that
    the terminal shows. *passes_on* makes Typer accept words that look like options as arguments.
    """

    name: str
    run: str
    depth: str | None
    formats: str
    options: str
    view: str = "report"
    passes_on: str = ""


_REPORT = f"device format {_WRITTEN} no_redact agent {_PROBE}"
_CHECK = f"device require select ignore format {_WRITTEN} no_redact agent {_PROBE}"
_DEVICES = f"device format {_WRITTEN} agent {_EMULATION} version"
_MATRIX = f"device handle_type formats format {_WRITTEN} agent {_EMULATION} version"
_BENCH = f"device seconds largest format {_WRITTEN} no_redact agent {_EMULATION} version"
_DIFF = "before after fail_on format output quiet no_color no_redact version"
_SURVEY = (
    f"paths by where since until baseline outliers sql print_sql export engine format {_WRITTEN} no_redact version"
)
_EMULATE = "command persona fault print_env shell cflags libs list format output no_color version"
_EXPLAIN = "word format output no_color version"
_ALL = (
    Command("report", "probe", "everything", f"{_REPORT_FORMATS} trace", _REPORT),
    Command("check", "probe", "everything", f"{_REPORT_FORMATS} trace", _CHECK, view="checks"),
    Command("devices", "probe", "identity", "terminal json trace", _DEVICES, view="devices"),
    Command("matrix", "probe", "matrix", "terminal json csv", _MATRIX),
    Command("bench", "probe", "bench", "terminal json html", _BENCH),
    Command("doctor", "doctor", "identity", "terminal json", f"format {_WRITTEN} agent {_EMULATION} version"),
    Command("bundle", "bundle", "everything", "", f"device zip quiet no_redact agent {_PROBE}"),
    Command("emulate", "emulate", None, "terminal json", _EMULATE, passes_on="allow_interspersed_args"),
    Command("agent", "agent", None, "", "source build version"),
    Command("show", "show", None, f"{_REPORT_FORMATS} csv", f"file format {_WRITTEN} no_redact version"),
    Command("diff", "diff", None, "terminal json markdown", _DIFF),
    Command("survey", "survey", None, "terminal json csv markdown html", _SURVEY),
    # `explain` accepts a negative number; it refuses other words that look like options itself.
    Command("explain", "explain", None, "terminal json", _EXPLAIN, passes_on="ignore_unknown_options"),
    Command("schema", "schema", None, "", "document output version"),
)
COMMANDS = {command.name: command for command in _ALL}
