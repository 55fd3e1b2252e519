"""An OR of ranges on the column by which rows come: walked range by range.

SQLite would look at all rows from the first range to the last, and ask each of them for every range.
"""

from tams_common.store.layout import AnyLayout
from tams_common.store.port import Query
from tams_common.store.scans import fixed_columns
from tams_common.store.where import AnyOf, Between, Compare
from tams_common.store.windows import bounds


def walks(layout: AnyLayout, query: Query) -> list[Query]:
    """Queries without such an OR whose rows, one query's after the other's, are those of `query`, which is resolved."""
    if not any(type(condition) is AnyOf for condition in query.where):
        return [query]
    fixed = fixed_columns(query.where)
    free = [name for name in query.order if name not in fixed]
    ranges = _ranges(query, free[0]) if len(free) == 1 and layout.kinds[free[0]] is int else None
    if ranges is None:
        return [query]
    column = free[0]
    low, high = bounds(column, query)
    if query.after is not None:
        reached = query.after[query.order.index(column)]
        if not isinstance(reached, int):
            return [query]
        low, high = (low, min(high, reached - 1)) if query.reverse else (max(low, reached + 1), high)
    others = tuple(
        condition
        for condition in query.where
        if condition is not ranges and not (condition.column == column and type(condition) in {Compare, Between})
    )
    parts = [
        Query((*others, Between(column, first, last)), query.order, None, query.limit, query.reverse, query.width)
        for first, last in _merged(ranges, low=low, high=high)
    ]
    return parts[::-1] if query.reverse else parts


def _ranges(query: Query, column: str) -> AnyOf | None:
    return next(
        (
            condition
            for condition in query.where
            if type(condition) is AnyOf
            and condition.column == column
            and all(type(part) is Between for part in condition.conditions)
        ),
        None,
    )


def _merged(ranges: AnyOf, *, low: int, high: int) -> list[tuple[int, int]]:
    """The same numbers between `low` and `high` in ranges that do not overlap, in order."""
    found: list[tuple[int, int]] = []
    parts = [part for part in ranges.conditions if isinstance(part, Between)]
    for first, last in sorted((max(int(part.low), low), min(int(part.high), high)) for part in parts):
        if first > last:
            continue
        if found and first <= found[-1][1]:
            found[-1] = (found[-1][0], max(last, found[-1][1]))
        else:
            found.append((first, last))
    return found
