"""The reference for filtered lists: SQL by hand over the catalog's own tables, as good as it gets for each filter."""

import sqlite3
import statistics
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, TypeAlias

import msgspec

from tams_catalog.extents import with_updates
from tams_common.store import Compare, Contains
from tams_common.store.where import Condition

ROWS: Final = "flow_index"
TOKENS: Final = '"flow_index.tokens"'
_ORDER: Final = "ORDER BY created DESC, id DESC LIMIT 31"
_BODIES: Final = "SELECT id, body FROM flows WHERE id IN ({})"
_UPDATES: Final = "SELECT id, segments_updated FROM flow_index WHERE id IN ({})"


class Term(msgspec.Struct, frozen=True):
    """A condition as it is asked of a row, and of the list that an index has of it, if there is any."""

    row: str
    value: str | int
    table: str = ""
    entry: str = ""
    key: str | int = ""
    negate: bool = False


def term_of(condition: Condition) -> Term:
    """What a filter of the API asks."""
    match condition:
        case Contains(column=column, part=part, negate=negate):
            row = f"instr({{}}{column}, ?) {'=' if negate else '>'} 0"
            return Term(row, part, TOKENS, "{}token = ?", column + part, negate)
        case Compare(column=column, op="==", value=str() | int() as value):
            return Term(f"{{}}{column} = ?", value, ROWS, f"{{}}{column} = ?", value)
        case Compare(column=column, op=op, value=str() | int() as value):
            return Term(f"{{}}{column} {op} ?", value)
    raise TypeError(f"no SQL by hand for {condition}")


Statement: TypeAlias = tuple[str, tuple[str | int, ...]]


def candidates(terms: Sequence[Term]) -> Iterator[Statement]:
    """Statements that find the ids of the page: what SQLite makes of the plain one, all rows one after the other, along
    the order, along each list with looks into the others, and all lists merged."""
    plain = " AND ".join(term.row.format("") for term in terms)
    values = tuple(term.value for term in terms)
    yield f"SELECT created, id FROM {ROWS} WHERE {plain} {_ORDER}", values
    yield f"SELECT created, id FROM {ROWS} NOT INDEXED WHERE {plain} {_ORDER}", values
    fixed = " AND ".join(term.row.format("+") for term in terms)
    yield f"SELECT created, id FROM {ROWS} WHERE {fixed} {_ORDER}", values
    lists = [term for term in terms if term.table]
    rest = [term for term in terms if not term.table]
    for first in lists:
        if not first.negate:
            yield _along(first, [term for term in lists if term is not first], rest=rest)
    if not any(not term.negate for term in lists):
        yield _along(None, lists, rest=rest)
    if not rest:
        yield _merged(lists)


def best(path: Path, terms: Sequence[Term], *, tries: int) -> Statement:
    """The fastest of the candidates, each tried some times; that all find the same is checked, too."""
    found: list[tuple[float, Statement]] = []
    answers = set()
    reader = connect(path)
    for statement in candidates(terms):
        answers.add(tuple(reader.execute(*statement).fetchall()))
        times = []
        for _ in range(tries):
            begin = time.perf_counter()
            reader.execute(*statement).fetchall()
            times.append(time.perf_counter() - begin)
        found.append((statistics.median(times), statement))
    reader.close()
    assert len(answers) == 1, "the statements do not agree"
    return min(found)[1]


def page(reader: sqlite3.Connection, statement: Statement) -> bytes:
    """The page of flows that `statement` finds, as the API returns it."""
    ids = [id_ for _, id_ in reader.execute(*statement).fetchmany(30)]
    marks = ", ".join("?" * len(ids))
    bodies: dict[str, bytes] = dict(reader.execute(_BODIES.format(marks), ids))
    updates: dict[str, int | None] = dict(reader.execute(_UPDATES.format(marks), ids))
    return b"".join((b"[", b",".join(with_updates(bodies[id_], updates[id_]) for id_ in ids), b"]"))


def connect(path: Path) -> sqlite3.Connection:
    """A connection that only reads, for any thread."""
    return sqlite3.connect(f"file:{path}?mode=ro", uri=True, check_same_thread=False, isolation_level=None)


def _along(first: Term | None, others: Sequence[Term], *, rest: Sequence[Term]) -> Statement:
    source = ROWS if first is None else first.table
    where: list[str] = []
    values: list[str | int] = []
    if first is not None:
        where.append(first.entry.format("p."))
        values.append(first.key)
    for term in others:
        same = "q.created = p.created AND q.id BETWEEN p.id AND p.id"
        entries = f"SELECT 1 FROM {term.table} AS q WHERE {term.entry.format('q.')} AND {same}"
        where.append(f"{'NOT ' if term.negate else ''}EXISTS ({entries})")
        values.append(term.key)
    join = ""
    if rest:
        join = f" CROSS JOIN {ROWS} AS r ON r.id = p.id"
        where += [term.row.format("r.") for term in rest]
        values += [term.value for term in rest]
    order = _ORDER.replace("created", "p.created").replace("id ", "p.id ")
    return f"SELECT p.created, p.id FROM {source} AS p{join} WHERE {' AND '.join(where)} {order}", tuple(values)


def _merged(lists: Sequence[Term]) -> Statement:
    ordered = sorted(lists, key=lambda term: term.negate)
    parts = [] if not ordered[0].negate else [f"SELECT created, id FROM {ROWS}"]
    for term in ordered:
        if parts:
            parts.append("EXCEPT" if term.negate else "INTERSECT")
        parts.append(f"SELECT created, id FROM {term.table} WHERE {term.entry.format('')}")
    return f"{' '.join(parts)} {_ORDER}", tuple(term.key for term in ordered)
