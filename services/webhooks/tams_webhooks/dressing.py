"""Segments in events get their URLs when they are sent, by the webhook's transforms (WHK-27 to WHK-29, EVT-11)."""

from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Final, Protocol

import msgspec
from msgspec import UNSET, Raw

from tams_common.errors import InvalidInput, Unavailable
from tams_common.events import SegmentsAdded, event_type
from tams_common.http.codec import decode_json, encode_json
from tams_common.http.message import Request
from tams_common.http.transport import Transport
from tams_common.model.rendering import Rendered, Rendering
from tams_webhooks.webhook import Webhook

ADDED: Final = event_type(SegmentsAdded)
MOST: Final = 1000
MOST_BYTES: Final = 4 * 1024 * 1024
"""Segments, and bytes of them, that are asked for at once (always one event's, which has 64 KiB)."""
_JSON: Final = {"content-type": "application/json"}
_decoder: Final = msgspec.json.Decoder(SegmentsAdded)


class Logged(Protocol):
    """An event as it stands in the log."""

    @property
    def number(self) -> int: ...
    @property
    def type(self) -> str: ...
    @property
    def value(self) -> bytes: ...


class Dresser:
    """Asks the segments service, behind `transport`, for what a receiver is to see of segments."""

    def __init__(self, transport: Transport, *, public_url: str) -> None:
        self._transport = transport
        self._public_url = public_url

    async def bodies(self, webhook: Webhook, events: Sequence[Logged], *, base_url: str) -> Mapping[int, bytes]:
        """The bodies to send, by number, of those `events` that are not sent as they stand in the log.

        `base_url` is the address of the store where none is configured. Raises `Unavailable` or a gateway's error when
        segments does not answer: that is no failure of the receiver.
        """
        asked = transforms(webhook, self._public_url or base_url)
        added = [event for event in events if event.type == ADDED]
        if asked is None or not added:
            return {}
        decoded = [(event.number, _decoder.decode(event.value)) for event in added]
        return {number: body for part in _cut(decoded) for number, body in await self._dressed(part, asked)}

    async def _dressed(self, part: Sequence[tuple[int, SegmentsAdded]], asked: Rendering) -> list[tuple[int, bytes]]:
        segments = [segment for _, added in part for segment in added.event.segments]
        rendered = iter(await self._rendered(msgspec.structs.replace(asked, segments=segments)))
        return [(number, encode_json(_with(added, rendered))) for number, added in part]

    async def _rendered(self, asked: Rendering) -> list[Raw]:
        request = Request("POST", "/internal/segments/rendered", headers=_JSON, body=encode_json(asked))
        response = await self._transport.send(request)
        body = await response.read()
        if response.status != HTTPStatus.OK:
            raise Unavailable(f"segments cannot render the segments of events: it answered {response.status}")
        try:
            segments = decode_json(body, Rendered).segments
        except InvalidInput as error:
            raise Unavailable(f"segments gave no valid answer: {error.detail}") from error
        if len(segments) != len(asked.segments):
            raise Unavailable(f"segments rendered {len(segments)} segments of {len(asked.segments)}")
        return segments


def transforms(webhook: Webhook, base_url: str) -> Rendering | None:
    """What `webhook` wants to see of segments; None when that is what the log has: no URLs, no object timerange."""
    timeranges = webhook.include_object_timerange is True
    if webhook.accept_get_urls == () and not timeranges:
        return None
    return Rendering(
        base_url=base_url,
        segments=[],
        accept_get_urls=None if webhook.accept_get_urls is UNSET else webhook.accept_get_urls,
        accept_storage_ids=() if webhook.accept_storage_ids is UNSET else webhook.accept_storage_ids,
        presigned=None if webhook.presigned is UNSET else webhook.presigned,
        verbose_storage=webhook.verbose_storage is True,
        include_object_timerange=timeranges,
    )


def _with(added: SegmentsAdded, rendered: Iterator[Raw]) -> SegmentsAdded:
    """The event with as many of the `rendered` segments as it has."""
    segments = [next(rendered) for _ in added.event.segments]
    return msgspec.structs.replace(added, event=msgspec.structs.replace(added.event, segments=segments))


def _cut(decoded: Sequence[tuple[int, SegmentsAdded]]) -> Iterator[list[tuple[int, SegmentsAdded]]]:
    """Events of at most `MOST` segments and `MOST_BYTES` together, but always one."""
    part: list[tuple[int, SegmentsAdded]] = []
    count = size = 0
    for number, added in decoded:
        more, larger = len(added.event.segments), sum(len(bytes(segment)) for segment in added.event.segments)
        if part and (count + more > MOST or size + larger > MOST_BYTES):
            yield part
            part, count, size = [], 0, 0
        part.append((number, added))
        count, size = count + more, size + larger
    if part:
        yield part
