# SPDX-License-Identifier: Apache-2.0
"""Checks: pure functions over facts, one module per group of ids. Importing this registers every check.

Nothing here queries a machine, prints, or summarizes a run; `probe`, `render` and `report` do that.
"""

from vkzircon_cli.checks import capabilities, data, device, export, extension, imports, negative, properties, stress  # noqa: F401 - each registers its checks
from vkzircon_cli.checks.registry import REGISTRY, SEVERITY, Check, Outcome, Verdict, forgives_death, in_order

__all__ = ["REGISTRY", "SEVERITY", "Check", "Outcome", "Verdict", "forgives_death", "in_order"]
