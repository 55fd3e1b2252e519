"""`GET /asyncapi.json`: the events on Kafka, described for programs that follow them there (ours)."""

from importlib.metadata import version

from tams_common.bus import Access
from tams_common.http.codec import encode_json, json_response
from tams_common.http.message import Request, Response
from tams_webhooks.asyncapi import document


class GetAsyncApi:
    """GET; the document does not change while the process runs."""

    def __init__(self, access: Access | None) -> None:
        self._document = encode_json(document(version("tams-webhooks"), access))

    async def __call__(self, request: Request) -> Response:
        """The document."""
        return json_response(self._document)
