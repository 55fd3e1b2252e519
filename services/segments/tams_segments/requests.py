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


class UrlPost(msgspec.Struct, frozen=True, gc=False):
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


class SegmentPost(msgspec.Struct, frozen=True, gc=False):
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


class Refusal(msgspec.Struct, frozen=True, gc=False):
    """An item of a request that was refused, and why: `field` is a member of the item, or a path in it that begins with
    `$`. `timerange` is None where that much cannot be read.

    It has the error's words, not the error: the traces of thousands of those are most of a process's memory.
    """

    index: int
    object_id: str
    timerange: TimeRange | None
    detail: str
    field: str

    @property
    def in_array(self) -> InvalidInput:
        """The error with its path in an array."""
        path = f"$[{self.index}]" + (self.field[1:] if self.field.startswith("$") else f".{self.field}")
        detail = self.detail.removesuffix(f" at {self.field}")
        return InvalidInput(detail if detail == self.detail else f"{detail} at {path}", field=path)


class Posted(msgspec.Struct, frozen=True):
    """The body of POST segments: one segment or an array; `items` are numbered by their place."""

    is_array: bool
    items: list[tuple[int, SegmentPost]]
    malformed: list[Refusal] = []


def read_segments(data: bytes) -> Posted:
    """Reads the body of POST segments (T-22, T-23); raises `InvalidInput` for one that is refused as a whole."""
    if data.lstrip()[:1] != b"[":
        return Posted(is_array=False, items=[(0, decode_json(data, SegmentPost))])
    try:
        return Posted(is_array=True, items=list(enumerate(decode_json(data, list[SegmentPost]))))
    except InvalidInput:
        return _read_items(decode_json(data, list[msgspec.Raw]))


def _read_items(raws: list[msgspec.Raw]) -> Posted:
    posted = Posted(is_array=True, items=[])
    for index, raw in enumerate(raws):
        data = bytes(raw)
        try:
            posted.items.append((index, decode_json(data, SegmentPost)))
        except InvalidInput as error:
            posted.malformed.append(_malformed(data, index, error=error))
    return posted


def refused(item: SegmentPost, index: int, *, error: InvalidInput) -> Refusal:
    """What is told of an item that breaks a rule."""
    return _refusal(error, index, object_id=item.object_id, timerange=item.timerange)


def _malformed(data: bytes, index: int, *, error: InvalidInput) -> Refusal:
    try:
        named = decode_json(data, SegmentName)
    except InvalidInput as refusal:
        raise _refusal(refusal, index).in_array from None
    try:
        timerange = decode_json(bytes(named.timerange), TimeRange)
    except InvalidInput:
        timerange = None
    return _refusal(error, index, object_id=named.object_id, timerange=timerange)


def _refusal(error: InvalidInput, index: int, *, object_id: str = "", timerange: TimeRange | None = None) -> Refusal:
    return Refusal(index, object_id, timerange, error.detail, error.field or "$")
