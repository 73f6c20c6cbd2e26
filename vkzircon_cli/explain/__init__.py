# SPDX-License-Identifier: Apache-2.0
"""What words in a report mean: data, one module a subject, and how a word is looked up. Nothing here asks a machine."""

from vkzircon_cli.explain.entry import Explanation, Group
from vkzircon_cli.explain.lookup import WordGroup, explain, word_groups, words

__all__ = ["Explanation", "Group", "WordGroup", "explain", "word_groups", "words"]
