# SPDX-License-Identifier: Apache-2.0
"""One zip for a bug report: everything that a remote reader needs to diagnose the problem, without private names.

A missing part is listed with the reason and never stops the bundle, because a bundle is made when things do not work.
"""

import io
import locale
import os
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from vkzircon_cli import pipeline
from vkzircon_cli.doctor.bisect import find_culprits
from vkzircon_cli.doctor.loader_log import name_manifests, read_manifests
from vkzircon_cli.emulation.installation import with_environment
from vkzircon_cli.errors import Stop
from vkzircon_cli.model.base import record
from vkzircon_cli.model.host import REPORTED_VARIABLES
from vkzircon_cli.model.quantities import about, counted
from vkzircon_cli.model.request import Depth, Request
from vkzircon_cli.model.text import visible
from vkzircon_cli.render import render
from vkzircon_cli.render.frame import NOTHING_HIDDEN, hidden_words, opening_of
from vkzircon_cli.render.style import Format, Page, Style, View
from vkzircon_cli.render.writer import Sheet
from vkzircon_cli.report.redaction import Hidden, Redactor, people
from vkzircon_cli.report.report import Report
from vkzircon_cli.report.stop_reason import NO_AGENT
from vkzircon_cli.stream.events import Event, to_line
from vkzircon_cli.worker import interrupt

FOLDER = "vkzircon-bundle"
USUAL_NAME = Path(f"{FOLDER}.zip")
_PACKAGES = ("vulkan", "cffi", "typer", "rich", "pydantic", "jinja2")
_PAGE = Page(80, cuts=False, color=False, ascii=False)
_LONGEST_NAME = 60
_FIRST_YEAR, _LAST_YEAR = 1980, 2107  # of a zip; a device's clock may never have been set
_UNKNOWN = (
    "Hidden are the names of this user and host, and secrets in the forms that docs/guide.md lists. A secret of",
    "another form and the name of another person are not recognized: look into the files before you publish them.",
)
_FORMATS = {
    "report.txt": (Format.TERMINAL, "the report for people"),
    "report.json": (Format.JSON, "the report for programs; vkzircon show report.json renders it"),
    "report.md": (Format.MARKDOWN, "the report for an issue tracker"),
    "report.html": (Format.HTML, "the report for a browser"),
}


@record
class Part:
    """A file of the bundle, or why it is *missing*."""

    name: str
    about: str
    data: bytes = b""
    missing: str = ""


@record
class Bundle:
    """The zip's bytes, its report, its parts, and the list of hidden things (None: hiding was off).

    *about* has the first lines of CONTENTS.txt: the verdict, the emulation, the date and the command line.
    """

    data: bytes
    report: Report
    about: tuple[str, ...]
    parts: tuple[Part, ...]
    hidden: tuple[Hidden, ...] | None


def make_bundle(request: Request, command_line: str, watch: Callable[[Event], None]) -> Bundle:
    """Run the probe of *request* and collect the parts; *watch* receives every event.

    Raises:
        Usage: as `pipeline.run` does.
    """
    events: list[Event] = []

    def hear(event: Event) -> None:
        watch(event)
        if event["event"] != "tick":
            events.append(event)

    report = pipeline.run(request, hear, find_culprits)
    # One redactor for all parts, so that a UUID has the same mark in all files.
    redactor = Redactor(people(report.environment.agent) if request.redacts else None)
    told = redactor.facts(report)
    about = _about(told, redactor.text(command_line))
    parts = (*_of_probe(redactor, told, events), *_of_loader(redactor, _loader_log(request, report, watch), request))
    contents = Part("CONTENTS.txt", "this list", _contents(about, parts, redactor.hidden))
    parts = (contents, *parts)
    return Bundle(zipped(parts, report.run.started), report, about, parts, redactor.hidden)


