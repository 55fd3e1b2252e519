"""What a registration does to media objects: the first one fixes an object, later ones only refer to it (SGP-12 on)."""

from collections import Counter
from collections.abc import Iterable

import msgspec
from msgspec import UNSET

from tams_common.errors import InvalidInput
from tams_common.ids import FlowId
from tams_common.timerange import TimeFormatError, TimeRange
from tams_segments.instances import Uncontrolled, further, instances_of, with_instances
from tams_segments.requests import SegmentPost, UrlPost
from tams_segments.tables import MediaObject


class Rules(msgspec.Struct, frozen=True):
    """What registrations have to know of their flow and of the store; `labels` are those of the storage backends."""

    flow_id: FlowId
    init_segments: bool
    labels: frozenset[str]


class Ledger:
    """The media objects that one request names: read at once, changed by each accepted item, written back together."""

    def __init__(self, found: Iterable[MediaObject], rules: Rules, *, now: int) -> None:
        self._objects = {known.id: known for known in found}
        self._stored = frozenset(self._objects)
        self._changed: dict[str, None] = {}
        self._rules = rules
        self._now = now
        self.init_uses: Counter[str] = Counter()

    @property
    def inserts(self) -> list[MediaObject]:
        """Objects that are held elsewhere and were not known before."""
        return [self._objects[name] for name in self._changed if name not in self._stored]

    @property
    def updates(self) -> list[MediaObject]:
        """Known objects that have changed."""
        return [self._objects[name] for name in self._changed if name in self._stored]

    def claim(self, item: SegmentPost) -> MediaObject:
        """Takes a reference to the item's object for one segment more, or raises `InvalidInput` (SGP-27)."""
        known = self._objects.get(item.object_id)
        if known is not None and known.state == "media":
            media, init = self._reuse(known, item), None
        else:
            media = self._first(known, item)
            init = self._init_object(item)
        self._keep(media)
        if init is not None:
            self._keep(init)
        if media.init_object_id is not None:
            self.init_uses[media.init_object_id] += 1
        return media

    def _keep(self, changed: MediaObject) -> None:
        self._objects[changed.id] = changed
        self._changed[changed.id] = None

    def _first(self, known: MediaObject | None, item: SegmentPost) -> MediaObject:
        """The object as its first registration fixes it (SGP-18)."""
        if known is None and not item.get_urls:
            raise _unknown(item.object_id, "object_id")
        if known is not None:
            self._check_role(known, "object_id", wanted="media")
        self._check_init(item.init_object_id is not UNSET)
        whole = _on_object(item)
        timerange = whole if item.object_timerange is UNSET else item.object_timerange
        _check_within(whole, timerange)
        fixed = MediaObject(
            id=item.object_id,
            state="media",
            created=known.created if known else self._now,
            allocated_for=known.allocated_for if known else None,
            storage_id=known.storage_id if known else None,
            storage_key=known.storage_key if known else None,
            content_type=known.content_type if known else None,
            timerange=str(timerange),
            key_frame_count=None if item.key_frame_count is UNSET else item.key_frame_count,
            init_object_id=None if item.init_object_id is UNSET else item.init_object_id,
            first_flow=self._rules.flow_id,
            reference_count=1,
        )
        return self._with_instances(fixed, item.get_urls) if item.get_urls else fixed

    def _reuse(self, known: MediaObject, item: SegmentPost) -> MediaObject:
        """The object with one more reference; a request may repeat its properties, not change them (SGP-19, SGP-30)."""
        _check_same(known.key_frame_count, item.key_frame_count, field="key_frame_count")
        _check_same(known.init_object_id, item.init_object_id, field="init_object_id")
        timerange = TimeRange.parse(known.timerange or "()")
        if item.object_timerange is not UNSET and item.object_timerange != timerange:
            raise _changes("object_timerange", timerange)
        self._check_init(known.init_object_id is not None)
        _check_within(_on_object(item), timerange)
        instances = further(known) if item.get_urls else ()
        if any(Uncontrolled(url.url, url.label) not in instances for url in item.get_urls):
            raise InvalidInput(
                f"object {known.id!r} is registered: add instances by POST /objects/{{objectId}}/instances",
                field="get_urls",
            )
        return msgspec.structs.replace(known, reference_count=known.reference_count + 1)

    def _init_object(self, item: SegmentPost) -> MediaObject | None:
        """The init object with one more media object that needs it (INI-4, INI-6, INI-14)."""
        if item.init_object_id is UNSET:
            return None
        known = self._objects.get(item.init_object_id)
        if known is None:
            raise _unknown(item.init_object_id, field="init_object_id")
        if known.id == item.object_id:
            raise InvalidInput("an object cannot be its own init object", field="init_object_id")
        if known.state == "init":
            return msgspec.structs.replace(known, reference_count=known.reference_count + 1)
        self._check_role(known, "init_object_id", wanted="init")
        return msgspec.structs.replace(known, state="init", reference_count=1, first_flow=self._rules.flow_id)

    def _check_role(self, known: MediaObject, field: str, *, wanted: str) -> None:
        if known.state != "allocated":
            raise InvalidInput(
                f"object {known.id!r} is in use as {known.state} object and cannot be used as {wanted} object (SGP-23)",
                field=field,
            )
        if known.allocated_for != self._rules.flow_id:
            raise InvalidInput(
                f"object {known.id!r} was allocated for flow {known.allocated_for} and is not in use yet (SGP-12)",
                field=field,
            )

    def _check_init(self, present: bool) -> None:
        if present and not self._rules.init_segments:
            raise InvalidInput("the flow's essence_parameters do not say init_segments (INI-2)", field="init_object_id")
        if self._rules.init_segments and not present:
            raise InvalidInput("the flow's init_segments asks for an init_object_id (INI-2)", field="init_object_id")

    def _with_instances(self, known: MediaObject, urls: tuple[UrlPost, ...]) -> MediaObject:
        labels = [url.label for url in urls]
        if len(set(labels)) < len(labels):
            raise InvalidInput("get_urls has two entries with one label (SGP-16)", field="get_urls")
        taken = sorted(self._rules.labels.intersection(labels))
        if taken:
            raise InvalidInput(f"the label {taken[0]!r} belongs to a storage backend (SGP-16)", field="get_urls")
        return with_instances(known, (*instances_of(known), *(Uncontrolled(url.url, url.label) for url in urls)))


