# SPDX-License-Identifier: Apache-2.0
"""The commands that ask no driver. Each imports what it needs when it runs: pydantic alone takes 60 ms."""

from collections.abc import Mapping
from typing import Any

from vkzircon_cli.cli.command_table import Command
from vkzircon_cli.errors import Exit
from vkzircon_cli.model.request import Emulate
from vkzircon_cli.output import write


def show(command: Command, given: Mapping[str, Any]) -> Exit:
    """Render a saved report or trace."""
    from vkzircon_cli.cli.run import deliver, looks_of
    from vkzircon_cli.saved.load import read
    from vkzircon_cli.worker import interrupt

    return deliver(interrupt.endable(lambda: read(given["file"])), *looks_of(command, given))


def diff(command: Command, given: Mapping[str, Any]) -> Exit:
    """Compare two saved reports."""
    from vkzircon_cli.cli.run import looks_of, write_document
    from vkzircon_cli.diff import compare
    from vkzircon_cli.saved.load import read
    from vkzircon_cli.worker import interrupt

    found = interrupt.endable(lambda: compare(read(given["before"]), read(given["after"])))
    write_document(found, *looks_of(command, given))
    return Exit.FAILED if found.differs else Exit.OK


def explain(command: Command, given: Mapping[str, Any]) -> Exit:
    """Explain one word, or list the words."""
    from vkzircon_cli.cli.run import looks_of, write_document
    from vkzircon_cli.explain import explained

    write_document(explained(given["word"]), *looks_of(command, given))
    return Exit.OK


def schema(_: Command, given: Mapping[str, Any]) -> Exit:
    """Print the JSON Schema of a document."""
    from vkzircon_cli.render.json import to_json
    from vkzircon_cli.saved.kinds import SHAPES
    from vkzircon_cli.saved.schema import schema_of
    from vkzircon_cli.stream.document import SCHEMA_VERSION

    title = f"vkzircon {given['document']}, schema version {SCHEMA_VERSION}"
    write(to_json(schema_of(SHAPES[given["document"]], title)), given["output"], as_utf8=True)
    return Exit.OK


def emulate(_: Command, given: Mapping[str, Any]) -> Exit:
    """Run a program with the emulation on, or print what that takes."""
    from vkzircon_cli.emulation import launch

    program, cflags, libs = given["command"] or (), given["cflags"], given["libs"]
    launch.refuse_mixture(
        program, print_env=given["print_env"], shell=given["shell"], builds=cflags or libs, lists=given["list"]
    )
    asked = Emulate(given["persona"], tuple(given["fault"] or ()))
    if program:
        from vkzircon_cli.worker import interrupt

        launch.become(program, asked, interrupt.release)
    if given["list"]:
        text = launch.listing()
    elif given["print_env"]:
        text = launch.assignments(asked, given["shell"])
    else:
        text = launch.build_flags(cflags=cflags, libs=libs)
    write(text, None)
    return Exit.OK
