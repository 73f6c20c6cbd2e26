# SPDX-License-Identifier: Apache-2.0
"""The answer to a question about many reports, for renderers and, as JSON, for programs."""

from dataclasses import KW_ONLY
from enum import StrEnum
from typing import Literal

from vkzircon_cli.model.base import record

SURVEY_SCHEMA_VERSION = "1.0"
SqlValue = str | int | float | bool | None


class Question(StrEnum):
    """What is asked: one of three questions, or a query of the user's own."""

    COVERAGE = "coverage"
    CHANGES = "changes"
    OUTLIERS = "outliers"
    SQL = "sql"


@record
class LeftOut:
    """A file that does not count, and why."""

    file: str
    reason: str


@record
class Sources:
    """The files that were looked at.

    *read* counts those that the engine read itself, *converted* the traces, bundles, compressed and odd files that were
    read as `show` reads them, *known* those whose rows are in exported tables already. *duplicates* are other copies
    of a run that counts, *unreadable* are not reports. Each file is in exactly one of the five.
    """

    files: int
    read: int
    converted: int
    known: int
    duplicates: tuple[LeftOut, ...]
    unreadable: tuple[LeftOut, ...]


@record
class Survey:
    """The rows that answer a question, below the names of their *columns*, and one *sentence* that sums them up.

    *reports* and *devices* count what the question chose. A whole number above 2^53 - 1 is a string.
    """

    _: KW_ONLY
    schema_version: str = SURVEY_SCHEMA_VERSION
    kind: Literal["survey"] = "survey"
    question: Question
    sentence: str
    reports: int
    devices: int
    sources: Sources
    sql: str
    columns: tuple[str, ...]
    rows: tuple[tuple[SqlValue, ...], ...]