def _about(report: Report, command_line: str) -> tuple[str, ...]:
    opening, summary = opening_of(report), report.summary
    return (
        f"{summary.outcome.upper()}, exit code {summary.exit_code}: {summary.sentence}",
        f"EMULATED RUN: {opening.emulated_by}" if opening.emulated_by else "Not emulated",
        f"Date: {report.run.started}",
        f"Command line: {command_line}",
    )


def _of_probe(redactor: Redactor, report: Report, events: list[Event]) -> Iterator[Part]:
    hidden = redactor.hidden
    for name, (written, says) in _FORMATS.items():
        yield _rendered(name, says, report, Style(View.REPORT, written, verbose=True), hidden)
    trace = b"".join(to_line(redactor.event(event)) for event in events)
    yield Part("trace.jsonl", "every event in order; vkzircon show trace.jsonl renders it", trace)
    yield Part("environment.txt", "the system, and the variables that were read", _environment(report))
    yield Part("versions.txt", "the versions of all software", _versions(report))


def _of_loader(redactor: Redactor, log: Event | str, request: Request) -> Iterator[Part]:
    """Yield the loader's log and the manifests; *log* is the loader's output event, or the reason why there is none."""
    text, raw, missing = ("", b"", log) if isinstance(log, str) else (*_printed(log), "")
    lines = redactor.text(text).removesuffix("\n").split("\n")
    yield Part("loader.log", "the loader's output with VK_LOADER_DEBUG=all", _lines(lines), missing)
    found = list(read_manifests(raw) if request.agent is None else name_manifests(raw, "it is on the device"))
    if not found:
        yield Part("manifests/", "the manifests that the loader read", missing="its log names none")
    for number, manifest in enumerate(found, start=1):
        path = redactor.text(manifest.path)
        cut = f", without its last {manifest.dropped} bytes" if manifest.dropped else ""
        data = manifest.data
        if redactor.hidden is not None:
            data = redactor.text(data.decode("utf-8", "backslashreplace")).encode()
        yield Part(
            f"manifests/{number:02}-{_file_name(path)}", visible(path) + cut, data, redactor.text(manifest.missing)
        )


def _rendered(name: str, about: str, report: Report, style: Style, hidden: tuple[Hidden, ...] | None) -> Part:
    try:
        return Part(name, about, render(report, style, _PAGE, hidden).encode("utf-8", "backslashreplace"))
    except ImportError as error:
        return Part(name, about, missing=f"a Python package is missing: {error.name}")
    except Exception as fault:  # noqa: BLE001 - the other parts help to diagnose it
        return Part(name, about, missing=f"a fault of vkzircon's own: {type(fault).__name__}: {fault}")


def _file_name(path: str) -> str:
    """Return the last part of a foreign path as a name that is valid on any system."""
    name = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "_" for c in path.rpartition("/")[2])
    return name[-_LONGEST_NAME:]


def _loader_log(request: Request, report: Report, watch: Callable[[Event], None]) -> Event | str:
    """Create an instance once more, with the loader's log on; *watch* receives the tick events only."""
    if report.error is not None and report.error.cause == NO_AGENT:
        return report.error.message.rstrip(".")
    if not pipeline.is_isolated(request):
        # A loaded loader does not read the variable again, and a driver that crashes would end this process.
        return "a second probe needs a process of its own, and none can be started here"
    log: Event | str = "the loader printed nothing"
    try:
        there = {variable.name: variable.value for variable in report.environment.variables}
        request = with_environment(request, os.environ if request.agent is None else there)
        environ = {**request.environ, "VK_LOADER_DEBUG": "all"}
        with closing(pipeline.events(replace(request, depth=Depth.IDENTITY, environ=environ))) as stream:
            for event in interrupt.each(stream):
                if event["event"] == "tick":
                    watch(event)
                elif event["event"] == "output" and event["text"]:
                    log = event
    except Stop as stopped:
        return stopped.message.rstrip(".")
    except interrupt.Interrupted:
        return "interrupted"
    return log


