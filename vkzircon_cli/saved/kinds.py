# SPDX-License-Identifier: Apache-2.0
"""The registry of documents that have a schema, with the dataclass of each kind."""

from typing import Any

from vkzircon_cli.diff import Difference
from vkzircon_cli.doctor.diagnosis import Diagnosis
from vkzircon_cli.model.request import DocumentKind
from vkzircon_cli.model.survey import Survey
from vkzircon_cli.report.bench import BenchReport
from vkzircon_cli.report.matrix import MatrixReport
from vkzircon_cli.report.report import Report

SHAPES: dict[DocumentKind, type[Any]] = {
    DocumentKind.REPORT: Report,
    DocumentKind.MATRIX: MatrixReport,
    DocumentKind.DIFF: Difference,
    DocumentKind.DOCTOR: Diagnosis,
    DocumentKind.BENCH: BenchReport,
    DocumentKind.SURVEY: Survey,
}
