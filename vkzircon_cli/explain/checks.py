# SPDX-License-Identifier: Apache-2.0
"""Explanations of checks: all of it stands in their registry."""

from collections.abc import Iterator

from vkzircon_cli.checks import in_order
from vkzircon_cli.explain.entry import Explanation, Group


def explained_checks() -> Iterator[Explanation]:
    """Explain every registered check, in the order of reports."""
    for check in in_order():
        yield Explanation(check.id, Group.CHECK, check.meaning, check.causes, check.advice, rule=check.rule)