def _printed(output: Event) -> tuple[str, bytes]:
    """Return the output as text, and its bytes."""
    text, in_hex = output["text"], output["text_hex"]
    more = f"\n({output['dropped']} more bytes were not kept)\n" if output["dropped"] else ""
    return text + more, bytes.fromhex(in_hex) if in_hex else text.encode()


def _environment(report: Report) -> bytes:
    where = report.environment
    values = {variable.name: variable.value for variable in where.variables}
    lines = [
        f"platform: {where.platform}",
        f"system: {where.system} {where.machine}",
        f"Python: {where.python}",
        *([f"agent: {where.agent}"] if where.agent is not None else []),
        f"locale's encoding: {locale.getencoding()}",
        f"raised privileges: {'yes' if where.elevated else 'no'}",
        f"isolated: {'yes' if where.isolated else 'no'}",
        "",
        "Only these variables were read:",
        *(f"{name}={values[name]}" if name in values else f"{name} is not set" for name in REPORTED_VARIABLES),
    ]
    return _lines(lines)


def _versions(report: Report) -> bytes:
    lines = [f"{report.tool.name} {report.tool.version}", f"Python {report.environment.python}"]
    lines += [f"{package} {_version(package)}" for package in _PACKAGES]
    if loader := report.loader.value:
        lines.append(f"loader {loader.path or loader.library}, Vulkan {loader.api_version.text}")
    if kernel := report.kernel.value:
        lines.append(f"libzircon {kernel.path or kernel.library}")
    for device in report.devices:
        if who := device.identity.value:
            driver = who.driver.value
            of = f"{driver.name} {driver.info}" if driver else "driver"
            number = who.driver_version.text or f"{who.driver_version.value:#x}"
            lines.append(f"device {device.index} {who.name}: Vulkan {who.api_version.text}, {of}, version {number}")
    return _lines(lines)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "is not installed"


def _lines(lines: list[str]) -> bytes:
    return "".join(f"{visible(line)}\n" for line in lines).encode()


def _contents(about: tuple[str, ...], parts: tuple[Part, ...], hidden: tuple[Hidden, ...] | None) -> bytes:
    lines = [*about, ""]
    lines += [f"{part.name}: {part.about}" for part in parts if not part.missing]
    if missing := [part for part in parts if part.missing]:
        lines += ["", "Missing:", *(f"{part.name}: {part.about}: {part.missing}" for part in missing)]
    if hidden is None:
        said = "Nothing was hidden: --no-redact."
    else:
        said = f"Hidden: {hidden_words(hidden) or 'nothing'}. --no-redact leaves everything in."
    return _lines([*lines, "", said, *(_UNKNOWN if hidden is not None else ())])


def render_contents(bundle: Bundle, name: str, page: Page) -> str:
    """Write what *bundle* is about, where its zip is, what is missing and what was hidden."""
    sheet = Sheet(page)
    for line in bundle.about:
        sheet.prose(line)
    missing = [part for part in bundle.parts if part.missing]
    sheet.prose(f"{name}: {counted(len(bundle.parts) - len(missing), 'file')}, {about(len(bundle.data))}.")
    for part in missing:
        sheet.prose(f"Missing: {part.about}: {part.missing}.")
    if bundle.hidden is not None:
        hidden = hidden_words(bundle.hidden)
        sheet.prose(f"Hidden: {hidden}. --no-redact leaves everything in." if hidden else NOTHING_HIDDEN)
    return sheet.finish()


def zipped(parts: tuple[Part, ...], started: str) -> bytes:
    """Pack the parts that are not missing. All have the time *started*, so that the same parts make the same bytes."""
    year, month, day, hour, minute, second = datetime.fromisoformat(started).timetuple()[:6]
    when = (min(max(year, _FIRST_YEAR), _LAST_YEAR), month, day, hour, minute, second)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for part in parts:
            if not part.missing:
                entry = zipfile.ZipInfo(f"{FOLDER}/{part.name}", when)
                entry.external_attr = 0o100644 << 16
                entry.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(entry, part.data)
    return buffer.getvalue()
