# SPDX-License-Identifier: Apache-2.0
"""One zip for a bug report: everything that somebody else needs to see what happened here, and nobody's name.

A source that is missing is noted and never ends the bundle: it is made when things do not work.
"""

import io
import locale
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version

from vkzircon_cli import pipeline
from vkzircon_cli.doctor.bisect import find_culprits
from vkzircon_cli.doctor.loader_log import LoggedManifest, read_manifests
from vkzircon_cli.emulation.installation import with_environment
from vkzircon_cli.errors import Stop
from vkzircon_cli.model.base import plain, record
from vkzircon_cli.model.facts import Device, Facts
from vkzircon_cli.model.host import REPORTED_VARIABLES
from vkzircon_cli.model.request import Depth, Request
from vkzircon_cli.model.text import visible
from vkzircon_cli.render import render
from vkzircon_cli.render.page import Page
from vkzircon_cli.render.style import Format, Style, View
from vkzircon_cli.report.redaction import Hidden, Redactor, people
from vkzircon_cli.report.report import Report
from vkzircon_cli.stream.decoding import decode, shape_of_answer
from vkzircon_cli.stream.document import Header
from vkzircon_cli.stream.events import Event, Failure, Message, Output, to_line
from vkzircon_cli.worker import interrupt
from vkzircon_cli.worker.isolation import NoProcess, can_fork

FOLDER = "vkzircon-bundle"
_PACKAGES = ("vulkan", "cffi", "typer", "rich", "pydantic", "jinja2")
_PAGE = Page(80, cuts=False, color=False, ascii=False)
_LONGEST_NAME = 60
_FIRST_YEAR, _LAST_YEAR = 1980, 2107  # of a zip; a device's clock may never have been set
_FORMATS = {
    "report.txt": (Format.TERMINAL, "the report, to be read as it is"),
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
    """The zip's bytes, the report that it was made of, its parts, and what was hidden (None: nothing was)."""

    data: bytes
    report: Report
    parts: tuple[Part, ...]
    hidden: tuple[Hidden, ...] | None


def make_bundle(request: Request, watch: Callable[[Event], None]) -> Bundle:
    """Probe as *request* says and collect; *watch* hears every event as it comes.

    Raises:
        Usage: as `session.run` does.
    """
    events: list[Event] = []

    def hear(event: Event) -> None:
        watch(event)
        if event["event"] != "tick":
            events.append(event)

    report = pipeline.run(request, hear, find_culprits)
    collector = _Collector(Redactor(people()) if request.redacts else None)
    parts = tuple(collector.parts(report, events, lambda: _loader_log(request, watch)))
    hidden = collector.redactor.hidden if collector.redactor else None
    contents = Part("CONTENTS.txt", "this list", _contents(report, parts, hidden).encode())
    return Bundle(zipped((contents, *parts), report.run.started), report, (contents, *parts), hidden)


@dataclass(slots=True)
class _Log:
    """What the loader printed: *text* to be read, its *raw* bytes; or why it is *missing*."""

    text: str = ""
    raw: bytes = b""
    missing: str = ""


@dataclass(slots=True)
class _Collector:
    """Makes the parts; one redactor sees them all, so that one UUID has one mark in all files."""

    redactor: Redactor | None
    _facts: dict[str, tuple[str, type]] = field(default_factory=dict)

    def parts(self, report: Report, events: list[Event], ask_loader: Callable[[], _Log]) -> Iterator[Part]:
        shown = self.redactor.facts(report) if self.redactor else report
        hidden = self.redactor.hidden if self.redactor else None
        for name, (written, about) in _FORMATS.items():
            yield _rendered(name, about, shown, Style(View.REPORT, written, verbose=True), hidden)
        trace = b"".join(to_line(self._event(event)) for event in events)
        yield Part("trace.jsonl", "every event as it came; vkzircon show trace.jsonl renders it", trace)
        yield Part("environment.txt", "the surroundings, and the variables that were looked at", _environment(shown))
        yield Part("versions.txt", "which version of what", _versions(shown))
        log = ask_loader()
        about = "what the loader says with VK_LOADER_DEBUG=all"
        yield Part("loader.log", about, _lines(self._text(log.text).removesuffix("\n").split("\n")), log.missing)
        yield from self._manifests(log.raw)

    def _text(self, words: str) -> str:
        return self.redactor.text(words) if self.redactor else words

    def _event(self, event: Event) -> Event:
        """Hide in an event what is hidden in the report that it is folded into."""
        if self.redactor is None:
            return event
        kind = event["event"]
        if kind == "begin":
            self._facts[event["step"]] = (event["fact"], Facts if event["device"] is None else Device)
        elif kind == "end":
            shape = shape_of_answer(*self._facts[event["step"]])
            return event | {"answer": plain(self.redactor.facts(decode(shape, event["answer"])))}
        shape = {"header": Header, "message": Message, "output": Output, "error": Failure}.get(kind)
        return event if shape is None else event | plain(self.redactor.facts(decode(shape, event)))

    def _manifests(self, log: bytes) -> Iterator[Part]:
        found = list(read_manifests(log))
        if not found:
            yield Part("manifests/", "the manifests that the loader read", missing="no log of it names any")
        for number, manifest in enumerate(found, start=1):
            name = f"manifests/{number:02}-{_file_name(self._text(manifest.path))}"
            cut = f", without its last {manifest.dropped} bytes" if manifest.dropped else ""
            about = visible(self._text(manifest.path)) + cut
            yield Part(name, about, self._manifest(manifest), self._text(manifest.missing))

    def _manifest(self, manifest: LoggedManifest) -> bytes:
        if self.redactor is None:
            return manifest.data
        return self.redactor.text(manifest.data.decode("utf-8", "backslashreplace")).encode()


def _rendered(name: str, about: str, report: Report, style: Style, hidden: tuple[Hidden, ...] | None) -> Part:
    try:
        return Part(name, about, render(report, style, _PAGE, hidden).encode("utf-8", "backslashreplace"))
    except ImportError as error:
        return Part(name, about, missing=f"a Python package is missing: {error.name}")
    except Exception as fault:  # noqa: BLE001 - the other parts are what it takes to find it
        return Part(name, about, missing=f"a fault of vkzircon's own: {type(fault).__name__}: {fault}")


def _file_name(path: str) -> str:
    """Make the last part of a foreign path a name that is one on any system."""
    name = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "_" for c in path.rpartition("/")[2])
    return name[-_LONGEST_NAME:]


