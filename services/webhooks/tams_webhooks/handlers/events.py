"""`GET /events`: follow the store with a browser or curl (ours)."""

import re
from typing import Final, get_args

from tams_common.errors import InvalidInput
from tams_common.http.message import Request, Response
from tams_common.http.query import Params
from tams_webhooks.stream import EventStream, Filter
from tams_webhooks.webhook import EventType

HEADERS: Final = {"content-type": "text/event-stream", "cache-control": "no-store", "x-accel-buffering": "no"}
"""Neither caches nor proxies that gather bytes may stand between."""
_LAST_ID: Final = "Last-Event-ID"
_TYPES: Final = frozenset(get_args(EventType))
_is_number = re.compile(r"[0-9]{1,18}").fullmatch


class Events:
    """The route's handler."""

    def __init__(self, stream: EventStream) -> None:
        self._stream = stream

    async def get(self, request: Request) -> Response:
        """Server-sent events, from where the client was (a header wins, as browsers repeat the query) or from now on.

        Raises `InvalidInput` for a bad filter or place.
        """
        params = Params.parse(request.query)
        wanted = Filter(_types(params), _ids(params, "flow_id"), _ids(params, "source_id"))
        text, field = request.headers.get(_LAST_ID.lower()), _LAST_ID
        if text is None:
            text, field = params.text("last_event_id"), "last_event_id"
        if text is not None and not _is_number(text):
            raise InvalidInput(f"{field}: expected the id of an event of this stream, a whole number", field=field)
        after = await self._stream.start(None if text is None else int(text), field=field)
        return Response(200, self._stream.follow(wanted, after=after), dict(HEADERS))


def _types(params: Params) -> tuple[str, ...] | None:
    types = _not_empty(params.labels("type"), "type")
    for name in types or ():
        if name not in _TYPES:
            raise InvalidInput(f"query parameter type: there are no events {name!r}", field="type")
    return types


def _ids(params: Params, name: str) -> tuple[str, ...] | None:
    return _not_empty(params.uuid_list(name), name)


def _not_empty(values: tuple[str, ...] | None, name: str) -> tuple[str, ...] | None:
    if values == ():
        raise InvalidInput(f"query parameter {name}: an empty list lets no event pass", field=name)
    return values
