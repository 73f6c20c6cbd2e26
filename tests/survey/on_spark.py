# SPDX-License-Identifier: Apache-2.0
"""Asks each question on DuckDB and on Spark with two local workers: the rows must be the same.

A program of its own, because PySpark is not in the environment of the other tests; .ci/spark runs it.
"""

import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import many_reports

from vkzircon_cli.errors import Usage
from vkzircon_cli.survey.answer import plain, survey
from vkzircon_cli.survey.questions import Asked
from vkzircon_cli.survey.spark import session

_REPORTS = 60
_QUESTIONS = (
    Asked(by=("driver.name", "driver.version")),
    Asked(
        by=("memory.types",), where=("vmo.rights>=READ|WRITE", "export.handle-is-vmo", "device.name!=it's \\'a\\' name")
    ),
    Asked(since="2026-02-15", until="2026-03-31"),
    Asked(baseline="extension.listed", where=("device.version>=1.1",)),
    Asked(outliers=True),
    Asked(sql="SELECT month, COUNT(*) AS reports, MAX(duration_ms) AS ms FROM reports GROUP BY month ORDER BY month"),
)


def main() -> int:
    """Return 1 if an answer differs."""
    plan = many_reports.plan(_REPORTS, seed=3)
    plan += [many_reports.Made(5 * number, "2026-05-01T00:00:00Z", "9.0", ()) for number in range(3)]
    plan += [many_reports.Made(15, "2026-05-01T00:00:00Z", "9.0", ("extension.listed",))]
    with tempfile.TemporaryDirectory() as folder:
        tables = Path(folder) / "tables"
        many_reports.write(Path(folder) / "reports", plan)
        expected = [
            survey([f"{folder}/reports"], Asked(), tables),
            *(survey([str(tables)], asked) for asked in _QUESTIONS),
        ]
        whole = survey([str(tables)], Asked(), on="spark=local[2]")
        differs: list[object] = (
            [] if (whole.rows, whole.sentence) == (expected[0].rows, expected[0].sentence) else [whole]
        )
        with session("local[2]", tables) as run:
            for asked, found in zip(_QUESTIONS, expected[1:], strict=True):
                columns, rows = run(asked.query)
                same = (
                    tuple(tuple(map(plain, row)) for row in rows) == found.rows
                    and tuple(columns) == found.columns
                    and rows
                )
                sys.stdout.write(f"{'same' if same else 'DIFFERS'}: {len(rows)} rows of {asked}\n")
                differs += [] if same else [asked]
            with suppress(Usage):
                differs += [run("SELECT nothing FROM devices")]
    return 1 if differs else 0


if __name__ == "__main__":
    sys.exit(main())
