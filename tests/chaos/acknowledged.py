"""What clients were told, and what has to be true of a flow after that, however the store was killed meanwhile.

A request that was answered has happened, or not, as the answer says. One that was cut off may have happened or not, or
may still: an addition as a whole, a deletion from its start up to any segment. `Request` stands for it in the segments
that it leaves in doubt.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from typing import NamedTuple

import msgspec


class Named(NamedTuple):
    """A segment, as clients know it."""

    object_id: str
    timerange: str


class Request:
    """One request that adds segments or removes some; `done` when its success was acknowledged."""

    def __init__(self, text: str, *, adds: bool, done: bool) -> None:
        self.text = text
        self.adds = adds
        self.done = done

    def __repr__(self) -> str:
        return f"{self.text} ({'done' if self.done else 'cut off'})"


class Entry:
    """A segment that may be there: `doubts` are the requests of which nobody knows whether they decide on it."""

    def __init__(self, start: int, added: Request) -> None:
        self.start = start
        self.added = added
        self.doubts = [] if added.done else [added]
        self.gone = False

    @property
    def expected(self) -> bool | None:
        """Whether it has to be there; None when both will do."""
        return False if self.gone else None if self.doubts else True

    def delete(self, request: Request) -> None:
        """A deletion that covers it. One that was done is over, so that an addition in doubt may come after it."""
        if request.done and self.added not in self.doubts:
            self.gone = True
        else:
            self.doubts.append(request)

    def seen(self, there: bool) -> None:
        """The store has been looked at: what is there was added, and what has gone does not come back."""
        if there:
            self.doubts = [doubt for doubt in self.doubts if doubt is not self.added and not doubt.done]
        elif self.added not in self.doubts:
            self.gone = True


class Timeline:
    """All that was ever asked for on one flow, deleted creations of it included."""

    def __init__(self) -> None:
        self.entries: dict[Named, Entry] = {}
        self._cut_off: list[range] = []

    def add(self, segments: Iterable[Named], request: Request, *, start: int) -> None:
        """Segments of a second each, the first one from `start` (s) on."""
        for at, named in enumerate(segments, start):
            self.entries[named] = Entry(at, request)

    def delete(self, request: Request, *, start: int, end: int) -> None:
        """A deletion from `start` to `end` (s)."""
        if not request.done:
            self._cut_off.append(range(start, end))
        for entry in self.entries.values():
            if start <= entry.start < end and not entry.gone:
                entry.delete(request)

    def is_free(self, start: int, *, end: int) -> bool:
        """Whether nothing can be there from `start` to `end` (s), and nothing may yet be deleted there."""
        taken = any(start <= entry.start < end and not entry.gone for entry in self.entries.values())
        return not taken and all(end <= late.start or late.stop <= start for late in self._cut_off)

    def compare(self, found: Collection[Named]) -> None:
        """Holds what the flow has against what was told, and takes into account what is seen."""
        shown = set(found)
        assert len(shown) == len(found), "a segment is listed twice"
        unasked = shown - self.entries.keys()
        assert not unasked, f"nobody asked for {sorted(unasked)}"
        lost = [named for named, entry in self.entries.items() if entry.expected is True and named not in shown]
        assert not lost, f"acknowledged, and not there: {lost}"
        back = [named for named, entry in self.entries.items() if entry.expected is False and named in shown]
        assert not back, f"deleted, and there: {back}"
        self._check_doubts(shown)
        for named, entry in self.entries.items():
            entry.seen(named in shown)

    def _check_doubts(self, shown: Collection[Named]) -> None:
        """What only one request leaves in doubt has to look as if that had stopped at some moment."""
        left: dict[Request, list[bool]] = defaultdict(list)
        for named, entry in sorted(self.entries.items(), key=lambda item: item[1].start):
            if not entry.gone and len(entry.doubts) == 1:
                left[entry.doubts[0]].append(named in shown)
        for request, there in left.items():
            stopped = [there[0]] * len(there) if request.adds else sorted(there)
            assert there == stopped, f"{request} was done by halves: {there}"


class Media(msgspec.Struct):
    """An object: its bytes' digest, the backend it went to, and the copies that were asked for, if acknowledged."""

    digest: bytes
    size: int
    home: str
    copies: dict[str, bool] = {}


class Ledger:
    """Of all clients together: `counts` of what was acknowledged and what was cut off, by kind."""

    def __init__(self) -> None:
        self.flows: dict[str, Timeline] = defaultdict(Timeline)
        self.media: dict[str, Media] = {}
        self.deletions: set[str] = set()
        self.acknowledged: Counter[str] = Counter()
        self.cut_off: Counter[str] = Counter()

    def count(self, kind: str, *, done: bool) -> None:
        """One more request of a kind."""
        (self.acknowledged if done else self.cut_off)[kind] += 1

    def uses(self, object_id: str) -> list[bool | None]:
        """For each segment that was to use the object, whether it has to be there."""
        flows = self.flows.values()
        return [
            entry.expected for flow in flows for named, entry in flow.entries.items() if named.object_id == object_id
        ]

    def is_held(self, object_id: str) -> bool:
        """Whether a segment that has to be there uses the object."""
        return True in self.uses(object_id)
