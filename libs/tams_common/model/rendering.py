"""What webhooks asks of segments: the URLs of segments in events, when they are sent (architecture 4.5)."""

import msgspec


class Rendering(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The body of webhooks' `POST /internal/segments/rendered`: segments as events carry them, without URLs.

    The members beside them mean what the parameters of `GET /flows/{flow_id}/segments` with these names do; an absent
    one does not filter. `base_url` is the address under which the receiver reaches the store.
    """

    base_url: str
    segments: list[msgspec.Raw]
    accept_get_urls: tuple[str, ...] | None = None
    accept_storage_ids: tuple[str, ...] = ()
    presigned: bool | None = None
    verbose_storage: bool = False
    include_object_timerange: bool = False


class Rendered(msgspec.Struct, frozen=True):
    """The answer: the same segments in the same order, as GET shows them now."""

    segments: list[msgspec.Raw]
