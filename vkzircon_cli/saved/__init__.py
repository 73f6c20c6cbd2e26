# SPDX-License-Identifier: Apache-2.0
"""Reads saved documents and traces, and describes all kinds of documents as JSON Schema.

Writing belongs to render/ and output.py.
"""
