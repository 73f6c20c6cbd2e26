# SPDX-License-Identifier: Apache-2.0
"""A plain command line is read without Typer, and means what it means to Typer; all others are Typer's."""

import random
from collections.abc import Sequence

import pytest

from vkzircon_cli.cli import main, plain, probing
from vkzircon_cli.cli.asked import Asked
from vkzircon_cli.errors import Exit, Usage
from vkzircon_cli.model.request import Depth, Formats

COMMANDS = ("", "report", "check", "devices", "doctor", "matrix")
WORDS = (
    "--emulate",
    "--quiet",
    "-q",
    "--verbose",
    "-v",
    "--no-color",
    "--format json",
    "-f terminal",
    "-f html",
    "--format csv",
    "--format trace",
    "--format nope",
    "--format",
    "--formats all",
    "--formats common",
    "--formats none",
    "-o out.json",
    "--output some/where",
    "-o -",
    "--output .",
    "-o --emulate",
    "--device 0",
    "--format=json",
    "-qv",
    "--stress",
    "--",
    "extra",
)


@pytest.fixture(name="by_typer")
def _by_typer(monkeypatch: pytest.MonkeyPatch) -> list[Asked]:
    """Keep what Typer would have carried out."""
    asked: list[Asked] = []

    def keep(what: Asked) -> Exit:
        asked.append(what)
        return Exit.OK

    monkeypatch.setattr(probing, "carry_out", keep)
    return asked


def _typer(by_typer: list[Asked], arguments: Sequence[str]) -> Asked | None:
    by_typer.clear()
    try:
        main.run(arguments)
    except Usage:
        return None
    return by_typer[0]


def test_what_is_plain_means_the_same_to_typer(by_typer: list[Asked]) -> None:
    """A thousand lines of words that are plain and words that are not; a third is read without Typer."""
    dice = random.Random(7)
    read = 0
    for _ in range(1000):
        words = [dice.choice(COMMANDS), *dice.choices(WORDS[: dice.choice((7, len(WORDS)))], k=dice.randrange(4))]
        arguments = " ".join(words).split()
        if (asked := plain.read(arguments)) is not None:
            read += 1
            assert asked == _typer(by_typer, arguments), arguments
    assert read > 300


@pytest.mark.parametrize(
    ("arguments", "depth"),
    [
        ("", Depth.EVERYTHING),
        ("--emulate", Depth.EVERYTHING),
        ("check --emulate --quiet", Depth.EVERYTHING),
        ("report -f json -o out.json", Depth.EVERYTHING),
        ("devices -v", Depth.IDENTITY),
        ("doctor --format json", Depth.IDENTITY),
        ("matrix --formats all --format csv", Depth.MATRIX),
    ],
)
def test_what_is_typed_most_is_plain(arguments: str, depth: Depth) -> None:
    """These are what `tests/bench` measures, and what the README shows first."""
    asked = plain.read(arguments.split())
    assert asked is not None
    assert asked.request.depth is depth
    assert (asked.request.formats is Formats.ALL) == ("all" in arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",),
        ("--version",),
        ("check", "--help"),
        ("bench",),
        ("bundle",),
        ("show", "report.json"),
        ("emulate", "--", "vulkaninfo"),
        ("check", "--require", "device.type=cpu"),
        ("report", "--device", "0"),
        ("report", "--format"),
        ("report", "--output", ""),
        ("report", ""),
        ("matrix", "--formats", "none"),
        ("devices", "--format", "html"),
        ("nope",),
    ],
)
def test_all_else_is_typers(arguments: tuple[str, ...]) -> None:
    """Help, mistakes, and whatever takes a value that has to be understood."""
    assert plain.read(arguments) is None
