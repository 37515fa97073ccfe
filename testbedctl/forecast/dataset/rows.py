"""Rows of a trace file: fast where all is well, line by line where something is not."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from pyarrow import csv as arrow_csv

from testbedctl.errors import Place
from testbedctl.forecast.dataset.arrays import numbers
from testbedctl.forecast.dataset.dialect import STAMP, Dialect
from testbedctl.forecast.dataset.faults import BROKEN, FaultLog
from testbedctl.forecast.dataset.grid import Rows
from testbedctl.forecast.dataset.stamps import parse_stamp, parse_stamps

if TYPE_CHECKING:
    from numpy.typing import NDArray

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?|[+-]?(nan|inf(inity)?)", re.IGNORECASE)
_SWAPPED = str.maketrans(",.", ".,")
_DECIMAL_POINT = re.compile(rb"(?<![\d.])\d+\.\d+(?![\d.])")
_DECIMAL_COMMA = {";": re.compile(rb"\d,\d"), ",": re.compile(rb'"-?\d+,\d+"')}


def read_rows(block: bytes, dialect: Dialect, first_line: int, file: str, log: FaultLog) -> Rows:
    """The sound rows of whole lines, of which the first is ``first_line`` of ``file``; the others are noted.

    ``values`` has the columns of ``dialect.numbers``.
    """
    commas = _DECIMAL_COMMA[dialect.delimiter]
    for decimal in (",", ".") if b"," in block and commas.search(block) else (".",):
        with suppress(pa.ArrowException, ValueError):
            unix_s, values = _fast(block, dialect, decimal)
            return Rows(unix_s, values, np.arange(first_line, first_line + len(unix_s)))
    decimal = "," if len(commas.findall(block)) > len(_DECIMAL_POINT.findall(block)) else "."
    return _careful(block, dialect, decimal, first_line, file, log)


def _fast(block: bytes, dialect: Dialect, decimal: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """All rows of a block. Raises ValueError or ArrowException if any of them is not sound."""
    names = [column or f"unknown {index}" for index, column in enumerate(dialect.columns)]
    stamp = pa.string() if dialect.clock == "text" else pa.float64()
    table = arrow_csv.read_csv(
        pa.BufferReader(block),
        arrow_csv.ReadOptions(column_names=names),
        arrow_csv.ParseOptions(delimiter=dialect.delimiter, ignore_empty_lines=False),
        arrow_csv.ConvertOptions(
            column_types={**dict.fromkeys(dialect.numbers, pa.float64()), STAMP: stamp},
            include_columns=[STAMP, *dialect.numbers],
            decimal_point=decimal,
        ),
    )
    if table.num_rows != block.count(b"\n") + (not block.endswith(b"\n")):
        raise ValueError("rows and lines differ")
    values = np.stack([numbers(table.column(name)) for name in dialect.numbers])
    if not (np.isfinite(values) & (values >= 0)).all():
        raise ValueError("a value is negative, or not finite")
    return parse_stamps(table.column(STAMP), dialect.clock), values


def _careful(block: bytes, dialect: Dialect, decimal: str, first_line: int, file: str, log: FaultLog) -> Rows:
    """The sound rows, one by one."""
    sound: list[tuple[float, list[float], int]] = []
    for line, fields in _lines(block, dialect.delimiter, first_line):
        row = _row(fields, dialect, decimal)
        if isinstance(row, tuple):
            sound.append((*row, line))
        else:
            log.note(row.kind, Place(file, line, row.column, row.message))
    values = np.array([row[1] for row in sound]).reshape(len(sound), len(dialect.numbers))
    return Rows(np.array([row[0] for row in sound]), values.T, np.array([row[2] for row in sound], np.int64))


@dataclass(frozen=True)
class _Fault:
    """What is wrong with a row, and in which field."""

    kind: str
    column: int
    message: str


def _lines(block: bytes, delimiter: str, first_line: int) -> Iterator[tuple[int, list[str]]]:
    """Fields of each line that is not empty."""
    for line, data in enumerate(block.split(b"\n"), first_line):
        text = data.decode("utf-8", errors="replace").rstrip("\r")
        if not text.strip():
            continue
        try:
            yield line, next(csv.reader([text], delimiter=delimiter))
        except csv.Error:  # a field longer than any number
            yield line, []


def _row(fields: list[str], dialect: Dialect, decimal: str) -> tuple[float, list[float]] | _Fault:
    """The time and the numbers of a row, or what is wrong with it."""
    if len(fields) != len(dialect.columns):
        return _Fault("fields", 1, f"{len(fields)} fields, the header has {len(dialect.columns)}")
    unix_s, found = 0.0, []
    for column, (name, field) in enumerate(zip(dialect.columns, fields, strict=True), 1):
        text = field.strip()
        if name == STAMP:
            stamp = parse_stamp(text, dialect.clock)
            if stamp is None:
                return _Fault("stamp", column, f"the time {_short(text)} cannot be read")
            unix_s = stamp
        elif name:
            number = _number(text, decimal)
            if kind := _unfit(number):
                return _Fault(kind, column, f"{name} is {_short(text)}, {BROKEN[kind]}")
            found.append(number)
    return unix_s, [number for number in found if number is not None]


def _number(text: str, decimal: str) -> float | None:
    """The number in a text; None if there is none, or one with another decimal sign than its neighbours."""
    plain = text.translate(_SWAPPED) if decimal == "," else text
    return float(plain) if _NUMBER.fullmatch(plain) else None


def _unfit(number: float | None) -> str | None:
    """The kind of fault, if it is one."""
    if number is None:
        return "number"
    if not isfinite(number):
        return "infinite"
    return "negative" if number < 0 else None


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:40] + "…")
