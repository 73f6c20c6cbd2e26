# SPDX-License-Identifier: Apache-2.0
"""One function for each command of the table. Each imports its modules when it runs: pydantic alone takes 60 ms.

A command that queries the driver sends its request first, and then imports the modules that read the answers.
"""

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from vkzircon_cli.cli.command_table import Command
from vkzircon_cli.errors import CannotAsk, Exit, Usage
from vkzircon_cli.model.request import Depth, Emulate, FailOn, Judging, Request
from vkzircon_cli.model.text import with_article
from vkzircon_cli.output import write
from vkzircon_cli.worker import interrupt, process, worker

# Options that have another name as a field of the request.
_RENAMED = {"timeout": "timeout_s", "largest": "size"}


def probe(command: Command, given: Mapping[str, Any]) -> Exit:
    """Run a probe of the depth of *command*, and write the result."""
    request = _begin(command, given)
    from vkzircon_cli.cli.run import carry_out

    return carry_out(command, request, given)


def doctor(command: Command, given: Mapping[str, Any]) -> Exit:
    """Examine everything between this process and the extension, and write the diagnosis."""
    request = _begin(command, given)
    if request.agent is not None:
        from vkzircon_cli.cli.run import examine

        return examine(command, request, None, given)
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

    The worker starts the probe while `run` is imported, which takes 36 ms.
    """
    request = request_of(command, given)
    if request.agent is not None:  # the device's variables are not known yet
        return request
    from vkzircon_cli.emulation.installation import with_environment  # 2 ms, which --help does not need

    try:
        request = with_environment(request)
    except CannotAsk:
        return request  # the document has the reason
    worker.send_early(request)
    process.adopt_orphans()  # 3 ms, in which the worker loads no library yet
    return request


def request_of(command: Command, given: Mapping[str, Any]) -> Request:
    """Return the request for the options *given*.

    Raises:
        Usage: the options exclude each other.
    """
    named = {_RENAMED.get(option, option): value for option, value in given.items() if option != "emulate"}
    return Request(
        Depth(command.depth or ""),
        emulate=_emulation(given),
        judging=_judging(given),
        redacts=not given.get("no_redact"),
        **{field.name: named[field.name] for field in fields(Request) if field.name in named},
    )


def _judging(given: Mapping[str, Any]) -> Judging:
    judging = Judging(*(tuple(given.get(name) or ()) for name in ("require", "select", "ignore")))
    if judging.select or judging.ignore:
        from vkzircon_cli.report.conditions import refuse_empty_choice

        refuse_empty_choice(judging, [f"--{name}" for name in ("stress", "negative") if given.get(name)])
    return judging


def _emulation(given: Mapping[str, Any]) -> Emulate | None:
    if not given["emulate"] and (given["persona"] or given["fault"]):
        raise Usage("--persona and --fault belong to the emulation, which is off.", "Add --emulate.")
    return Emulate(given["persona"], tuple(given["fault"] or ())) if given["emulate"] else None


def agent(_: Command, given: Mapping[str, Any]) -> Exit:
    """Write the agent's source, or compile it for this machine."""
    if (given["source"] is None) == (given["build"] is None):
        raise Usage("vkzircon agent needs either --source DIR or --build FILE.", "See: vkzircon agent --help")
    from vkzircon_cli.emulation.agent_files import build, write_source

    if given["build"] is not None:
        build(given["build"])
    else:
        write(", ".join(path.name for path in write_source(given["source"])) + "\n", None)
    return Exit.OK


def show(command: Command, given: Mapping[str, Any]) -> Exit:
    """Render a saved document or trace, with the keys, and so with the version, that such a document has today."""
    from vkzircon_cli.cli.run import deliver, looks_of
    from vkzircon_cli.render import RENDERERS
    from vkzircon_cli.saved.load import read
    from vkzircon_cli.stream.document import SCHEMA_VERSION

    document = interrupt.endable(lambda: read(given["file"]))
    interrupt.keep_result()
    if given["format"] not in RENDERERS[document.kind]:
        formats = f"Formats: {', '.join(RENDERERS[document.kind])}."
        raise Usage(f"{with_article(document.kind).capitalize()} cannot be shown as {given['format']}.", formats)
    return deliver(replace(document, schema_version=SCHEMA_VERSION), *looks_of(command, given))


def diff(command: Command, given: Mapping[str, Any]) -> Exit:
    """Compare two saved reports, matrices or benches."""
    from vkzircon_cli.cli.run import looks_of, write_document
    from vkzircon_cli.diff import compare
    from vkzircon_cli.saved.load import read

    found = interrupt.endable(lambda: compare(read(given["before"]), read(given["after"])))
    interrupt.keep_result()
    write_document(found, *looks_of(command, given))
    fails = found.is_worse if given["fail_on"] is FailOn.WORSE else found.differs
    return Exit.FAILED if fails else Exit.OK


def survey(command: Command, given: Mapping[str, Any]) -> Exit:
    """Ask one question of many saved reports."""
    from vkzircon_cli.survey.questions import Asked

    named = {name: given[name] for name in Asked.__dataclass_fields__}
    asked = Asked(**named | {name: tuple(given[name] or ()) for name in ("by", "where")})
    if given["print_sql"]:
        write(asked.query.rstrip() + "\n", given["output"])
        return Exit.OK
    if not given["paths"]:
        raise Usage("vkzircon survey needs a folder or files.", "As in: vkzircon survey reports/")
    from vkzircon_cli.cli.run import looks_of, write_document
    from vkzircon_cli.survey.answer import survey as answer

    found = interrupt.endable(lambda: answer(given["paths"], asked, given["export"], given["engine"]))
    write_document(found, *looks_of(command, given))
    return Exit.OK


def explain(command: Command, given: Mapping[str, Any]) -> Exit:
    """Explain one word, or list the words."""
    from vkzircon_cli.cli.run import looks_of, write_document
    from vkzircon_cli.explain import explained

    write_document(explained(given["word"]), *looks_of(command, given))
    return Exit.OK


def schema(_: Command, given: Mapping[str, Any]) -> Exit:
    """Print the JSON Schema of a document."""
    from vkzircon_cli.render.json import render_json
    from vkzircon_cli.saved.kinds import SHAPES
    from vkzircon_cli.saved.schema import schema_of
    from vkzircon_cli.stream.document import SCHEMA_VERSION

    title = f"vkzircon {given['document']}, schema version {SCHEMA_VERSION}"
    write(render_json(schema_of(SHAPES[given["document"]], title)), given["output"], as_utf8=True)
    return Exit.OK


def emulate(command: Command, given: Mapping[str, Any]) -> Exit:
    """Run a program with the emulation on, print the variables or flags that turn it on, or list what it can do."""
    from vkzircon_cli.emulation import launch

    program, cflags, libs = given["command"] or (), given["cflags"], given["libs"]
    launch.refuse_mixture(
        program, print_env=given["print_env"], shell=given["shell"], builds=cflags or libs, lists=given["list"]
    )
    if not given["list"] and (given["output"] or given["format"] != command.formats.split()[0]):
        raise Usage("--format and --output need --list.", "Add --list, or leave them out.")
    asked = Emulate(given["persona"], tuple(given["fault"] or ()))
    if program:
        launch.become(program, asked, interrupt.release)
    if given["list"]:
        from vkzircon_cli.cli.run import looks_of, write_document

        write_document(launch.listing(), *looks_of(command, given))
        return Exit.OK
    if given["print_env"]:
        text = launch.assignments(asked, given["shell"])
    else:
        text = launch.build_flags(cflags=cflags, libs=libs)
    write(text, None)
    return Exit.OK
