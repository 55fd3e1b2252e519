"""Lists of rows that the indexes of a table hold, each in the table's own order (ADR 0013)."""

from collections.abc import Sequence

import msgspec

from tams_common.store.layout import AnyLayout
from tams_common.store.sqlite.conditions import padded
from tams_common.store.sqlite.sql import quoted
from tams_common.store.sqlite.tokens import TokenIndex
from tams_common.store.where import AnyOf, Compare, Condition, Contains, IsNull, Scalar


class Posting(msgspec.Struct, frozen=True):
    """The entries of the rows that meet a condition, or with `negate` of those that do not.

    They stand in the table `source` where `column` meets `test`; an `own` one is an index of the table itself. Entries
    of a `merged` one come from several lists: in no order, and a row perhaps more than once.
    """

    source: str
    column: str = ""
    test: str = ""
    values: tuple[Scalar, ...] = ()
    own: bool = True
    negate: bool = False
    merged: bool = False


class Postings:
    """The lists of a table."""

    def __init__(self, layout: AnyLayout) -> None:
        self.tokens = TokenIndex(layout)
        self._table = quoted(layout.table.name)
        self._columns = frozenset(
            projection.columns[0]
            for projection in layout.table.projections
            if layout.total_order(projection.columns)[1:] == self.tokens.order
        )

    @property
    def everything(self) -> Posting:
        """All rows."""
        return Posting(self._table)

    def of(self, condition: Condition) -> Posting | None:
        """The list of the rows that meet `condition`; None when no index has it."""
        if isinstance(condition, AnyOf):
            return self._any_of(condition.conditions)
        token = self.tokens.token(condition)
        if token is not None:
            negate = isinstance(condition, Contains) and condition.negate
            return Posting(self.tokens.name, "token", "= ?", (token,), own=False, negate=negate)
        if condition.column not in self._columns:
            return None
        match condition:
            case Compare(op="==", value=value):
                return Posting(self._table, quoted(condition.column), "= ?", (value,))
            case IsNull(negate=False):
                return Posting(self._table, quoted(condition.column), "IS NULL")
        return None

    def _any_of(self, conditions: Sequence[Condition]) -> Posting | None:
        tokens = [token for each in conditions if (token := self.tokens.token(each)) is not None]
        if len(tokens) < len(conditions):
            return None
        values = tuple(padded(tokens))
        test = f"IN ({', '.join('?' * len(values))})"
        return Posting(self.tokens.name, "token", test, values, own=False, merged=True)
