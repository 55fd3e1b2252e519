"""What the routes of segments take and answer, for `/openapi.json`: bodies as GET shows them, as rows hold JSON."""

from typing import Final

from msgspec import UNSET, Struct, UnsetType

from tams_common.http.openapi import EXAMPLES, Answer, ListOf, Media, OneOf, Operation, Parameter
from tams_common.http.parameters import (
    BOOLEAN,
    DONE,
    LIMIT,
    LIST_HEADERS,
    PAGE,
    PAGE_HEADERS,
    REVERSE,
    TEXT,
    TIME,
    URLS,
    choice,
    tags,
)
from tams_common.model.deletion import DeletionRequest
from tams_common.objects import Backend
from tams_segments.allocating import Places
from tams_segments.handlers.deletions import SORTS
from tams_segments.handlers.segments import FailedSegments
from tams_segments.requests import InstancePost, SegmentPost, StoragePost


class GetUrl(Struct, frozen=True):
    """One way to an object's bytes (s/object-core)."""

    url: str
    label: str | UnsetType = UNSET
    presigned: bool | UnsetType = UNSET
    controlled: bool | UnsetType = UNSET
    storage_id: str | UnsetType = UNSET
    store_type: str | UnsetType = UNSET
    provider: str | UnsetType = UNSET
    region: str | UnsetType = UNSET
    availability_zone: str | UnsetType = UNSET
    store_product: str | UnsetType = UNSET
    tags: dict[str, str | list[str]] | UnsetType = UNSET


class SegmentInit(Struct, frozen=True):
    """The init object of a segment."""

    object_id: str
    get_urls: list[GetUrl] | UnsetType = UNSET


class SegmentShown(Struct, frozen=True, kw_only=True):
    """A segment as GET shows it (s/flow-segment)."""

    object_id: str
    timerange: str
    ts_offset: str | UnsetType = UNSET
    last_duration: str | UnsetType = UNSET
    object_timerange: str | UnsetType = UNSET
    sample_offset: int | UnsetType = UNSET
    sample_count: int | UnsetType = UNSET
    key_frame_count: int | UnsetType = UNSET
    init_object: SegmentInit | UnsetType = UNSET
    get_urls: list[GetUrl] | UnsetType = UNSET


class ObjectInit(Struct, frozen=True):
    """The init object of an object."""

    id: str
    get_urls: list[GetUrl] | UnsetType = UNSET


class ObjectShown(Struct, frozen=True, kw_only=True):
    """An object as GET shows it (s/object)."""

    id: str
    referenced_by_flows: list[str]
    first_referenced_by_flow: str | UnsetType = UNSET
    timerange: str | UnsetType = UNSET
    key_frame_count: int | UnsetType = UNSET
    init_object: ObjectInit | UnsetType = UNSET
    get_urls: list[GetUrl] | UnsetType = UNSET


_OBJECT_ID: Final = Parameter("object_id", "Only segments that use this object.", TEXT)
_OBJECT_TIMERANGE: Final = Parameter(
    "include_object_timerange", "Whether to show the TimeRange of each segment's object.", BOOLEAN | {"default": False}
)
_BACKEND_TAGS: Final = tags("storage_backend_tag", "URLs in storage backends")
ACCEPTED: Final = Answer("Under way, and not to be seen any more.", DeletionRequest, ("Location",))
_BYTES: Final = Media("application/octet-stream")

LIST_BACKENDS: Final = Operation(
    summary="The storage backends",
    parameters=(REVERSE, *tags("tag", "backends"), PAGE, LIMIT),
    answers={200: Answer("A page of the backends, by label.", ListOf(Backend), LIST_HEADERS)},
    refusals=(400,),
)
LIST_SEGMENTS: Final = Operation(
    summary="The segments of a flow",
    parameters=(_OBJECT_ID, TIME, REVERSE, *URLS, *_BACKEND_TAGS, _OBJECT_TIMERANGE, PAGE, LIMIT),
    answers={
        200: Answer(
            "A page of the segments, in order of time.",
            ListOf(SegmentShown),
            (*LIST_HEADERS, "X-Paging-Timerange"),
        )
    },
    refusals=(400, 404),
)
REGISTER_SEGMENTS: Final = Operation(
    summary="Register one segment or many",
    body=OneOf((SegmentPost, ListOf(SegmentPost))),
    example={"object_id": EXAMPLES["object_id"], "timerange": "[0:0_2:0)"},
    answers={
        200: Answer("Some or all segments of the array were refused: these.", FailedSegments),
        201: Answer("All segments are registered."),
    },
    refusals=(400, 403, 404),
)
DELETE_SEGMENTS: Final = Operation(
    summary="Delete the segments that lie wholly in a TimeRange",
    parameters=(TIME, _OBJECT_ID),
    answers={202: ACCEPTED, 204: DONE},
    refusals=(400, 403, 404),
)
LIST_DELETIONS: Final = Operation(
    summary="The deletions that outlasted their requests",
    parameters=(
        REVERSE,
        Parameter("sort_by", "What the list is sorted by, the latest first.", choice(SORTS, SORTS[0])),
        PAGE,
        LIMIT,
    ),
    answers={200: Answer("A page of the deletion requests.", ListOf(DeletionRequest), LIST_HEADERS)},
    refusals=(400,),
)
GET_DELETION: Final = Operation(
    summary="How far a deletion is",
    answers={200: Answer("The deletion request.", DeletionRequest)},
    refusals=(404,),
)
ALLOCATE_STORAGE: Final = Operation(
    summary="Get places to upload media objects to",
    body=StoragePost,
    example={"object_ids": [EXAMPLES["object_id"]]},
    body_required=False,
    answers={201: Answer("Where to upload, and as what.", Places)},
    refusals=(400, 403, 404),
)
GET_OBJECT: Final = Operation(
    summary="A media object or init object, and the flows that use it",
    parameters=(*URLS, *_BACKEND_TAGS, *tags("flow_tag", "flows"), PAGE, LIMIT),
    answers={200: Answer("The object with a page of its flows.", ObjectShown, PAGE_HEADERS)},
    refusals=(400, 404),
)
CREATE_INSTANCE: Final = Operation(
    summary="Have an object copied to a storage backend, or tell where else it is",
    body=InstancePost,
    example={"url": "https://media.example/camera-1/0001.ts", "label": "archive"},
    answers={201: Answer("Registered; a copy is shown as soon as it is complete.")},
    refusals=(400, 403, 404),
)
DELETE_INSTANCE: Final = Operation(
    summary="Delete an instance of an object, which the label or the storage backend tells",
    parameters=(
        Parameter("storage_id", "The storage backend that the instance is in.", TEXT),
        Parameter("label", "The label of the instance.", TEXT),
    ),
    answers={204: DONE},
    refusals=(400, 403, 404),
)
GET_MEDIA: Final = Operation(
    summary="Download by a signed URL; parts of it by Range",
    answers={200: Answer("The bytes.", _BYTES, ("ETag",)), 206: Answer("A part of them.", _BYTES, ("Content-Range",))},
    refusals=(403, 404, 416),
)
PUT_MEDIA: Final = Operation(
    summary="Upload by a signed URL",
    body=_BYTES,
    answers={200: Answer("Stored.", None, ("ETag",))},
    refusals=(400, 403, 413),
)
