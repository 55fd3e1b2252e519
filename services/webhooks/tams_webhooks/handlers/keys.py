"""`/.well-known/webhook-keys.json`: the public keys by which receivers verify deliveries (RFC 7517)."""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from tams_common.http.codec import json_response
from tams_common.http.message import Request, Response
from tams_webhooks.outgoing.signing import PublicKey

MAX_AGE: Final = 300
"""Seconds for which receivers may keep the document."""


class KeySet(Struct, frozen=True):
    """A JSON Web Key Set."""

    keys: Sequence[PublicKey]


class GetKeys:
    """GET; whoever asks may know."""

    def __init__(self, keys: Sequence[PublicKey]) -> None:
        self._keys = KeySet(keys)

    async def __call__(self, request: Request) -> Response:
        """All keys that sign now; none where deliveries are not signed."""
        return json_response(self._keys, headers={"cache-control": f"public, max-age={MAX_AGE}"})
