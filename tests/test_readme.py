# SPDX-License-Identifier: Apache-2.0
"""The README's tables are what the program is today. VKZIRCON_UPDATE_GOLDEN=1 writes the generated one anew."""

import os
import re
from pathlib import Path

import pytest

from vkzircon_cli.checks import in_order
from vkzircon_cli.errors import Exit
from vkzircon_cli.report.requirable import FACTS, Kind, NamedFact

README = Path(__file__).parents[1] / "README.md"


def _checks() -> list[str]:
    rows = [f"| `{check.id}` | {check.meaning} | {check.rule} |" for check in in_order()]
    return ["| check | holds when | rests on |", "|---|---|---|", *rows]


def _facts() -> list[str]:
    rows = [f"| `{fact.name}` | {_kind(fact)} | {fact.meaning} |" for fact in FACTS.values()]
    return ["| fact | is a | what it is |", "|---|---|---|", *rows]


def _kind(fact: NamedFact) -> str:
    return f"{fact.kind}: {', '.join(fact.words)}" if fact.words and fact.kind is Kind.WORD else fact.kind


@pytest.mark.parametrize(("name", "lines"), [("checks", _checks()), ("facts", _facts())])
def test_a_generated_table_is_fresh(name: str, lines: list[str]) -> None:
    """Every registered check, and every fact that can be required, stands in the README as the code has it."""
    begin, end = f"<!-- {name}: generated, see tests/test_readme.py -->", f"<!-- /{name} -->"
    text = README.read_text()
    wanted = "\n".join([begin, *lines, end])
    if os.environ.get("VKZIRCON_UPDATE_GOLDEN"):
        text = re.sub(f"{re.escape(begin)}.*{re.escape(end)}", lambda _: wanted, text, flags=re.DOTALL)
        README.write_text(text)
    assert wanted in text


@pytest.mark.parametrize("code", list(Exit))
def test_every_exit_code_is_in_the_readme(code: Exit) -> None:
    """Scripts are written from that table."""
    assert re.search(rf"^\| (?:\d+, )*{int(code)}(?:, \d+)* \|", README.read_text(), re.MULTILINE)


def test_every_variable_of_ours_is_in_the_readme() -> None:
    """A variable that the code reads is one that a reader can find."""
    sources = Path(__file__).parents[1] / "vkzircon_cli"
    found = {name for path in sources.rglob("*.py") for name in re.findall(r"VKZIRCON_[A-Z_]+", path.read_text())}
    documented = set(re.findall(r"VKZIRCON_[A-Z_]+", README.read_text()))
    assert found - documented - {"VKZIRCON_COMPLETE"} == set()
