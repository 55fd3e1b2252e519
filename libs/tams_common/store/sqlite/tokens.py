"""The index of the tokens in text columns: a table beside the indexed one, with an entry for each token of a row."""

from collections.abc import Iterator
from typing import Any, Final

from tams_common.store.layout import AnyLayout
from tams_common.store.sqlite.sql import quoted, token_table
from tams_common.store.table import Row
from tams_common.store.where import Compare, Condition, Contains

DELIMITER: Final = "|"


class TokenIndex:
    """Which rows hold a token, in the table's own order: of each entry `token`, the order columns, and no more.

    A token is kept under the name of its column; the name alone stands for an empty column.
    """

    def __init__(self, layout: AnyLayout) -> None:
        self.order = layout.total_order(())
        self.name = quoted(token_table(layout.table.name))
        self._columns = layout.tokens
        self.insert = f"INSERT INTO {self.name} VALUES (?, {', '.join('?' * len(self.order))})"
        place = " AND ".join(f"{quoted(name)} = ?" for name in self.order)
        self.delete = f"DELETE FROM {self.name} WHERE token = ? AND {place}"

    def entries(self, row: Row) -> set[tuple[Any, ...]]:
        """The entries of `row`."""
        place = tuple(getattr(row, name) for name in self.order)
        return {(token, *place) for column in self._columns for token in _tokens(column, getattr(row, column))}

    def token(self, condition: Condition) -> str | None:
        """What exactly the rows hold that meet `condition`, or fail its negation; None when no token is it."""
        column = condition.column
        if column not in self._columns:
            return None
        match condition:
            case Contains(part=part) if _whole(part):
                return column + part
            case Compare(op="==", value=""):
                return column
        return None


def _tokens(column: str, text: str) -> Iterator[str]:
    if not text:
        yield column
    for part in text.split(DELIMITER)[1:-1]:
        yield f"{column}{DELIMITER}{part}{DELIMITER}"


def _whole(part: str) -> bool:
    """Whether `part` asks for one token between its delimiters."""
    return len(part) > 1 and part[0] == part[-1] == DELIMITER and DELIMITER not in part[1:-1]
