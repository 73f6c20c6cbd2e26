# SPDX-License-Identifier: Apache-2.0
"""Explanations of the words in a report: data, one file per subject, and the lookup of a word.

Nothing here queries a machine or judges it; `render` decides how an explanation looks.
"""

from vkzircon_cli.explain.entries import Explanation, Group
from vkzircon_cli.explain.lookup import Explained, WordGroup, explain, explained, word_groups, words

__all__ = ["Explained", "Explanation", "Group", "WordGroup", "explain", "explained", "word_groups", "words"]