def _loader_log(request: Request, watch: Callable[[Event], None]) -> _Log:
    """Create an instance once more, with the loader telling what it does; *watch* hears only that time goes by."""
    if not can_fork():
        # A loader that is loaded reads the variable no more, and a driver that dies would take the bundle along.
        return _Log(missing="a second probe needs a process of its own, and none can be started here")
    try:
        request = with_environment(request)
    except Stop as stopped:
        return _Log(missing=stopped.message.rstrip("."))
    environ = {**request.environ, "VK_LOADER_DEBUG": "all"}
    asked = replace(request, depth=Depth.IDENTITY, environ=environ)
    log = _Log(missing="the loader printed nothing")
    try:
        with closing(pipeline.events(asked)) as stream:
            for event in interrupt.each(stream):
                if event["event"] == "tick":
                    watch(event)
                elif event["event"] == "output" and event["text"]:
                    log = _told(event)
    except NoProcess as alone:
        return _Log(missing=alone.message.rstrip("."))
    except interrupt.Interrupted:
        return _Log(missing="interrupted")
    return log


def _told(output: Event) -> _Log:
    text, in_hex = output["text"], output["text_hex"]
    more = f"\n({output['dropped']} more bytes were not kept)\n" if output["dropped"] else ""
    return _Log(text + more, bytes.fromhex(in_hex) if in_hex else text.encode())


def _environment(report: Report) -> bytes:
    where = report.environment
    told = {variable.name: variable.value for variable in where.variables}
    lines = [
        f"platform: {where.platform}",
        f"system: {where.system} {where.machine}",
        f"Python: {where.python}",
        f"locale's encoding: {locale.getencoding()}",
        f"raised privileges: {'yes' if where.elevated else 'no'}",
        f"isolated: {'yes' if where.isolated else 'no'}",
        "",
        "These variables were looked at, and no others:",
        *(f"{name}={told[name]}" if name in told else f"{name} is not set" for name in REPORTED_VARIABLES),
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
            told = f"{driver.name} {driver.info}" if driver else "driver"
            version = who.driver_version.text or f"{who.driver_version.value:#x}"
            lines.append(f"device {device.index} {who.name}: Vulkan {who.api_version.text}, {told}, version {version}")
    return _lines(lines)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "is not installed"


def _lines(lines: list[str]) -> bytes:
    return "".join(f"{visible(line)}\n" for line in lines).encode()


def _contents(report: Report, parts: tuple[Part, ...], hidden: tuple[Hidden, ...] | None) -> str:
    lines = [f"{report.summary.outcome.upper()}, exit code {report.summary.exit_code}", ""]
    lines += [f"{part.name}: {part.about}" for part in parts if not part.missing]
    if missing := [part for part in parts if part.missing]:
        lines += ["", "Missing:", *(f"{part.name}: {part.about}: {part.missing}" for part in missing)]
    lines += ["", _hidden_words(hidden)]
    return _lines(lines).decode()


def _hidden_words(hidden: tuple[Hidden, ...] | None) -> str:
    if hidden is None:
        return "Nothing was hidden: --no-redact."
    told = ", ".join(f"{each.what} ({each.count} times)" for each in hidden)
    return f"Hidden: {told or 'nothing had to be'}. --no-redact leaves everything in."


def zipped(parts: tuple[Part, ...], started: str) -> bytes:
    """Pack the parts that there are: the same bytes for the same parts and *started*, which is the time of them all."""
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
