# SPDX-License-Identifier: Apache-2.0
"""Comparison of two reports, matrices or benches, as data.

Here: which devices belong together, which verdicts, facts and times differ, and the words for values.

Not here: reading the reports (saved) and writing the comparison (render). No file, no machine and no clock is read.
"""

from vkzircon_cli.diff.compare import compare
from vkzircon_cli.diff.model import Area, ChangeKind, Difference, FactChange, Said, Side, Timings, VerdictChange

__all__ = ["Area", "ChangeKind", "Difference", "FactChange", "Said", "Side", "Timings", "VerdictChange", "compare"]
