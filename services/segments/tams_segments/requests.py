"""The bodies of requests, as strict as the specification's schemas, each with the bounds that our rows have."""

from typing import Annotated, TypeAlias

import msgspec
from msgspec import UNSET, Meta, UnsetType

from tams_common.errors import InvalidInput
from tams_common.http.codec import Timestamp, decode_json
from tams_common.ids import StorageId
from tams_common.model.values import MEDIA_TYPE, UUID, Whole
from tams_common.timerange import TimeRange

ObjectName: TypeAlias = Annotated[str, Meta(min_length=1, max_length=1024)]
"""An object id: any text that is not empty (STO-5); its length is bounded by what a row and an event may hold."""


Url: TypeAlias = Annotated[str, Meta(min_length=1, max_length=8192)]
Label: TypeAlias = Annotated[str, Meta(min_length=1, max_length=1024)]


class UrlPost(msgspec.Struct, frozen=True):
    """An instance of an object that this store does not control (SGP-14)."""

    url: Url
    label: Label


class InstancePost(msgspec.Struct, frozen=True):
    """Another instance of an object: a copy in a backend, or a URL (s/objects-instances-post)."""

    storage_id: Annotated[StorageId, UUID] | UnsetType = UNSET
    url: Url | UnsetType = UNSET
    label: Label | UnsetType = UNSET

    def __post_init__(self) -> None:
        is_url = self.url is not UNSET and self.label is not UNSET
        if (self.storage_id is not UNSET) is is_url:
            raise ValueError("an instance is either a storage_id, or a url with its label (INS-3)")


class SegmentPost(msgspec.Struct, frozen=True):
    """One segment to register (s/flow-segment-post)."""

    object_id: ObjectName
    timerange: TimeRange
    ts_offset: Timestamp | UnsetType = UNSET
    last_duration: Timestamp | UnsetType = UNSET
    object_timerange: TimeRange | UnsetType = UNSET
    sample_offset: Whole | UnsetType = UNSET
    sample_count: Whole | UnsetType = UNSET
    key_frame_count: Whole | UnsetType = UNSET
    init_object_id: ObjectName | UnsetType = UNSET
    get_urls: Annotated[tuple[UrlPost, ...], Meta(max_length=32)] = ()


class SegmentName(msgspec.Struct, frozen=True):
    """What an item of an array must have so that its failure can be reported beside the others' success (T-23)."""

    object_id: str
    timerange: msgspec.Raw = msgspec.Raw()


class StoragePost(msgspec.Struct, frozen=True, rename={"content_type_alias": "content-type"}):
    """A request for places to upload to (s/flow-storage-post); `content-type` is an alias that the prose uses (T-5)."""

    limit: Annotated[int, Meta(gt=0)] | UnsetType = UNSET
    object_ids: tuple[ObjectName, ...] | UnsetType = UNSET
    storage_id: Annotated[StorageId, UUID] | UnsetType = UNSET
    content_type: Annotated[str, Meta(pattern=MEDIA_TYPE)] | UnsetType = UNSET
    content_type_alias: Annotated[str, Meta(pattern=MEDIA_TYPE)] | UnsetType = UNSET
    presigned: bool | UnsetType = UNSET

    def __post_init__(self) -> None:
        if self.limit is not UNSET and self.object_ids is not UNSET:
            raise ValueError("limit and object_ids exclude each other (STO-2)")
        if self.object_ids is not UNSET and len(set(self.object_ids)) < len(self.object_ids):
            raise ValueError("object_ids names an id twice (STO-21)")
        both = (self.content_type, self.content_type_alias)
        if UNSET not in both and both[0] != both[1]:
            raise ValueError("content_type and content-type differ (T-5)")


class Malformed(msgspec.Struct, frozen=True):
    """An item of an array that is no segment, yet names its object; `timerange` where that much can be read."""

    index: int
    object_id: str
    timerange: TimeRange | None
    error: InvalidInput


class Posted(msgspec.Struct, frozen=True):
    """The body of POST segments: one segment or an array; `items` are numbered by their place."""

    is_array: bool
    items: list[tuple[int, SegmentPost]]
    malformed: list[Malformed] = []


def read_segments(data: bytes) -> Posted:
    """Reads the body of POST segments (T-22, T-23); raises `InvalidInput` for one that is refused as a whole."""
    if data.lstrip()[:1] != b"[":
        return Posted(is_array=False, items=[(0, decode_json(data, SegmentPost))])
    try:
        return Posted(is_array=True, items=list(enumerate(decode_json(data, list[SegmentPost]))))
    except InvalidInput:
        return _read_items(decode_json(data, list[msgspec.Raw]))


def at_item(error: InvalidInput, index: int) -> InvalidInput:
    """The error of an item, with its path in the whole body."""
    path = error.field or "$"
    field = path.replace("$", f"$[{index}]", 1) if path.startswith("$") else f"$[{index}].{path}"
    detail = error.detail.removesuffix(f" at {path}")
    return InvalidInput(detail if detail == error.detail else f"{detail} at {field}", field=field)


def _read_items(raws: list[msgspec.Raw]) -> Posted:
    posted = Posted(is_array=True, items=[])
    for index, raw in enumerate(raws):
        data = bytes(raw)
        try:
            posted.items.append((index, decode_json(data, SegmentPost)))
        except InvalidInput as error:
            posted.malformed.append(_malformed(data, index, error=error))
    return posted


def _malformed(data: bytes, index: int, *, error: InvalidInput) -> Malformed:
    try:
        named = decode_json(data, SegmentName)
    except InvalidInput as refusal:
        raise at_item(refusal, index) from None
    try:
        timerange = decode_json(bytes(named.timerange), TimeRange)
    except InvalidInput:
        timerange = None
    return Malformed(index, named.object_id, timerange, error)
