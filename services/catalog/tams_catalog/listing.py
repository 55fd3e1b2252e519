"""Lists of flows and sources: which rows, in which order, rendered by joining what is stored (FLW-1, FLW-2, SRC-8)."""

import re
from typing import Final, NamedTuple

import msgspec

from tams_catalog.extents import with_updates
from tams_catalog.tables import EXTENTS, FLOWS, SOURCES
from tams_common.errors import InvalidInput
from tams_common.http.query import Params
from tams_common.model.values import AUDIO, DATA, IMAGE, MEDIA_TYPE, MULTI, VIDEO
from tams_common.store import Query, Reader, eq
from tams_common.store.where import Condition

FORMATS: Final = (VIDEO, AUDIO, DATA, MULTI, IMAGE)
_is_media_type = re.compile(MEDIA_TYPE).match
_NOT_YET_FLOWS: Final = frozenset({"timerange", "profile_id", "status", "init_segments", "collected_by_ids", "sort_by"})
_NOT_YET_SOURCES: Final = frozenset({"collected_by_ids", "sort_by"})
_NOT_YET_PREFIXES: Final = ("tag.", "tag_exists.")


class Position(NamedTuple):
    """Where a page begins: after the resource created at that moment (ns) with that id."""

    created: int
    id: str


class Listing(msgspec.Struct, frozen=True):
    """A page of rendered resources; `following` is where the next one begins, None on the last page."""

    bodies: list[bytes]
    following: Position | None

    def json(self) -> bytes:
        """The page as a JSON array."""
        return b"".join((b"[", b",".join(self.bodies), b"]"))


def flow_conditions(params: Params) -> tuple[Condition, ...]:
    """The filters of `GET /flows`; raises `InvalidInput` for a bad one (FLW-9)."""
    _check_built(params, _NOT_YET_FLOWS)
    codec = params.text("codec")
    if codec is not None and not _is_media_type(codec):
        raise InvalidInput(f"query parameter codec: expected a MIME type, found {codec[:64]!r}", field="codec")
    asked = {
        "source_id": params.uuid("source_id"),
        "format": params.choice("format", FORMATS),
        "codec": codec,
        "label": params.text("label"),
        "frame_width": params.integer("frame_width"),
        "frame_height": params.integer("frame_height"),
    }
    return (eq("deleting", False), *(eq(name, value) for name, value in asked.items() if value is not None))


def source_conditions(params: Params) -> tuple[Condition, ...]:
    """The filters of `GET /sources`; raises `InvalidInput` for a bad one (SRC-11)."""
    _check_built(params, _NOT_YET_SOURCES)
    asked = {"format": params.choice("format", FORMATS), "label": params.text("label")}
    return tuple(eq(name, value) for name, value in asked.items() if value is not None)


def _check_built(params: Params, not_yet: frozenset[str]) -> None:
    """A filter that is left out would show rows that were not asked for: until it is built it is refused."""
    for name, _ in params.pairs:
        if name in not_yet or name.startswith(_NOT_YET_PREFIXES):
            raise InvalidInput(f"query parameter {name}: this store cannot apply it yet", field=name)


def newest_first(where: tuple[Condition, ...], *, after: Position | None, limit: int, reverse: bool) -> Query:
    """By creation, newest first, or oldest first if `reverse` (SORT-6, SORT-7); ties by id."""
    return Query(where=where, order=("created",), after=after, limit=limit, reverse=not reverse)


def list_flows(reader: Reader, query: Query) -> Listing:
    """The flows that `query` asks for, each with the moment at which its segments changed."""
    page = reader.scan(FLOWS, query)
    extents = reader.get_many(EXTENTS, [(row.id,) for row in page.rows])
    bodies = [with_updates(row.body, extents.get((row.id,)), incarnation=row.incarnation) for row in page.rows]
    return Listing(bodies, Position(page.rows[-1].created, page.rows[-1].id) if page.more else None)


def list_sources(reader: Reader, query: Query) -> Listing:
    """The sources that `query` asks for."""
    page = reader.scan(SOURCES, query)
    return Listing(
        [row.body for row in page.rows], Position(page.rows[-1].created, page.rows[-1].id) if page.more else None
    )
