# SPDX-License-Identifier: Apache-2.0
"""The results derived from the facts: verdicts, summary, conditions, and redaction.

Pure functions over facts: no file, no process, no text layout.
"""
