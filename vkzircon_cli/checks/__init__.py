# SPDX-License-Identifier: Apache-2.0
"""Judges facts: one module a subject, same names as in `probe`. Importing this registers every check."""

from vkzircon_cli.checks import (
    capabilities,
    data,
    device,
    export,
    extension,
    imports,
    negative,
    properties,
    sharing,
    stress,
)
from vkzircon_cli.checks.registry import REGISTRY, SEVERITY, Check, Outcome, Verdict, forgives_death, in_order

__all__ = [
    "REGISTRY",
    "SEVERITY",
    "Check",
    "Outcome",
    "Verdict",
    "capabilities",
    "data",
    "device",
    "export",
    "extension",
    "forgives_death",
    "imports",
    "in_order",
    "negative",
    "properties",
    "sharing",
    "stress",
]
