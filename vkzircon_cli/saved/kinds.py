# SPDX-License-Identifier: Apache-2.0
"""The documents that have a schema, and the dataclass that each is written from."""

from enum import StrEnum


class DocumentKind(StrEnum):
    """A document by its name on the command line."""

    REPORT = "report"
    MATRIX = "matrix"
    DIFF = "diff"
    DOCTOR = "doctor"
    BENCH = "bench"


def shape_of(kind: DocumentKind) -> type:
    """Give the dataclass of a document."""
    if kind is DocumentKind.MATRIX:
        from vkzircon_cli.report.matrix import MatrixReport

        return MatrixReport
    if kind is DocumentKind.BENCH:
        from vkzircon_cli.report.bench import BenchReport

        return BenchReport
    if kind is DocumentKind.DIFF:
        from vkzircon_cli.diff import Difference

        return Difference
    if kind is DocumentKind.DOCTOR:
        from vkzircon_cli.doctor.diagnosis import Diagnosis

        return Diagnosis
    from vkzircon_cli.report.report import Report

    return Report
