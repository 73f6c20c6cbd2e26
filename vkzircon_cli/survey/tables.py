# SPDX-License-Identifier: Apache-2.0
"""The tables that questions are asked of, each column declared once: name, type, meaning, and where a report has it.

The types are those that DuckDB, Spark, Trino and BigQuery share. A column of a fact has the fact's name, with ``_`` for
dots and dashes; one of a version has a neighbour ``NAME_number``, in which versions have an order.
"""

from collections.abc import Iterator, Mapping

from vkzircon_cli.model.base import record
from vkzircon_cli.model.queries import UNNAMED
from vkzircon_cli.model.spec import EXTENSION
from vkzircon_cli.report.conditions import FACTS, Kind

TEXT, WHOLE, REAL, LOGICAL, SIZE = "VARCHAR", "BIGINT", "DOUBLE", "BOOLEAN", "DECIMAL(20,0)"
NUMBER = "_number"
_FLAGS = 'STRUCT("names" VARCHAR[])'
_VERSION = 'STRUCT("value" BIGINT, "text" VARCHAR)'


def _answer(of: str) -> str:
    return f'STRUCT("value" {of})'


# The part of a report that the tables need, in the types of DuckDB.
DECLARED: Mapping[str, str] = {
    "schema_version": TEXT,
    "kind": TEXT,
    "tool": 'STRUCT("name" VARCHAR, "version" VARCHAR)',
    "summary": "STRUCT(outcome VARCHAR, sentence VARCHAR, exit_code BIGINT)",
    "emulation": "STRUCT(active BOOLEAN, settings VARCHAR)",
    "environment": 'STRUCT(platform VARCHAR, "system" VARCHAR, machine VARCHAR, agent VARCHAR)',
    "run": "STRUCT(started VARCHAR, duration_ms DOUBLE)",
    "loader": _answer(f"STRUCT(api_version {_VERSION})"),
    "devices": f"""STRUCT(
        "index" BIGINT, selected BOOLEAN,
        identity {
        _answer(f'''STRUCT(
            "name" VARCHAR, "type" STRUCT("name" VARCHAR), vendor_id BIGINT, device_id BIGINT,
            api_version {_VERSION}, driver_version {_VERSION},
            driver {_answer('STRUCT("id" STRUCT("value" BIGINT), "name" VARCHAR)')},
            uuids {_answer("STRUCT(device_uuid VARCHAR)")},
            max_memory_allocation_size {_answer("UBIGINT")})''')
    },
        memory {
        _answer(f'''STRUCT(
            heaps STRUCT("index" BIGINT, "size" UBIGINT)[],
            types STRUCT("index" BIGINT, heap_index BIGINT, flags {_FLAGS})[])''')
    },
        extensions {_answer('STRUCT("name" VARCHAR, revision BIGINT)[]')},
        exports STRUCT(memory_type BIGINT, handle {
        _answer(f'''STRUCT(
            "value" VARCHAR, basic {_answer(f"STRUCT(rights {_FLAGS})")})''')
    })[],
        imports STRUCT(kind VARCHAR, memory_type BIGINT, imported {_answer("STRUCT(memory_type BIGINT)")})[])[]""",
    "checks": """STRUCT("id" VARCHAR, device BIGINT, outcome VARCHAR, sentence VARCHAR)[]""",
}


@record
class TableColumn:
    """A column: *source* is its value in the SQL of DuckDB, over the rows that `Table.rows` names."""

    name: str
    type: str
    meaning: str
    source: str


@record
class Table:
    """A table: its *meaning*, the *rows* of a report that become its rows, and its columns."""

    meaning: str
    rows: str
    columns: tuple[TableColumn, ...]


def column_of(fact: str) -> str:
    """Return the column of `devices` that has the fact."""
    return fact.replace(".", "_").replace("-", "_")


