# SPDX-License-Identifier: Apache-2.0
"""What the facts come to: verdicts, summary, conditions, redaction.

Pure functions over facts: no file, no process, no text layout.
"""
