"""Which rows satisfy a condition: evaluation over arrays, with SQL's unknown for nulls."""

import operator
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vast_emulator.engine.chunk import Positions
from vast_emulator.engine.errors import invalid, missing
from vast_emulator.engine.predicate import AllOf, AnyOf, Compare, Condition, Contains, IsIn, IsNull, Ref

_ARROW: Mapping[str, Callable[[pa.Array, pa.Scalar], pa.Array]] = {
    "equal": pc.equal,
    "not_equal": pc.not_equal,
    "greater": pc.greater,
    "greater_equal": pc.greater_equal,
    "less": pc.less,
    "less_equal": pc.less_equal,
}
_PYTHON: Mapping[str, Callable[[Any, Any], bool]] = {
    "equal": operator.eq,
    "not_equal": operator.ne,
    "greater": operator.gt,
    "greater_equal": operator.ge,
    "less": operator.lt,
    "less_equal": operator.le,
}


class Source(Protocol):
    """Gives the named column of the rows under examination; raises 404 for none."""

    def __call__(self, column: str) -> pa.Array:
        """All rows of one column."""


def matching(terms: tuple[Condition, ...], source: Source, *, among: range | Positions) -> Positions:
    """Those of the positions for which every term is true, ascending; later terms see few rows."""
    for term in terms:
        mask = holds(term, _narrowed(source, among))
        kept = np.flatnonzero(np.asarray(pc.fill_null(mask, False)))
        among = kept + among.start if isinstance(among, range) else among[kept]
        if not len(among):
            break
    return np.arange(among.start, among.stop) if isinstance(among, range) else among


def holds(condition: Condition, source: Source) -> pa.Array:
    """True, false or null (unknown) for each row."""
    match condition:
        case AllOf(parts=parts) | AnyOf(parts=parts) if parts:
            combine = pc.and_kleene if isinstance(condition, AllOf) else pc.or_kleene
            result = holds(parts[0], source)
            for each in parts[1:]:
                result = combine(result, holds(each, source))
            return result
        case AllOf() | AnyOf():
            raise invalid("a condition without parts")
        case Compare():
            return _compare(condition, _column(condition.ref, source))
        case IsIn(ref=ref, values=values):
            column = _comparable(_column(ref, source))
            found = pc.is_in(column, value_set=_comparable(values))
            return pc.if_else(pc.is_null(column), None, found)
        case IsNull(ref=ref, negate=negate):
            column = _column(ref, source)
            return pc.is_valid(column) if negate else pc.is_null(column)
        case Contains(ref=ref, part=part):
            return pc.match_substring(_comparable(_column(ref, source)), part)


def flat(condition: Condition | None) -> tuple[Condition, ...]:
    """The terms that all have to hold, cheap ones first; an OR of equalities on one column becomes one IsIn."""
    match condition:
        case None:
            return ()
        case AnyOf(parts=(part,)):
            return flat(part)
        case AnyOf(parts=[Compare(ref=ref), *_] as parts):
            values = [
                part.value
                for part in parts
                if isinstance(part, Compare) and part.ref == ref and part.operator == "equal" and part.value.is_valid
            ]
            if len(values) < len(parts) or pa.types.is_nested(values[0].type):
                return (condition,)
            return (IsIn(ref, pa.array(values, values[0].type)),)
        case AllOf(parts=parts):
            return tuple(sorted((term for part in parts for term in flat(part)), key=_cost))
        case _:
            return (condition,)


def refs(condition: Condition) -> list[Ref]:
    """Every column reference in it."""
    if isinstance(condition, AllOf | AnyOf):
        return [ref for part in condition.parts for ref in refs(part)]
    return [condition.ref]


def child_type(kind: pa.DataType, path: tuple[int, ...]) -> pa.DataType:
    """The type at a path; the path stops at a vector, which is compared as a whole. 404 if there is no such child."""
    for position in path:
        if pa.types.is_fixed_size_list(kind):
            return kind
        if not pa.types.is_struct(kind) or position >= kind.num_fields:
            raise missing("Column", path)
        kind = kind.field(position).type
    return kind


def _cost(condition: Condition) -> int:
    match condition:
        case Compare() | IsNull():
            return 0
        case IsIn():
            return 1
        case _:
            return 2


def _narrowed(source: Source, among: range | Positions) -> Source:
    def column(column: str) -> pa.Array:
        array = source(column)
        if isinstance(among, range):
            return array.slice(among.start, len(among))
        return array.take(pa.array(among))

    return column


def _column(ref: Ref, source: Source) -> pa.Array:
    array = source(ref.column)
    for position in ref.path:
        if pa.types.is_fixed_size_list(array.type):
            break
        array = pc.struct_field(array, [position])
    return array


def _comparable(cells: pa.Array | pa.Scalar) -> pa.Array | pa.Scalar:
    """Text as bytes, because literals may be cut within a character; float16 as float32, which Arrow can compare."""
    if pa.types.is_string(cells.type):
        return cells.cast(pa.binary())
    return cells.cast(pa.float32()) if pa.types.is_float16(cells.type) else cells


def _compare(condition: Compare, column: pa.Array) -> pa.Array:
    if pa.types.is_nested(column.type):
        compare, wanted = _PYTHON[condition.operator], condition.value.as_py()
        return pa.array([None if cell is None else compare(cell, wanted) for cell in column.to_pylist()], pa.bool_())
    return _ARROW[condition.operator](_comparable(column), _comparable(condition.value))
