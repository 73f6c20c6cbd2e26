# SPDX-License-Identifier: Apache-2.0
"""The same questions on Apache Spark: exported tables as views, and the same SQL."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vkzircon_cli.errors import CannotAsk, missing_package
from vkzircon_cli.survey.questions import refused
from vkzircon_cli.survey.tables import TABLES, TEXT, ddl

# A month is text, and nothing but errors is printed.
_SETTINGS = {
    "spark.sql.sources.partitionColumnTypeInference.enabled": "false",
    "spark.sql.shuffle.partitions": "4",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.log.level": "ERROR",
}


@contextmanager
def session(master: str, folder: Path) -> Iterator[Callable[[str], tuple[Sequence[str], list[tuple[Any, ...]]]]]:
    """Yield a function that runs a query over the tables in *folder* on the Spark of *master*.

    Raises:
        CannotAsk: PySpark is not installed, or Spark cannot be reached.
    """
    try:
        from pyspark.errors import PySparkException
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise missing_package(error, "This engine needs PySpark, which cannot be imported", "pyspark") from error
    logging.getLogger("SQLQueryContextLogger").disabled = True  # errors are told once, without Java's stack
    builder = SparkSession.builder.appName("vkzircon survey").master(master)
    for name, value in _SETTINGS.items():
        builder = builder.config(name, value)
    try:
        spark = builder.getOrCreate()
    except Exception as error:  # of Java's many
        said = " ".join(str(error).split())[:200]
        problem = f"Spark could not be started with the master {master}: {said}."
        raise CannotAsk("no-spark", problem, "Spark needs Java 17 or later, and a master such as local[2].") from error

    def run(sql: str) -> tuple[Sequence[str], list[tuple[Any, ...]]]:
        try:
            done = spark.sql(sql)
            return done.columns, [tuple(row) for row in done.collect()]
        except PySparkException as error:
            raise refused(error) from error

    try:
        for name in TABLES:
            schema = f"{ddl(name)}, month {TEXT}".replace(TEXT, "STRING")
            place = folder / name
            table = (
                spark.read.schema(schema).parquet(str(place)) if place.is_dir() else spark.createDataFrame([], schema)
            )
            table.createOrReplaceTempView(name)
        yield run
    finally:
        spark.stop()
