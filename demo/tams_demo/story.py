"""The main job of a store, step by step: media in, media out, and a look at every byte and frame of it."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Final, TypeVar
from uuid import UUID

from tams_demo.checking import Mismatch, check_bytes, check_extent, check_frames, check_init, check_listing
from tams_demo.cutting import MediaObject
from tams_demo.flows import FlowBody, Ids, collecting_flow, track_flow
from tams_demo.recording import Recording
from tams_demo.replies import Slot, StoredSegment
from tams_demo.report import Report, Step
from tams_demo.segments import SegmentBody
from tams_demo.store import Store
from tams_demo.timeline import Span, nanoseconds

BATCH: Final = 30
"""Media objects to allocate, upload and register at a time: few enough to be done with before their URLs expire."""
PAGE: Final = 5
"""Segments on a page when reading back: few, so that there is a next page to follow."""
_AT_ONCE: Final = 8

T = TypeVar("T")
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Lane:
    """A track's media objects in order, and the flow that they are stored on."""

    objects: tuple[MediaObject, ...]
    flow: FlowBody

    @property
    def init_type(self) -> str:
        """The media type of its init segments, empty where there are none."""
        media = self.objects[0]
        return media.wrapping.init.get(media.piece.track.kind, "")

    def within(self, span: Span, epoch: int) -> list[MediaObject]:
        """The media objects whose segments overlap `span`."""
        return [media for media in self.objects if media.piece.span(epoch).overlaps(span)]


