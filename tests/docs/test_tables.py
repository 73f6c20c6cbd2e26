# SPDX-License-Identifier: Apache-2.0
"""The tables of docs/reference.md match the program. VKZIRCON_UPDATE_GOLDEN=1 writes the generated tables."""

import os
import re
from pathlib import Path

import pytest

from vkzircon_cli.checks import in_order
from vkzircon_cli.errors import Exit
from vkzircon_cli.report.conditions import FACTS, Kind, NamedFact

REFERENCE = Path(__file__).parents[2] / "docs" / "reference.md"


def _checks() -> list[str]:
    rows = [f"| `{check.id}` | {check.text.meaning} | {check.rule} |" for check in in_order()]
    return ["| check | holds when | rests on |", "|---|---|---|", *rows]


def _facts() -> list[str]:
    rows = [f"| `{fact.name}` | {_kind(fact)} | {fact.meaning} |" for fact in FACTS.values()]
    return ["| fact | is a | what it is |", "|---|---|---|", *rows]


def _kind(fact: NamedFact) -> str:
    return f"{fact.kind}: {', '.join(fact.words)}" if fact.words and fact.kind is Kind.WORD else fact.kind


@pytest.mark.parametrize(("name", "lines"), [("checks", _checks()), ("facts", _facts())])
def test_a_generated_table_is_fresh(name: str, lines: list[str]) -> None:
    """docs/reference.md lists every registered check, and every fact that can be required, as the code does."""
    begin, end = f"<!-- {name}: generated, see tests/docs -->", f"<!-- /{name} -->"
    text = REFERENCE.read_text()
    wanted = "\n".join([begin, *lines, end])
    if os.environ.get("VKZIRCON_UPDATE_GOLDEN"):
        text = re.sub(f"{re.escape(begin)}.*{re.escape(end)}", lambda _: wanted, text, flags=re.DOTALL)
        REFERENCE.write_text(text)
    assert wanted in text


def test_every_exit_code_is_in_the_reference() -> None:
    """The reference has every exit code, since scripts depend on them."""
    rows = re.findall(r"^\| ([\d, ]+) \|", REFERENCE.read_text(), re.MULTILINE)
    assert {int(code) for row in rows for code in row.split(", ")} >= set(map(int, Exit))


def test_every_variable_of_ours_is_in_the_reference() -> None:
    """The reference documents each variable that the code reads."""
    sources = Path(__file__).parents[2] / "vkzircon_cli"
    found = {name for path in sources.rglob("*.py") for name in re.findall(r"VKZIRCON_[A-Z_]+", path.read_text())}
    documented = set(re.findall(r"VKZIRCON_[A-Z_]+", REFERENCE.read_text()))
    assert found - documented - {"VKZIRCON_COMPLETE"} == set()
