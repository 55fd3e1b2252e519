"""Simple values of the specification's schemas, each with its bounds: patterns match whole strings (T-40)."""

from typing import Annotated, Final, Literal, TypeAlias

from msgspec import Meta

from tams_common.ids import UUID_PATTERN

_INT64_MAX: Final = 2**63 - 1

UUID: Final = Meta(pattern=rf"\A{UUID_PATTERN}\Z")
"""A UUID in a body (s/uuid): `Annotated[FlowId, UUID]`."""

UUID_OR_EMPTY: Final = Meta(pattern=rf"\A({UUID_PATTERN})?\Z")
"""A UUID, or the empty text that takes a link away (PRF-20, PRF-24)."""

Whole: TypeAlias = Annotated[int, Meta(ge=-_INT64_MAX, le=_INT64_MAX, examples=[0])]
NonNegative: TypeAlias = Annotated[int, Meta(ge=0, le=_INT64_MAX, examples=[0])]
Positive: TypeAlias = Annotated[int, Meta(gt=0, le=_INT64_MAX, examples=[1])]

MimeType: TypeAlias = Annotated[str, Meta(pattern=r"\A[^\s/]+/[^\s/]+\Z", examples=["video/mp2t"])]
"""A codec or container: two parts and a slash, as loose as the schema of flows has it (FLW-27, T-9)."""

_TOKEN: Final = r"[0-9A-Za-z!#$%&'*+.^_`|~-]+"
MEDIA_TYPE: Final = (
    rf"\A(application|audio|font|example|image|message|model|multipart|text|video|x-{_TOKEN})/{_TOKEN}\Z"
)
"""The stricter pattern of what clients ask for and announce (s/mime-type): known top-level types, no parameters."""

CHECKSUMS: Final = (
    "x-amz-checksum-crc32",
    "x-amz-checksum-crc32c",
    "x-amz-checksum-crc64nvme",
    "x-amz-checksum-sha1",
    "x-amz-checksum-sha256",
)
"""Headers by which clients have uploads checked, and are told the sums of what is stored (INT-2)."""
READABLE: Final = (
    *("Accept-Ranges", "Content-Length", "Content-Range", "Content-Type", "ETag", "Last-Modified"),
    *CHECKSUMS,
)
"""Headers of answers with media that pages of other origins may read, wherever the media is."""

Tags: TypeAlias = dict[str, str | tuple[str, ...]]
"""Freeform names; each value is a string or a list of strings (TAG-1)."""

ContentFormat: TypeAlias = Literal[
    "urn:x-nmos:format:video",
    "urn:x-nmos:format:audio",
    "urn:x-nmos:format:data",
    "urn:x-nmos:format:multi",
    "urn:x-tam:format:image",
]
"""What kind of content a source or flow has (FLW-25)."""

VIDEO: Final = "urn:x-nmos:format:video"
AUDIO: Final = "urn:x-nmos:format:audio"
DATA: Final = "urn:x-nmos:format:data"
MULTI: Final = "urn:x-nmos:format:multi"
IMAGE: Final = "urn:x-tam:format:image"

FlowStatus: TypeAlias = Literal["awaiting_content", "ingesting", "replication_in_progress", "closed_complete"]
"""How far the writing of a flow is, as its client says (FLW-23)."""
