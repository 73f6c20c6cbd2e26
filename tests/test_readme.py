# SPDX-License-Identifier: Apache-2.0
"""The README's tables are what the program is today. VKZIRCON_UPDATE_GOLDEN=1 writes the generated one anew."""

import os
import re
from pathlib import Path

import pytest

from vkzircon_cli.checks import in_order
from vkzircon_cli.errors import Exit

README = Path(__file__).parents[1] / "README.md"
BEGIN, END = "<!-- checks: generated, see tests/test_readme.py -->", "<!-- /checks -->"


def _table() -> str:
    rows = [f"| `{check.id}` | {check.meaning} | {check.rule} |" for check in in_order()]
    return "\n".join(["| check | holds when | rests on |", "|---|---|---|", *rows])


def test_the_table_of_checks_is_fresh() -> None:
    """Every registered check stands in the README with its meaning and its rule."""
    text = README.read_text()
    wanted = f"{BEGIN}\n{_table()}\n{END}"
    if os.environ.get("VKZIRCON_UPDATE_GOLDEN"):
        text = re.sub(f"{re.escape(BEGIN)}.*{re.escape(END)}", lambda _: wanted, text, flags=re.DOTALL)
        README.write_text(text)
    assert wanted in text


@pytest.mark.parametrize("code", list(Exit))
def test_every_exit_code_is_in_the_readme(code: Exit) -> None:
    """Scripts are written from that table."""
    assert re.search(rf"^\| (?:\d+, )?{int(code)}(?:, \d+)? \|", README.read_text(), re.MULTILINE)


def test_every_variable_of_ours_is_in_the_readme() -> None:
    """A variable that the code reads is one that a reader can find."""
    sources = Path(__file__).parents[1] / "vkzircon_cli"
    found = {name for path in sources.rglob("*.py") for name in re.findall(r"VKZIRCON_[A-Z_]+", path.read_text())}
    documented = set(re.findall(r"VKZIRCON_[A-Z_]+", README.read_text()))
    assert found - documented - {"VKZIRCON_COMPLETE"} == set()
