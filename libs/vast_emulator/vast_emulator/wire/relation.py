"""Decoding of a `?data` request's body: an Arrow compute-IR relation with a schema, a filter and a projection."""

import struct
from dataclasses import dataclass

import numpy as np
from flatbuffers.table import Table
from vastdb.vast_flatbuf.org.apache.arrow.computeir.flatbuf import (
    BinaryLiteral,
    BooleanLiteral,
    DateLiteral,
    DecimalLiteral,
    Float16Literal,
    Float32Literal,
    Float64Literal,
    Int8Literal,
    Int16Literal,
    Int32Literal,
    ListLiteral,
    Relation,
    Source,
    TimeLiteral,
    TimestampLiteral,
    UInt8Literal,
    UInt16Literal,
    UInt32Literal,
    UInt64Literal,
)
from vastdb.vast_flatbuf.org.apache.arrow.computeir.flatbuf.LiteralImpl import LiteralImpl

from vast_emulator.refusals import refusal

Scalar = int | float | bool | bytes | None
Value = Scalar | tuple[Scalar, ...]


@dataclass(frozen=True)
class Comparison:
    """One call on one column, named by its node's position; `value` is None for the calls that take no literal."""

    function: str
    position: int
    value: Value = None


@dataclass(frozen=True)
class Both:
    """Every part holds."""

    parts: tuple["Expression", ...]


@dataclass(frozen=True)
class Either:
    """At least one part holds."""

    parts: tuple["Expression", ...]


Expression = Comparison | Both | Either


@dataclass(frozen=True)
class Asked:
    """A decoded query: names of the columns in play, the positions of the leaves to send, and the filter."""

    columns: tuple[str, ...]
    projection: tuple[int, ...]
    filter: Expression | None


COMPARISONS = frozenset({"equal", "not_equal", "greater", "greater_equal", "less", "less_equal", "match_substring"})
NULL_CHECKS = frozenset({"is_null", "is_valid"})


def decode(body: bytes) -> Asked:
    """The query in a body. Raises a refusal: 400 for a broken one, 501 for a function that VAST cannot push down."""
    try:
        source = _at(Source.Source, Relation.Relation.GetRootAs(body, 0).Impl())
        schema = source.Schema()
        columns = tuple(schema.Fields(i).Name().decode() for i in range(schema.FieldsLength()))
        projection = tuple(source.Projection(i).Position() for i in range(source.ProjectionLength()))
        found = source.Filter()
        return Asked(columns, projection, None if found is None else _expression(body, found._tab.Pos))
    except (AttributeError, IndexError, TypeError, ValueError, struct.error) as error:
        raise refusal(400, "InvalidArgument", message=f"the query cannot be decoded: {error}") from error


def _at(cls: type, table: Table) -> Table:
    """The union member at a table's place: flatbuffers hands out unions as bare tables."""
    member = cls()
    member.Init(table.Bytes, table.Pos)
    return member


# A filter may have thousands of comparisons. The generated classes take 42 µs for each, reading by offset 7.
_U16 = struct.Struct("<H").unpack_from
_U32 = struct.Struct("<I").unpack_from
_I32 = struct.Struct("<i").unpack_from
_I64 = struct.Struct("<q").unpack_from


def _field(body: bytes, table: int, *, number: int) -> int:
    """Where a field of the table lies, by its number in the schema; 0 for one that is left out."""
    vtable = table - _I32(body, table)[0]
    at = 4 + 2 * number
    offset: int = _U16(body, vtable + at)[0] if at < _U16(body, vtable)[0] else 0
    return table + offset if offset else 0


def _target(body: bytes, place: int) -> int:
    """What lies where a place points to."""
    if not place:
        raise ValueError("a part is missing")
    return place + int(_U32(body, place)[0])


def _text(body: bytes, place: int) -> bytes:
    start = _target(body, place)
    return body[start + 4 : start + 4 + _U32(body, start)[0]]


