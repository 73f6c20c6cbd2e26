# SPDX-License-Identifier: Apache-2.0
"""What words in a report mean: data, one module per subject, and the lookup of a word.

Nothing here asks a machine or judges it; how an explanation looks is up to `render`.
"""

from vkzircon_cli.explain.entries import Explanation, Group
from vkzircon_cli.explain.lookup import Explained, WordGroup, explain, explained, word_groups, words

__all__ = ["Explained", "Explanation", "Group", "WordGroup", "explain", "explained", "word_groups", "words"]