def names_of(items: Iterable[SegmentPost]) -> set[str]:
    """Every object that `items` name, init objects included."""
    names: set[str] = set()
    for item in items:
        names.add(item.object_id)
        if item.init_object_id is not UNSET:
            names.add(item.init_object_id)
    return names


def _on_object(item: SegmentPost) -> TimeRange:
    """The segment's time on the timeline of its object (TIME-19)."""
    if item.ts_offset is UNSET or item.ts_offset == 0:
        return item.timerange
    try:
        return item.timerange.shift(-item.ts_offset)
    except TimeFormatError as error:
        raise InvalidInput(f"timerange less ts_offset: {error}", field="ts_offset") from None


def _check_within(part: TimeRange, whole: TimeRange) -> None:
    if part is not whole and not whole.contains(part):
        raise InvalidInput(
            f"the segment uses {part} of an object that has {whole} (timerange less ts_offset, SGP-20)",
            field="timerange",
        )


def _check_same(stored: int | str | None, given: object, *, field: str) -> None:
    if given is not UNSET and given != stored:
        raise _changes(field, stored)


def _changes(field: str, stored: object) -> InvalidInput:
    shown = "none" if stored is None else str(stored)
    return InvalidInput(f"re-use cannot change the object's {field}, which is {shown} (SGP-19)", field=field)


def _unknown(name: str, field: str) -> InvalidInput:
    hint = "; allocate it by POST /flows/{flowId}/storage" + (", or give get_urls" if field == "object_id" else "")
    return InvalidInput(f"object {name!r} is not known{hint} (SGP-15)", field=field)