_REPORT = TableColumn("report", TEXT, "the run: equal for each copy of a report", "r.report")
_DEVICE = TableColumn("device", WHOLE, "the device's index in its report", 'd."index"')
_WHO = "d.identity.value"
_TYPES = "[x.memory_type for x in d.{} if x.{}.value IS NOT NULL{}]"
_EXPORTED = _TYPES.format("exports", "handle", "")
_IMPORTED = _TYPES.format("imports", "imported", " AND x.kind = 'same-device'")
_SAME = "[x for x in d.imports if x.kind = 'same-device']"
_NAMED = "x.handle.value.basic.value.rights.names"
_RIGHTS = f"[{_NAMED} for x in d.exports if {_NAMED} IS NOT NULL]"
_SOURCES: Mapping[str, str] = {
    "platform": "r.environment.platform",
    "emulated": "CASE WHEN r.emulation.active THEN 'yes' ELSE 'no' END",
    "loader.version": "r.loader.value.api_version.value",
    "device.type": f"{_WHO}.type.name",
    "device.name": f"CASE WHEN {_WHO} IS NOT NULL THEN coalesce(nullif(trim({_WHO}.name), ''), '{UNNAMED}') END",
    "device.vendor": f"{_WHO}.vendor_id",
    "device.id": f"{_WHO}.device_id",
    "device.version": f"{_WHO}.api_version.value",
    "driver.name": f"{_WHO}.driver.value.name",
    "driver.version": f"coalesce(nullif({_WHO}.driver_version.text, ''), printf('0x%x', {_WHO}.driver_version.value))",
    "extension.revision": f"[x.revision for x in d.extensions.value if x.name = '{EXTENSION}'][1]",
    "memory.types": "len(d.memory.value.types)",
    "memory.largest-heap": "CASE WHEN d.memory.value IS NOT NULL THEN "
    "coalesce(list_max([x.size for x in d.memory.value.heaps]), 0) END",
    "memory.largest-allocation": f"{_WHO}.max_memory_allocation_size.value",
    "memory.exportable-types": f"CASE WHEN len(d.exports) > 0 THEN len(list_distinct({_EXPORTED})) END",
    "memory.importable-types": f"CASE WHEN len({_SAME}) > 0 THEN len(list_distinct({_IMPORTED})) END",
    "vmo.rights": f"array_to_string([n for n in ({_RIGHTS})[1] "
    f"if len([l for l in {_RIGHTS} if NOT list_contains(l, n)]) = 0], '|')",
}
_SIZES = ("memory.largest-heap", "memory.largest-allocation")


def _parts(packed: str) -> str:
    """Return the SQL that writes a VK_MAKE_API_VERSION without its variant as 1.3.239."""
    return f"concat_ws('.', {packed} >> 22 & 127, {packed} >> 12 & 1023, {packed} & 4095)"


def _of_facts() -> Iterator[TableColumn]:
    for name, fact in FACTS.items():
        column, source = column_of(name), f"({_SOURCES[name]})"
        if fact.kind is Kind.VERSION:
            text = f"CASE WHEN {source} IS NOT NULL THEN {_parts(source)} END"
            yield TableColumn(column, TEXT, fact.meaning, text)
            number = "the same as major << 22 | minor << 12 | patch"
            yield TableColumn(f"{column}{NUMBER}", WHOLE, number, f"{source} & 536870911")
        elif fact.kind is Kind.NUMBER:
            yield TableColumn(column, SIZE if name in _SIZES else WHOLE, fact.meaning, source)
        else:
            joined = ", joined by |" if fact.kind is Kind.FLAGS else ""
            yield TableColumn(column, TEXT, f"{fact.meaning}{joined}", source)