def _expression(body: bytes, expression: int) -> Expression | None:
    """None is a conjunction of nothing, which always holds."""
    call = _target(body, _field(body, expression, number=1))
    function = _text(body, _field(body, call, number=0)).decode()
    start = _target(body, _field(body, call, number=1))
    arguments = [_target(body, start + 4 + 4 * number) for number in range(_U32(body, start)[0])]
    if function in {"and", "or"}:
        parts = tuple(part for part in (_expression(body, each) for each in arguments) if part is not None)
        if not parts:
            return None
        if len(parts) == 1:
            return parts[0]
        return Both(parts) if function == "and" else Either(parts)
    if function in NULL_CHECKS and len(arguments) == 1:
        return Comparison(function, _position(body, arguments[0]))
    if function in COMPARISONS and len(arguments) == 2:
        literal = _target(body, _field(body, arguments[1], number=1))
        return Comparison(function, _position(body, arguments[0]), _value(body, literal))
    raise refusal(501, "NotImplemented", message=f"no such function in a filter: {function} of {len(arguments)}")


def _position(body: bytes, expression: int) -> int:
    reference = _target(body, _field(body, expression, number=1))
    place = _field(body, _target(body, _field(body, reference, number=1)), number=0)
    return int(_U32(body, place)[0]) if place else 0


_PLAIN = {
    LiteralImpl.Int8Literal: Int8Literal.Int8Literal,
    LiteralImpl.Int16Literal: Int16Literal.Int16Literal,
    LiteralImpl.Int32Literal: Int32Literal.Int32Literal,
    LiteralImpl.UInt8Literal: UInt8Literal.UInt8Literal,
    LiteralImpl.UInt16Literal: UInt16Literal.UInt16Literal,
    LiteralImpl.UInt32Literal: UInt32Literal.UInt32Literal,
    LiteralImpl.UInt64Literal: UInt64Literal.UInt64Literal,
    LiteralImpl.Float32Literal: Float32Literal.Float32Literal,
    LiteralImpl.Float64Literal: Float64Literal.Float64Literal,
    LiteralImpl.BooleanLiteral: BooleanLiteral.BooleanLiteral,
    LiteralImpl.DateLiteral: DateLiteral.DateLiteral,
    LiteralImpl.TimeLiteral: TimeLiteral.TimeLiteral,
    LiteralImpl.TimestampLiteral: TimestampLiteral.TimestampLiteral,
}


def _value(body: bytes, literal: int) -> Value:
    if _kind(body, literal) != LiteralImpl.ListLiteral:
        return _scalar(body, literal)
    items = _at(ListLiteral.ListLiteral, Table(body, _target(body, _field(body, literal, number=1))))
    return tuple(_scalar(body, items.Values(number)._tab.Pos) for number in range(items.ValuesLength()))


def _kind(body: bytes, literal: int) -> int:
    place = _field(body, literal, number=0)
    return body[place] if place else LiteralImpl.NONE


def _scalar(body: bytes, literal: int) -> Scalar:
    """The literal as the wire has it: times and dates as counts of their unit, decimals as unscaled integers."""
    kind = _kind(body, literal)
    inside = _target(body, _field(body, literal, number=1))
    if kind == LiteralImpl.StringLiteral:
        # Raw bytes: a prefix search's upper bound need not be valid UTF-8.
        place = _field(body, inside, number=0)
        return _text(body, place) if place else b""
    if kind == LiteralImpl.Int64Literal:
        place = _field(body, inside, number=0)
        return int(_I64(body, place)[0]) if place else 0
    table = Table(body, inside)
    if kind in _PLAIN:
        value: Scalar = _at(_PLAIN[kind], table).Value()
        return value
    if kind == LiteralImpl.Float16Literal:
        bits = _at(Float16Literal.Float16Literal, table).Value()
        return float(np.array([bits], np.uint16).view(np.float16)[0])
    if kind == LiteralImpl.DecimalLiteral:
        return int.from_bytes(_octets(_at(DecimalLiteral.DecimalLiteral, table)), "little", signed=True)
    if kind == LiteralImpl.BinaryLiteral:
        return _octets(_at(BinaryLiteral.BinaryLiteral, table))
    raise refusal(501, "NotImplemented", message=f"no such literal in a filter: {kind}")


def _octets(vector: Table) -> bytes:
    return bytes(vector.Value(i) & 0xFF for i in range(vector.ValueLength()))
