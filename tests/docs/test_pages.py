# SPDX-License-Identifier: Apache-2.0
"""What the documentation shows is what the program does. VKZIRCON_UPDATE_GOLDEN=1 writes the shown output anew."""

import os
import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from documentation import PAGES, Block, blocks, run
from wheels import CHECKOUT

_LINK = re.compile(r"\]\((?!\w+:)([^)#\s]*)(?:#([\w-]+))?\)|(?:src|srcset)=\"([^\"]+)\"")
_MOST_README = 8 * 1024


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_its_commands_do_what_it_shows(page: Path, layer: object, tmp_path: Path) -> None:
    """Each command of a page is run, in order, in one folder; its exit code and output are those of the page."""
    assert layer
    (tmp_path / "tests").symlink_to(CHECKOUT / "tests")
    env = {"GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md")}
    text = page.read_text("utf-8")
    for block in reversed([(each, _output(each, tmp_path, env)) for each in blocks(text) if not each.reason]):
        text = _updated(text, *block)
    if os.environ.get("VKZIRCON_UPDATE_GOLDEN"):
        page.write_text(text, "utf-8")


def _output(block: Block, folder: Path, env: Mapping[str, str]) -> str:
    done = run(block, folder, env)
    assert done.returncode == block.code, f"{block.script}\n{done.stdout}"
    return done.stdout


def _updated(text: str, block: Block, printed: str) -> str:
    if block.matches(printed):
        return text
    assert os.environ.get("VKZIRCON_UPDATE_GOLDEN"), f"{block.script}\n{printed}"
    return text[: block.start] + block.with_output(printed) + text[block.end :]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_each_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    """A relative link names a file of the repository and, behind #, a heading in it."""
    for path, anchor, source in _LINK.findall(page.read_text("utf-8")):
        target = page.parent / (path or source) if path or source else page
        assert target.exists(), (page.name, path or source)
        assert not anchor or anchor in _anchors(target), (page.name, path, anchor)


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_readme_is_short() -> None:
    """The README has at most 8 KiB, so that it can be read in a minute or two."""
    assert len((CHECKOUT / "README.md").read_bytes()) <= _MOST_README


def test_every_page_is_named_in_the_readme() -> None:
    """A reader gets from the README to every page."""
    named = {path for path, _, _ in _LINK.findall((CHECKOUT / "README.md").read_text("utf-8"))}
    assert {str(page.relative_to(CHECKOUT)) for page in PAGES} - named <= {"README.md", "CHANGELOG.md"}


def test_each_line_of_the_threat_model_has_its_test() -> None:
    """Every test that SECURITY.md names exists."""
    named = re.findall(r"`(test_\w+)`", (CHECKOUT / "SECURITY.md").read_text("utf-8"))
    tests = "".join(path.read_text("utf-8") for path in (CHECKOUT / "tests").rglob("test_*.py"))
    assert len(named) > 20
    assert [name for name in named if f"def {name}(" not in tests] == []
