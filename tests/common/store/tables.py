"""Tables of every kind that the store port knows, for its contract suite."""

from collections.abc import Callable

import msgspec

from tams_common.store import Guard, Projection, Query, Reader, Table, Tx, Windowed


class Item(msgspec.Struct, frozen=True):
    """A row with every kind of column."""

    id: str
    version: int = 1
    colour: str | None = None
    size: int | None = None
    ready: bool = False
    sealed: bool | None = None
    body: bytes = b"{}"


class Head(msgspec.Struct, frozen=True):
    """The row that serialises the writers of a flow's clips."""

    flow: str
    version: int = 1


class Clip(msgspec.Struct, frozen=True, kw_only=True):
    """A row under a guard."""

    flow: str
    start: int
    object_id: str = "object"
    body: bytes = b"{}"


class Entry(msgspec.Struct, frozen=True):
    """A row of a log whose sort column alone does not tell rows apart."""

    id: str
    at: int


ITEMS = Table("items", Item, key=("id",), projections=(Projection("colours", ("colour", "size")),))
HEADS = Table("heads", Head, key=("flow",))
CLIPS = Table(
    "clips",
    Clip,
    key=("flow", "start"),
    paging=Windowed(),
    guarded_by=Guard("heads", ("flow",)),
    projections=(Projection("objects", ("object_id", "flow")),),
)
LOG = Table("log", Entry, key=("id",), sort=("at",), paging=Windowed())

TABLES = (ITEMS, HEADS, CLIPS, LOG)


def items(*ids: str) -> list[Item]:
    """Items that differ in nothing but their ids."""
    return [Item(id) for id in ids]


def insert_items(*ids: str) -> Callable[[Tx], None]:
    """A transaction that inserts `items`."""
    return lambda tx: tx.insert(ITEMS, items(*ids))


def all_ids(reader: Reader) -> list[str]:
    """The ids of all items, in order."""
    return [str(id) for (id,) in reader.select(ITEMS, ("id",), query=Query()).rows]
