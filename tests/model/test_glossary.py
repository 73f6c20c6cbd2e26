# SPDX-License-Identifier: Apache-2.0
"""Each paragraph of a glossary becomes the text of one word."""

from pathlib import Path

import pytest

from vkzircon_cli.model.glossary import Text, read_glossary

GLOSSARY = """\
# A comment.
SHARED = Both have
  this.

first
It means something
  on two lines.
- {SHARED}
- It broke.
> Mend it.

second.word
It means something else.
> {SHARED} Look again.
"""


def test_a_word_has_its_meaning_its_causes_and_its_advice(tmp_path: Path) -> None:
    """Lines are continued by two spaces, and a name in braces is its sentence."""
    (tmp_path / "words.txt").write_text(GLOSSARY)
    assert read_glossary(tmp_path / "words.txt") == {
        "first": Text("It means something on two lines.", ("Both have this.", "It broke."), "Mend it."),
        "second.word": Text("It means something else.", (), "Both have this. Look again."),
    }


def test_a_name_without_a_sentence_is_refused(tmp_path: Path) -> None:
    """A typo in braces never reaches a reader."""
    (tmp_path / "words.txt").write_text(GLOSSARY.replace("{SHARED} Look", "{SHRED} Look"))
    with pytest.raises(KeyError, match="SHRED"):
        read_glossary(tmp_path / "words.txt")
