"""The Parquet tables of a run: their columns, and the checks on the way in and out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from testbedctl.errors import InvalidFile, RunFailed
from testbedctl.ports import HOPS
from testbedctl.records.files import write_bytes

TRIAL_TABLES = ("flows", "steps", "vnfs", "hops", "telemetry")
"""Every complete trial has all of them."""


def _columns(optional: str = "", **types: str) -> pa.Schema:
    arrow = {"str": pa.string(), "i32": pa.int32(), "i64": pa.int64(), "f64": pa.float64()}
    fields = [(name, arrow[kind]) for kind, names in types.items() for name in names.split()]
    return pa.schema([pa.field(name, kind, nullable=name in optional.split()) for name, kind in fields])


def _ordered(schema: pa.Schema, order: str) -> pa.Schema:
    return pa.schema([schema.field(name) for name in order.split()])


_VNF_RATIOS = "cpu_ratio slice_cpu_ratio ram_ratio storage_ratio network_ratio throttled_ratio processed_bps"
_FLOW_COUNTS = "sent_bytes sent_packets delivered_bytes delivered_packets lost_packets"

SCHEMAS: dict[str, pa.Schema] = {
    "flows": _ordered(
        _columns(
            "sent_packets delivered_packets lost_packets jitter_s",
            str="camera service",
            i32="second step",
            i64=_FLOW_COUNTS,
            f64="jitter_s",
        ),
        f"camera service second step {_FLOW_COUNTS} jitter_s",
    ),
    "steps": _columns(
        "loss_ratio jitter_s",
        i32="step",
        str="service",
        f64="start_s end_s offered_bps sent_bps delivered_bps loss_ratio jitter_s",
    ),
    "vnfs": _ordered(
        _columns(_VNF_RATIOS, f64=f"at_s {_VNF_RATIOS}", i32="step", str="vnf"),
        f"at_s step vnf {_VNF_RATIOS}",
    ),
    "hops": _columns("packets", i32="step", str="service hop", i64="packets"),
    "telemetry": _ordered(
        _columns(f64="unix_s value", str="metric labels"),
        "unix_s metric labels value",
    ),
    "results": _ordered(
        _columns("vnf", i32="trial step", str="arm quantity vnf", f64="value"),
        "trial arm step quantity vnf value",
    ),
}
"""Columns of each table by name. A nullable column is one whose value may not have been measured."""


def write_table(path: Path, name: str, rows: Sequence[Mapping[str, Any]] | pa.Table) -> None:
    """Write the table ``name`` to ``path``.

    Raises RunFailed for an empty table, for missing or unknown columns, for a value of another type and
    for NaN or infinity: what was not measured is null in a nullable column, or the row is left out.
    """
    if name not in SCHEMAS:
        raise RunFailed(f"there is no table {name!r}", hint=f"tables are {', '.join(SCHEMAS)}")
    try:
        table = rows.cast(SCHEMAS[name]) if isinstance(rows, pa.Table) else _from_rows(rows, SCHEMAS[name])
        _check_values(table, SCHEMAS[name])
    except (ValueError, TypeError, pa.ArrowException) as error:
        raise RunFailed(f"{path}: {error}", hint="an empty or damaged measurement is not recorded") from error
    buffer = pa.BufferOutputStream()
    pq.write_table(table, buffer, compression="zstd")
    write_bytes(path, buffer.getvalue().to_pybytes())


def read_table(path: Path, name: str) -> pa.Table:
    """Read the table ``name`` from ``path``. Raises InvalidFile when it is missing, damaged or empty."""
    if not path.is_file():
        raise InvalidFile(f"{path} is missing", hint="the run directory is incomplete")
    try:
        table = pq.read_table(path, partitioning=None)
        if table.schema.names != SCHEMAS[name].names:
            raise ValueError(f"columns are {table.schema.names}, must be {SCHEMAS[name].names}")
        table = table.cast(SCHEMAS[name])
        _check_values(table, SCHEMAS[name])
    except (ValueError, TypeError, OSError, pa.ArrowException) as error:
        raise InvalidFile(f"{path} is damaged or truncated: {error}") from error
    return table


def _from_rows(rows: Sequence[Mapping[str, Any]], schema: pa.Schema) -> pa.Table:
    names = set(schema.names)
    optional = {field.name for field in schema if field.nullable}
    for index, row in enumerate(rows):
        if unknown := row.keys() - names:
            raise ValueError(f"row {index} has unknown columns {sorted(unknown)}")
        if missing := names - row.keys() - optional:
            raise ValueError(f"row {index} lacks {sorted(missing)}")
    columns = [_column([row.get(field.name) for row in rows], field) for field in schema]
    return pa.Table.from_arrays(columns, schema=schema)


def _column(values: list[Any], field: pa.Field) -> pa.Array:
    """The values as the field's type: inferred first, as Arrow would cut 0.5 to an integer 0 in silence."""
    try:
        inferred = pa.array(values)
        is_text = pa.types.is_string(inferred.type)
        if not pa.types.is_null(inferred.type) and is_text != pa.types.is_string(field.type):
            raise ValueError(f"holds {inferred.type}, must be {field.type}")
        return inferred.cast(field.type)
    except (ValueError, TypeError, OverflowError, pa.ArrowException) as error:
        raise ValueError(f"column '{field.name}': {error}") from error


def _check_values(table: pa.Table, schema: pa.Schema) -> None:
    if table.num_rows == 0:
        raise ValueError("the table is empty")
    for field in schema:
        column = table.column(field.name)
        if column.null_count and not field.nullable:
            raise ValueError(f"column '{field.name}' has a hole (null)")
        if pa.types.is_floating(field.type) and pc.all(pc.is_finite(column)).as_py() is False:
            raise ValueError(f"column '{field.name}' holds NaN or infinity")
    _check_hops(table, schema)


def _check_hops(table: pa.Table, schema: pa.Schema) -> None:
    if "hop" not in schema.names:
        return
    unknown = set(table.column("hop").to_pylist()) - set(HOPS)
    if unknown:
        raise ValueError(f"unknown hops {sorted(unknown)}; hops are {', '.join(HOPS)}")
