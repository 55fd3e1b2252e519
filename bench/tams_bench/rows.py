"""Rows of the segments service for the bench of stores: a long flow with its objects, and flows to write to."""

import itertools
import random
import uuid
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from tams_bench.corpus import BULK, timerange
from tams_segments.tables import Head, MediaObject, Segment

STEP: Final = 2_000_000_000
"""Nanoseconds per segment."""
PAGE: Final = 30
COLUMNS: Final = ("object_id", "body")
"""What a page needs of each segment."""


class Rows:
    """A flow of `length` segments, and `writers` flows that only have a head; every store gets the same rows."""

    def __init__(self, length: int, writers: int) -> None:
        self.length = length
        self.flow = str(uuid.uuid4())
        self._written = [str(uuid.uuid4()) for _ in range(writers)]
        self.heads = [Head(flow, str(uuid.uuid4()), version=1) for flow in (self.flow, *self._written)]
        self._objects = [str(uuid.uuid4()) for _ in range(length)]
        self._positions = itertools.count()
        self._random = random.Random(8)

    def media(self) -> Iterator[tuple[list[Segment], list[MediaObject]]]:
        """The long flow's segments with their objects, 1000 at a time."""
        for start in range(0, self.length, 1000):
            positions = range(start, min(start + 1000, self.length))
            segments = [_segment(self.flow, position, object_id=self._objects[position]) for position in positions]
            objects = [
                MediaObject(row.object_id, "media", created=row.start_ns, first_flow=self.flow) for row in segments
            ]
            yield segments, objects

    def object_id(self) -> str:
        """The id of one of the objects."""
        return self._random.choice(self._objects)

    def page_start(self) -> int:
        """Where (ns) a page may begin that has 30 segments."""
        return self._random.randrange(self.length - PAGE) * STEP

    def head(self, client: int) -> Head:
        """The head of the flow to which `client` writes, as it is stored."""
        return self.heads[1 + client]

    def single(self, client: int) -> Segment:
        """A segment that no store holds yet, of the flow to which `client` writes."""
        return _segment(self._written[client], next(self._positions), object_id=str(uuid.uuid4()))

    def bulk(self, client: int) -> Sequence[Segment]:
        """As many as one request may register."""
        return [self.single(client) for _ in range(BULK)]


def _segment(flow: str, position: int, *, object_id: str) -> Segment:
    start = position * STEP
    body = msgspec.json.encode({"object_id": object_id, "timerange": timerange(position)})
    return Segment(flow, start, start + STEP, False, object_id, head_version=1, body=body)
