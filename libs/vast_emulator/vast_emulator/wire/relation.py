"""Decoding of a `?data` request's body: an Arrow compute-IR relation with a schema, a filter and a projection."""

from dataclasses import dataclass

import numpy as np
from flatbuffers.table import Table
from vastdb.vast_flatbuf.org.apache.arrow.computeir.flatbuf import (
    BinaryLiteral,
    BooleanLiteral,
    Call,
    DateLiteral,
    DecimalLiteral,
    FieldIndex,
    FieldRef,
    Float16Literal,
    Float32Literal,
    Float64Literal,
    Int8Literal,
    Int16Literal,
    Int32Literal,
    Int64Literal,
    ListLiteral,
    Literal,
    Relation,
    Source,
    StringLiteral,
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
        return Asked(columns, projection, None if found is None else _expression(found))
    except (AttributeError, IndexError, TypeError, ValueError) as error:
        raise refusal(400, "InvalidArgument", message=f"the query cannot be decoded: {error}") from error


def _at(cls: type, table: Table) -> Table:
    """The union member at a table's place: flatbuffers hands out unions as bare tables."""
    member = cls()
    member.Init(table.Bytes, table.Pos)
    return member


def _expression(found: Table) -> Expression | None:
    """None is a conjunction of nothing, which always holds."""
    call = _at(Call.Call, found.Impl())
    function: str = call.Name().decode()
    arguments = [call.Arguments(i) for i in range(call.ArgumentsLength())]
    if function in {"and", "or"}:
        parts = tuple(part for part in map(_expression, arguments) if part is not None)
        if not parts:
            return None
        if len(parts) == 1:
            return parts[0]
        return Both(parts) if function == "and" else Either(parts)
    if function in NULL_CHECKS and len(arguments) == 1:
        return Comparison(function, _position(arguments[0]))
    if function in COMPARISONS and len(arguments) == 2:
        literal = _at(Literal.Literal, arguments[1].Impl())
        return Comparison(function, _position(arguments[0]), _value(literal))
    raise refusal(501, "NotImplemented", message=f"no such function in a filter: {function} of {len(arguments)}")


def _position(expression: Table) -> int:
    reference = _at(FieldRef.FieldRef, expression.Impl())
    return int(_at(FieldIndex.FieldIndex, reference.Ref()).Position())


_PLAIN = {
    LiteralImpl.Int8Literal: Int8Literal.Int8Literal,
    LiteralImpl.Int16Literal: Int16Literal.Int16Literal,
    LiteralImpl.Int32Literal: Int32Literal.Int32Literal,
    LiteralImpl.Int64Literal: Int64Literal.Int64Literal,
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
    # Raw bytes: a prefix search's upper bound need not be valid UTF-8.
    LiteralImpl.StringLiteral: StringLiteral.StringLiteral,
}


def _value(literal: Literal.Literal) -> Value:
    if literal.ImplType() == LiteralImpl.ListLiteral:
        items = _at(ListLiteral.ListLiteral, literal.Impl())
        return tuple(_scalar(items.Values(i)) for i in range(items.ValuesLength()))
    return _scalar(literal)


def _scalar(literal: Literal.Literal) -> Scalar:
    """The literal as the wire has it: times and dates as counts of their unit, decimals as unscaled integers."""
    kind, table = literal.ImplType(), literal.Impl()
    if kind in _PLAIN:
        value: Scalar = _at(_PLAIN[kind], table).Value()
        return b"" if value is None and kind == LiteralImpl.StringLiteral else value
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