class Story:
    """Stores `recording` on flows that begin at `epoch` nanoseconds, and reads the middle third of it back.

    Its steps raise `StoreError` or `Mismatch` when the store does not do as the specification says.
    """

    def __init__(
        self, store: Store, report: Report, *, recording: Recording, epoch: int, new_id: Callable[[], UUID]
    ) -> None:
        self._store = store
        self._report = report
        self._epoch = epoch
        self._lanes = [
            Lane(objects, track_flow(_ids(new_id), objects, label=recording.label, target=recording.target))
            for objects in recording.tracks
        ]
        self._collection = collecting_flow(_ids(new_id), [lane.flow for lane in self._lanes], label=recording.label)
        third = recording.end / 3
        self.asked = Span(epoch + nanoseconds(third), epoch + nanoseconds(2 * third))
        """The timerange that is read back."""
        due = [media.piece for lane in self._lanes for media in lane.within(self.asked, epoch)]
        self._due = len(due)
        self._due_frames = sum(len(piece.times) for piece in due)

    @property
    def flows(self) -> list[FlowBody]:
        """The flows that are created: one for each track, then the one that collects them."""
        return [*(lane.flow for lane in self._lanes), self._collection]

    async def tell(self) -> None:
        """The whole story, except for the removal."""
        await self._describe()
        for lane in self._lanes:
            await self._fill(lane)
        await self._inspect()
        self._report.say(f"Reading back {self.asked}")
        for lane in self._lanes:
            await self._read_back(lane)

    async def remove(self) -> None:
        """Delete the flows, the collecting one first."""
        with self._report.step("delete", "flows", total=len(self.flows)) as step:
            for flow in reversed(self.flows):
                await self._store.delete_flow(flow.id)
                step.advance()

    async def _describe(self) -> None:
        with self._report.step("describe", "flows created", total=len(self.flows)) as step:
            for flow in self.flows:
                await self._store.put_flow(flow)
                step.advance()

    async def _fill(self, lane: Lane) -> None:
        total = sum(len(lane.objects) for lane in self._lanes)
        inits = await self._store_inits(lane)
        waiting = lane.objects
        while waiting:
            with self._report.step("allocate", "media objects", total=total) as step:
                slots = await self._store.allocate(lane.flow.id, min(BATCH, len(waiting)))
                step.advance(len(slots))
            batch, waiting = waiting[: len(slots)], waiting[len(slots) :]
            with self._report.step("upload", "media objects", total=total) as step:
                await _for_each(zip(slots, batch, strict=True), lambda pair: self._upload(*pair, step=step))
            with self._report.step("register", "segments", total=total) as step:
                pairs = zip(slots, batch, strict=True)
                bodies = [
                    SegmentBody.of(media, slot.object_id, epoch=self._epoch, init_id=inits.get(media.init))
                    for slot, media in pairs
                ]
                await self._store.register(lane.flow.id, bodies)
                step.advance(len(bodies))

    async def _store_inits(self, lane: Lane) -> dict[bytes, str]:
        """The ids under which the init segments of a track are stored: usually it has one, or none."""
        found = dict.fromkeys(media.init for media in lane.objects if media.init)
        kind, container = lane.init_type, lane.flow.container
        ids: dict[bytes, str] = {}
        for content in found:
            with self._report.step("prepare", "init segments", total=len(self._lanes)) as step:
                slot, *_ = await self._store.allocate(lane.flow.id, 1, content_type=None if kind == container else kind)
                await self._store.upload(slot, content, kind=kind)
                ids[content] = slot.object_id
                step.advance(size=len(content))
        return ids

    async def _upload(self, slot: Slot, media: MediaObject, *, step: Step) -> None:
        content = await asyncio.to_thread(media.path.read_bytes)
        await self._store.upload(slot, content, kind=media.wrapping.media[media.piece.track.kind])
        step.advance(size=len(content))

    async def _inspect(self) -> None:
        with self._report.step("inspect", "flows as described", total=len(self.flows)) as step:
            for lane in self._lanes:
                check_extent(lane.objects, (await self._store.flow(lane.flow.id)).timerange, epoch=self._epoch)
                step.advance()
            collected = (await self._store.flow(self._collection.id)).flow_collection
            if collected != self._collection.flow_collection:
                raise Mismatch(f"the collection was {self._collection.flow_collection}, the store says {collected}")
            step.advance()

    async def _read_back(self, lane: Lane) -> None:
        expected = lane.within(self.asked, self._epoch)
        listed = await self._list(lane)
        check_listing(expected, listed, epoch=self._epoch)
        with self._report.step("download", "media objects", total=self._due) as step:
            contents = await _for_each(listed, lambda segment: self._download(segment, step))
            inits = await self._read_inits(listed)
        with self._report.step("compare", "objects by sha-256", total=self._due) as step:
            for media, content, segment in zip(expected, contents, listed, strict=True):
                check_init(media, inits.get(_init_id(segment), b""))
                check_bytes(media, content)
                step.advance(size=len(content))
        with self._report.step("decode", "frames on time", total=self._due_frames) as step:
            for media, content, segment in zip(expected, contents, listed, strict=True):
                whole, wrapping = media.init + content, media.wrapping
                step.advance(check_frames(media.piece, whole, segment=segment, epoch=self._epoch, wrapping=wrapping))

    async def _read_inits(self, listed: Iterable[StoredSegment]) -> dict[str, bytes]:
        """The init segments that `listed` need, each of them once."""
        needed = {init.object_id: init.get_urls[0] for segment in listed if (init := segment.init_object)}
        return {name: await self._store.download(url) for name, url in needed.items()}

    async def _list(self, lane: Lane) -> list[StoredSegment]:
        listed: list[StoredSegment] = []
        with self._report.step("list", "segments", total=self._due) as step:
            async for page in self._store.pages(lane.flow.id, self.asked, limit=PAGE):
                listed.extend(page)
                step.advance(len(page))
                step.turns += 1
                step.note = "1 page" if step.turns == 1 else f"{step.turns} pages"
        return listed

    async def _download(self, segment: StoredSegment, step: Step) -> bytes:
        content = await self._store.download(segment.get_urls[0])
        step.advance(size=len(content))
        return content


def _init_id(segment: StoredSegment) -> str:
    return segment.init_object.object_id if segment.init_object else ""


def _ids(new_id: Callable[[], UUID]) -> Ids:
    return Ids(flow=new_id(), source=new_id())


async def _for_each(items: Iterable[Item], act: Callable[[Item], Awaitable[T]]) -> list[T]:
    """What `act` gives for each of `items`, in order, a few at once; the first failure ends the rest."""
    limit = asyncio.Semaphore(_AT_ONCE)

    async def limited(item: Item) -> T:
        async with limit:
            return await act(item)

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(limited(item)) for item in items]
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return [task.result() for task in tasks]
