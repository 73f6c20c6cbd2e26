# SPDX-License-Identifier: Apache-2.0
"""The verdicts for CI systems: JUnit's XML, with a suite for each device and a case for each check.

No case has a time: one step serves many checks, so that their sum would count it many times.
"""

from collections.abc import Iterable, Iterator, Sequence
from xml.etree import ElementTree as ET

from vkzircon_cli.checks import Outcome
from vkzircon_cli.errors import Exit
from vkzircon_cli.model.queries import by_device, device_name
from vkzircon_cli.model.text import visible
from vkzircon_cli.render.check_results import of_cause, of_result
from vkzircon_cli.render.fields import driver_lines
from vkzircon_cli.report.causes import Cause
from vkzircon_cli.report.report import Report
from vkzircon_cli.report.summary import CheckResult, exit_of

_ELEMENTS = {Exit.OK: "", Exit.FAILED: "failure", Exit.CRASHED: "error"}
_BAD = ("failure", "error")
_ATTRIBUTES = {"failure": "failures", "error": "errors", "skipped": "skipped"}


def render_junit(report: Report) -> str:
    """Write the verdicts of *report*: a case fails if and only if the exit code is not 0.

    What no check shows (an error, or exit code 3 if extension.listed was not selected) is a case of its own.
    """
    suites, causes = [], by_device(report.causes)
    for device, results in report.of_devices():
        identity, of = device.identity.value, causes.get(device.index, [])
        about = {"driver": next(driver_lines(identity)), "vulkan": identity.api_version.text} if identity else {}
        name = f"device {device.index}: {device_name(device)}"
        suites.append(_suite(report, name, about, [_case(report, each, device_name(device), of) for each in results]))
    is_red = any(case.find(kind) is not None for suite in suites for case in suite for kind in _BAD)
    if report.error or not suites or (report.exit_code is not Exit.OK and not is_red):
        suites.insert(0, _error_suite(report))
    root = ET.Element("testsuites", name="vkzircon")
    root.extend(suites)
    _count(root, root.iter("testcase"))
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _error_suite(report: Report) -> ET.Element:
    """Return a suite for what the suites of the devices do not show."""
    case = _element("testcase", classname="vkzircon", name="can be asked")
    if error := report.error:
        told = _element("error", type=error.cause, message=error.message)
        told.text = visible(error.hint)
    else:
        kind = "skipped" if report.exit_code is Exit.OK else "failure"
        told = _element(kind, type=report.summary.outcome, message=report.summary.sentence)
    case.append(told)
    return _suite(report, "vkzircon", {"vkzircon": report.tool.version}, [case])


def _suite(report: Report, name: str, about: dict[str, str], cases: list[ET.Element]) -> ET.Element:
    """Return a suite; its name says that a run was emulated, since few CI systems show properties."""
    if report.emulation.active:
        name += " (EMULATED RUN)"
        about = about | {"emulated": "yes", "emulation": report.emulation.settings}
    else:
        about = about | {"emulated": "no"}
    suite = _element("testsuite", name=name, timestamp=report.run.started.removesuffix("Z"))
    properties = ET.SubElement(suite, "properties")
    properties.extend(_element("property", name=each, value=value) for each, value in about.items())
    suite.extend(cases)
    _count(suite, cases)
    return suite


def _count(element: ET.Element, cases: Iterable[ET.Element]) -> None:
    cases = list(cases)
    element.set("tests", str(len(cases)))
    for kind, attribute in _ATTRIBUTES.items():
        element.set(attribute, str(sum(case.find(kind) is not None for case in cases)))


def _case(report: Report, result: CheckResult, device: str, causes: Sequence[Cause]) -> ET.Element:
    """Return the case of a check; *causes* are those of its device.

    Its class has the device's index, because some CI systems drop equal names.
    """
    group = result.id.partition(".")[0] if " " not in result.id else "require"
    case = _element("testcase", classname=f"vkzircon.device{result.device}.{group}", name=result.id)
    kind = _kind(report, result)
    if kind == "skipped":
        case.append(_element(kind, message=result.sentence))
    elif kind:
        told = _element(kind, type=result.outcome, message=f"{device}: {result.sentence}")
        told.text = "\n".join(map(visible, _lines(result, causes)))
        case.append(told)
    elif result.outcome is not Outcome.PASS:
        ET.SubElement(case, "system-out").text = visible(f"{result.outcome}: {result.sentence}")
    return case


def _kind(report: Report, result: CheckResult) -> str:
    """Return the element of a result, '' for a success."""
    if report.exit_code is Exit.NOT_OFFERED and result.id == "extension.listed":
        return "failure"
    if result.outcome is Outcome.SKIP:
        return "skipped"
    return _ELEMENTS[exit_of(result)]


def _lines(result: CheckResult, causes: Sequence[Cause]) -> Iterator[str]:
    """Yield what happened: a cause with its advice, and the checks that it follows from."""
    yield result.sentence
    own = next((cause for cause in causes if cause.check == result.id), None)
    others = [cause.check for cause in causes if result.id in cause.follows and cause is not own]
    if own or not others:
        yield from (f"{name}: {words}" for name, words in (of_cause(own) if own else of_result(result)).details)
    yield from (f"follows from: {check}" for check in others)
    yield from (f"step: {step}" for step in result.steps)


def _element(tag: str, **attributes: str) -> ET.Element:
    """Return an element with visible text: XML 1.0 cannot hold most control characters."""
    return ET.Element(tag, {name: visible(str(value)) for name, value in attributes.items()})
