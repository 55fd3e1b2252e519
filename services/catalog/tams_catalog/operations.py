"""What the routes of catalog take and answer, for `/openapi.json`: bodies as GET shows them, as rows hold JSON."""

from typing import Any, Final, get_args

from msgspec import UNSET, Struct, UnsetType

from tams_catalog.service_info import ServiceChange, ServiceDocument
from tams_common.http.openapi import EXAMPLES, TIMERANGE, UUID, AllOf, Answer, Json, ListOf, OneOf, Operation, Parameter
from tams_common.http.parameters import (
    BOOLEAN,
    DONE,
    INTEGER,
    LIMIT,
    LIST_HEADERS,
    PAGE,
    PAGE_HEADERS,
    REVERSE,
    TEXT,
    TIME,
    UUIDS,
    choice,
    tags,
)
from tams_common.model.deletion import DeletionRequest
from tams_common.model.flow import FlowCommon, FlowStamp, ProfileFlow
from tams_common.model.profile import NewProfile, Profile
from tams_common.model.source import Source
from tams_common.model.technical import Technical
from tams_common.model.values import ContentFormat, FlowStatus


class FlowTimes(Struct, frozen=True, kw_only=True):
    """What the store adds to a flow when it is shown; `timerange` only where it is asked for (FLW-10)."""

    profile_id: str | UnsetType = UNSET
    segments_updated: str | UnsetType = UNSET
    timerange: str | UnsetType = UNSET


FLOW: Final = AllOf((FlowCommon, Technical, FlowStamp, FlowTimes))
NEW_FLOW: Final = OneOf((AllOf((FlowCommon, Technical)), ProfileFlow))

_VIDEO: Final[Json] = {
    "format": "urn:x-nmos:format:video",
    "codec": "video/h264",
    "container": "video/mp2t",
    "essence_parameters": {"frame_width": 1920, "frame_height": 1080, "frame_rate": {"numerator": 25}},
}
_FORMAT: Final[Json] = {"type": "string", "enum": list(get_args(ContentFormat))}
_CODEC: Final = Parameter("codec", "Only those with this codec, a MIME type.", TEXT)
_FORMATS: Final = Parameter("format", "Only those of this format.", _FORMAT)
_LABEL: Final = Parameter("label", "Only those with exactly this label.", TEXT)
_COLLECTED: Final = Parameter("collected_by_ids", "Only what one of these collects; empty: what nothing does.", UUIDS)


def _order(*words: str) -> Parameter:
    text = "By what the list is sorted: date-times from the newest on, text by code point."
    return Parameter("sort_by", text, choice(words, words[0]))


ROOT: Final = Operation(summary="The paths below the root", answers={200: Answer("Their names.", list[str])})
GET_SERVICE: Final = Operation(summary="What this store is", answers={200: Answer("The service.", ServiceDocument)})
POST_SERVICE: Final = Operation(
    summary="Change the store's name and description",
    body=ServiceChange,
    example={"name": "Studio 1", "description": "Everything that studio 1 records"},
    answers={200: Answer("Changed.")},
    refusals=(400, 403),
)
LIST_PROFILES: Final = Operation(
    summary="The profiles",
    parameters=(_FORMATS, _CODEC, _LABEL, PAGE, LIMIT),
    answers={200: Answer("A page of them.", ListOf(Profile), PAGE_HEADERS)},
    refusals=(400,),
)
GET_PROFILE: Final = Operation(summary="A profile", answers={200: Answer("As it was made.", Profile)}, refusals=(404,))
POST_PROFILE: Final = Operation(
    summary="Make a profile, which never changes",
    body=NewProfile,
    example={"id": EXAMPLES["profile_id"], "label": "1080p25, H.264", "flow_metadata": _VIDEO},
    answers={201: Answer("The profile.", Profile)},
    refusals=(400, 403, 404),
)
LIST_SOURCES: Final = Operation(
    summary="The sources",
    parameters=(
        _order("created", "updated", "label"),
        REVERSE,
        _LABEL,
        *tags("tag", "sources"),
        _FORMATS,
        _COLLECTED,
        PAGE,
        LIMIT,
    ),
    answers={200: Answer("A page of them.", ListOf(Source), LIST_HEADERS)},
    refusals=(400,),
)
GET_SOURCE: Final = Operation(summary="A source", answers={200: Answer("As it is now.", Source)}, refusals=(404,))
LIST_FLOWS: Final = Operation(
    summary="The flows",
    parameters=(
        Parameter("source_id", "Only flows of this source.", UUID),
        Parameter("profile_id", "Only flows linked to this profile.", UUID),
        TIME,
        _order("created", "metadata_updated", "label"),
        REVERSE,
        _FORMATS,
        _CODEC,
        _LABEL,
        Parameter("status", "Only flows with this status.", {"type": "string", "enum": list(get_args(FlowStatus))}),
        *tags("tag", "flows"),
        Parameter("frame_width", "Only video flows of this width, in pixels.", INTEGER),
        Parameter("frame_height", "Only video flows of this height, in pixels.", INTEGER),
        Parameter("init_segments", "Only flows that use init segments, or do not.", BOOLEAN),
        _COLLECTED,
        PAGE,
        LIMIT,
    ),
    answers={200: Answer("A page of them.", ListOf(FLOW), LIST_HEADERS)},
    refusals=(400,),
)
GET_FLOW: Final = Operation(
    summary="A flow",
    parameters=(
        Parameter("include_timerange", "Whether to show from where to where it reaches.", BOOLEAN | {"default": False}),
        Parameter("timerange", "Reckon only segments that share time with this.", TIMERANGE | {"default": "_"}),
    ),
    answers={200: Answer("As it is now.", FLOW)},
    refusals=(400, 404),
)
PUT_FLOW: Final = Operation(
    summary="Make or replace a flow",
    body=NEW_FLOW,
    example={"id": EXAMPLES["flow_id"], "source_id": EXAMPLES["source_id"], "label": "camera 1", **_VIDEO},
    answers={201: Answer("Made.", FLOW), 204: DONE},
    refusals=(400, 403, 404),
)
DELETE_FLOW: Final = Operation(
    summary="Delete a flow and its segments",
    answers={202: Answer("Hidden; its segments are being removed.", DeletionRequest, ("Location",)), 204: DONE},
    refusals=(403, 404),
)


def get_member(what: str, kind: Any) -> Operation:  # noqa: ANN401 — any type that msgspec knows
    """GET of one member of a flow or source: a bare JSON value (GEN-12), null where it is not set (T-21)."""
    return Operation(summary=f"The {what}", answers={200: Answer("The value.", kind)}, refusals=(404,))


def put_member(what: str, kind: Any) -> Operation:  # noqa: ANN401
    """PUT of one member."""
    return Operation(summary=f"Set the {what}", body=kind, answers={204: DONE}, refusals=(400, 403, 404))


def delete_member(what: str) -> Operation:
    """DELETE of one member."""
    return Operation(summary=f"Take the {what} away", answers={204: DONE}, refusals=(403, 404))