_UUID = f"CASE WHEN trim({_WHO}.uuids.value.device_uuid, '0-') <> '' THEN {_WHO}.uuids.value.device_uuid END"
_IDS = f"concat_ws(' ', {_WHO}.vendor_id, {_WHO}.device_id, {_WHO}.driver.value.id.value, {_WHO}.name)"
_MODEL = f"CASE WHEN {_WHO} IS NOT NULL THEN {_IDS} END"
_UNIT = f"concat_ws(' ', {_MODEL}, r.environment.system, r.environment.machine, d.index)"
_WHOSE = "the ids of vendor, device and driver, and the name"
_KEY = "the device in all reports: its UUID, or its model, host and index"
_WAS = "list_contains({}, m.index)"
_HEAP = "[x.size for x in d.memory.value.heaps if x.index = m.heap_index][1]"
TABLES: Mapping[str, Table] = {
    "reports": Table(
        "one row for each report",
        "staged AS r",
        (
            _REPORT,
            TableColumn("file", TEXT, "the file that it was read from", "r.file"),
            TableColumn("started", TEXT, "the start of the run: UTC, ISO 8601", "r.run.started"),
            TableColumn("duration_ms", REAL, "how long the run took, in milliseconds", "r.run.duration_ms"),
            TableColumn("outcome", TEXT, "the worst outcome", "r.summary.outcome"),
            TableColumn("sentence", TEXT, "the sentence that sums the report up", "r.summary.sentence"),
            TableColumn("exit_code", WHOLE, "the exit code of the run", "r.summary.exit_code"),
            TableColumn("tool_version", TEXT, "the version of vkzircon", "r.tool.version"),
            TableColumn("schema_version", TEXT, "the version of the report's keys", "r.schema_version"),
            TableColumn("host_system", TEXT, "the system that vkzircon ran on", "r.environment.system"),
            TableColumn("host_machine", TEXT, "the architecture of that machine", "r.environment.machine"),
            TableColumn("agent", TEXT, "the command that started an agent, or NULL", "r.environment.agent"),
            TableColumn("emulation", TEXT, "the settings of the emulation, '' without it", "r.emulation.settings"),
        ),
    ),
    "devices": Table(
        "one row for each device of a report",
        "staged AS r, (SELECT unnest(r.devices) AS d)",
        (
            _REPORT,
            _DEVICE,
            TableColumn("selected", LOGICAL, "whether it was tested, or only listed", "d.selected"),
            TableColumn("device_uuid", TEXT, "deviceUUID, NULL where the driver left it zero", _UUID),
            TableColumn("device_model", TEXT, _WHOSE, _MODEL),
            TableColumn("device_key", TEXT, _KEY, f"coalesce({_UUID}, {_UNIT})"),
            *_of_facts(),
        ),
    ),
    "verdicts": Table(
        "one row for each check of a device of a report",
        "staged AS r, (SELECT unnest(list_distinct(r.checks)) AS c)",  # a condition may be required twice
        (
            _REPORT,
            TableColumn("device", WHOLE, _DEVICE.meaning, "c.device"),
            TableColumn("check_id", TEXT, "the check, or a condition of --require", "c.id"),
            TableColumn("outcome", TEXT, "pass, info, skip, warn, fail, timeout or crash", "c.outcome"),
            TableColumn("sentence", TEXT, "the verdict in words", "c.sentence"),
        ),
    ),
    "memory_types": Table(
        "one row for each memory type of a device of a report",
        "staged AS r, (SELECT unnest(r.devices) AS d), (SELECT unnest(d.memory.value.types) AS m)",
        (
            _REPORT,
            _DEVICE,
            TableColumn("memory_type", WHOLE, "the index of the memory type", "m.index"),
            TableColumn("heap", WHOLE, "the index of its heap", "m.heap_index"),
            TableColumn("heap_size", SIZE, "the size of the heap in bytes", _HEAP),
            TableColumn("flags", TEXT, "its property flags, joined by |", "array_to_string(m.flags.names, '|')"),
            TableColumn("exported", LOGICAL, "whether a VMO was exported from it", _WAS.format(_EXPORTED)),
            TableColumn("imported", LOGICAL, "whether its device imported a VMO of it", _WAS.format(_IMPORTED)),
        ),
    ),
}


def ddl(name: str) -> str:
    """Return the columns of a table with their types, as CREATE TABLE takes them."""
    return ", ".join(f"{column.name} {column.type}" for column in TABLES[name].columns)


def rows_of(name: str) -> str:
    """Return the query that makes the rows of a table from the reports in ``staged``."""
    table = TABLES[name]
    columns = ", ".join(f"CAST({column.source} AS {column.type}) AS {column.name}" for column in table.columns)
    return f"SELECT {columns} FROM {table.rows}"
