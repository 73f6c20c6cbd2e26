# SPDX-License-Identifier: Apache-2.0
"""Reads documents and traces that were saved, and describes them as JSON Schema.

Writing belongs to render/ and output.py.
"""
