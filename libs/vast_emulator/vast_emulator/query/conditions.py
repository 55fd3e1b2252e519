"""Filters from the wire bound to a table's columns: positions become references, literals get the column's type."""

from collections.abc import Sequence
from decimal import Decimal
from typing import cast, get_args

import numpy as np
import pyarrow as pa

from vast_emulator.engine.port import ROW_ID
from vast_emulator.engine.predicate import AllOf, AnyOf, Compare, Condition, Contains, IsIn, IsNull, Operator, Ref
from vast_emulator.query.nodes import Node
from vast_emulator.refusals import refusal
from vast_emulator.wire.relation import Both, Comparison, Either, Expression, Value

# From here on a disjunction of equalities becomes a set: the SDK spells `isin` as one equality per value.
_SET_FROM = 3

_OPERATORS = frozenset(get_args(Operator))


def bind(expression: Expression, nodes: Sequence[Node]) -> Condition:
    """The condition. Raises a refusal: 400 for a position or literal that does not fit, 501 for a list's insides."""
    if isinstance(expression, Comparison):
        return _compare(expression, nodes)
    if isinstance(expression, Either) and len(expression.parts) >= _SET_FROM:
        found = _is_in(expression.parts, nodes)
        if found is not None:
            return found
    parts = tuple(bind(part, nodes) for part in expression.parts)
    return AllOf(parts) if isinstance(expression, Both) else AnyOf(parts)


def _compare(comparison: Comparison, nodes: Sequence[Node]) -> Condition:
    ref, kind = _resolve(comparison.position, nodes)
    function, value = comparison.function, comparison.value
    if function in {"is_null", "is_valid"}:
        return IsNull(ref, negate=function == "is_valid")
    if function == "match_substring":
        if not isinstance(value, bytes) or not (pa.types.is_string(kind) or pa.types.is_binary(kind)):
            raise refusal(400, "InvalidArgument", message=f"{ref.column} has no substrings")
        return Contains(ref, value)
    if function not in _OPERATORS:
        raise refusal(501, "NotImplemented", message=f"no such comparison: {function}")
    return Compare(ref, cast("Operator", function), _typed([value], kind)[0])


def _is_in(parts: Sequence[Expression], nodes: Sequence[Node]) -> IsIn | None:
    """`column = a or column = b …` over one plain column as a set; None for any other disjunction."""
    equal = [part for part in parts if isinstance(part, Comparison) and part.function == "equal"]
    if len(equal) != len(parts) or len({part.position for part in equal}) != 1:
        return None
    ref, kind = _resolve(equal[0].position, nodes)
    if pa.types.is_nested(kind):
        return None
    return IsIn(ref, _typed([part.value for part in equal], kind))


def _resolve(position: int, nodes: Sequence[Node]) -> tuple[Ref, pa.DataType]:
    """The column at a position and its type; a vector is compared as a whole, although the wire names its items."""
    if not 0 <= position < len(nodes):
        raise refusal(
            400, "InvalidArgument", message=f"the filter names column {position}, which the query does not have"
        )
    node = nodes[position]
    if node.column == ROW_ID:
        return Ref(ROW_ID), pa.uint64()
    kind, path = node.root.type, []
    for step in node.way:
        if pa.types.is_fixed_size_list(kind):
            break
        if not pa.types.is_struct(kind):
            raise refusal(501, "NotImplemented", message=f"no filter inside of {kind}")
        path.append(step)
        kind = kind.field(step).type
    return Ref(node.column, tuple(path)), kind


def _typed(values: Sequence[Value], kind: pa.DataType) -> pa.Array:
    """Literals as an array of the column's type; text stays bytes, which need not be valid UTF-8."""
    try:
        if pa.types.is_decimal(kind):
            return pa.array([_decimal(value, kind.scale) for value in values], kind)
        if pa.types.is_timestamp(kind) or pa.types.is_time64(kind):
            return pa.array(values, pa.int64()).cast(kind)
        if pa.types.is_time32(kind) or pa.types.is_date32(kind):
            return pa.array(values, pa.int32()).cast(kind)
        if pa.types.is_float16(kind):
            return pa.array(np.array(values, np.float16))
        if pa.types.is_fixed_size_list(kind):
            return pa.array([_typed(cast("tuple[Value, ...]", value), kind.value_type) for value in values], kind)
        return pa.array(values, pa.binary() if pa.types.is_string(kind) else kind)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        raise refusal(400, "InvalidArgument", message=f"a literal does not fit its column: {error}") from error


def _decimal(unscaled: Value, scale: int) -> Decimal:
    return Decimal(cast("int", unscaled)).scaleb(-scale)
