# SPDX-License-Identifier: Apache-2.0
"""The tables of docs/reference.md match the program. VKZIRCON_UPDATE_GOLDEN=1 writes the generated tables."""

import os
import re
from pathlib import Path

import pytest
from tables import checks, commands, facts, formats, man_page, options, tables

from vkzircon_cli.errors import Exit

REFERENCE = Path(__file__).parents[2] / "docs" / "reference.md"


TABLES = {
    "checks": checks,
    "facts": facts,
    "commands": commands,
    "options": options,
    "formats": formats,
    "tables": tables,
}


@pytest.mark.parametrize("name", TABLES)
def test_a_generated_table_is_fresh(name: str) -> None:
    """docs/reference.md lists every check, fact, command, option and format as the code does."""
    begin, end = f"<!-- {name}: generated, see tests/docs -->", f"<!-- /{name} -->"
    text = REFERENCE.read_text()
    wanted = "\n".join([begin, *TABLES[name](), end])
    if os.environ.get("VKZIRCON_UPDATE_GOLDEN"):
        text = re.sub(f"{re.escape(begin)}.*{re.escape(end)}", lambda _: wanted, text, flags=re.DOTALL)
        REFERENCE.write_text(text)
    assert wanted in text


def test_the_man_page_is_fresh() -> None:
    """docs/vkzircon.1 is made from the help of the program."""
    page = REFERENCE.with_name("vkzircon.1")
    wanted = "\n".join([*man_page(), ""])
    if os.environ.get("VKZIRCON_UPDATE_GOLDEN"):
        page.write_text(wanted)
    assert page.read_text() == wanted


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
