"""Brings one event to one webhook: its headers, its signature, its api key (WHK-18)."""

import asyncio
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

import msgspec
from msgspec import UNSET

from tams_common.clock import SECOND, Clock
from tams_webhooks.matching import Filters, filters_of
from tams_webhooks.outgoing.answers import Answer
from tams_webhooks.outgoing.sender import Sender
from tams_webhooks.outgoing.signing import Signer
from tams_webhooks.secrets import Vault
from tams_webhooks.tables import WebhookRow
from tams_webhooks.webhook import Webhook

SIGNED: Final = 128
"""Signatures that are remembered: many webhooks get the same event in the same second."""
_JSON: Final = {"content-type": "application/json"}
_decoder: Final = msgspec.json.Decoder(Webhook)


class Target(msgspec.Struct, frozen=True):
    """A version of a webhook, made ready for many deliveries; `headers` is None when its secret cannot be read."""

    version: int
    webhook: Webhook
    filters: Filters
    base_url: str
    headers: Mapping[str, str] | None

    __repr__ = object.__repr__  # what is printed by accident has no secret in it


class Courier:
    """Sends events, each with the same id in every attempt."""

    def __init__(self, sender: Sender, signer: Signer, *, vault: Vault, clock: Clock) -> None:
        self._sender = sender
        self._sign = lru_cache(SIGNED)(signer.headers)
        self._vault = vault
        self._clock = clock

    @property
    def turns(self) -> asyncio.Semaphore:
        """Whoever sends holds one of these; there may be none for a while when very many receivers hang."""
        return self._sender.turns

    def target(self, row: WebhookRow) -> Target:
        """What `row` says, decoded and decrypted once."""
        webhook = _decoder.decode(row.body)
        return Target(row.version, webhook, filters_of(webhook), row.base_url, self._headers(webhook, row.secret))

    async def send(self, target: Target, event_id: str, *, body: bytes) -> Answer:
        """One attempt, by who holds a turn; it raises nothing but a cancellation."""
        if target.headers is None:
            return Answer(None, "the api key value cannot be decrypted: its encryption key is gone", 0)
        signed = self._sign(event_id, self._clock() // SECOND, body=body)
        return await self._sender.send(target.webhook.url, body, headers={**_JSON, **signed, **target.headers})

    def _headers(self, webhook: Webhook, secret: bytes) -> dict[str, str] | None:
        value = self._vault.decrypt(secret)
        if value is None:
            return None
        return {} if webhook.api_key_name is UNSET or not value else {webhook.api_key_name: value}
