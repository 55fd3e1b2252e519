"""The use cases of webhooks: create, replace, delete, get and list, each for its owner or an admin (WHK-31, T-52)."""

from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple, TypeAlias

from msgspec import UNSET

from tams_common.auth import ADMIN, Principal
from tams_common.clock import Clock
from tams_common.errors import InvalidInput, NotFound
from tams_common.http.codec import encode_json
from tams_common.http.message import Context
from tams_common.ids import IdSource
from tams_common.store import Page, Query, Reader, Store, Tx, eq
from tams_common.tags import TagQuery, tag_tokens
from tams_webhooks import restarting
from tams_webhooks.api_key import check_api_key
from tams_webhooks.log import newest
from tams_webhooks.secrets import Vault
from tams_webhooks.status import edited
from tams_webhooks.tables import LANES, WEBHOOKS, LaneRow, WebhookRow
from tams_webhooks.webhook import Webhook, WebhookPost, WebhookPut, shown

CheckUrl: TypeAlias = Callable[[str], Awaitable[None]]
"""Raises `InvalidInput` for a URL to which nothing may be sent (WHK-32)."""

MOST_BYTES: Final = 100 * 1024
"""Of a webhook's JSON, and of its tags as they are filtered: either has to fit into a cell."""


class Position(NamedTuple):
    """Where a page begins: after the webhook with that url and id (SORT-2, SORT-11)."""

    url: str
    id: str


class Registrar:
    """Webhooks, as handlers see them. To anybody but its owner and admins a webhook does not exist."""

    def __init__(self, store: Store, vault: Vault, *, check_url: CheckUrl, clock: Clock, new_id: IdSource) -> None:
        self._store = store
        self._vault = vault
        self._check_url = check_url
        self._clock = clock
        self._new_id = new_id

    async def create(self, body: WebhookPost, *, context: Context) -> WebhookRow:
        """Registers a webhook: it gets the events from here on (WHK-3); raises `InvalidInput`."""
        check_api_key(body)
        await self._admit(body.url)
        webhook_id, secret = self._new_id(), body.api_key_value
        row = WebhookRow(
            id=webhook_id,
            url=body.url,
            status=body.status,
            created=self._clock(),
            created_by=context.principal.subject,
            version=1,
            base_url=context.base_url,
            tags=_tokens_of(body),
            body=_json_of(webhook_id, body),
            secret=b"" if secret is UNSET else self._vault.encrypt(secret),
        )

        def write(tx: Tx) -> None:
            tx.insert(WEBHOOKS, [row])
            tx.insert(LANES, [LaneRow(webhook_id=webhook_id, cursor=newest(tx), owner="", until=0, version=1)])

        await self._store.run(write)
        return row

    async def replace(self, body: WebhookPut, *, context: Context, check: Callable[[bytes], None]) -> WebhookRow:
        """Replaces the webhook `body.id` (WHK-9 to WHK-15); raises `NotFound` and `InvalidInput`.

        The stored api key value stays unless the body has one, or no `api_key_name` either (WHK-11). `check` is given
        what GET shows of the webhook before, and raises unless it may be written.
        """
        check_api_key(body)
        known = await self.get(body.id, principal=context.principal)
        if body.url != known.url:
            await self._admit(body.url)
        return await self._store.run(lambda tx: self._replace(tx, body, principal=context.principal, check=check))

    async def delete(self, webhook_id: str, *, principal: Principal) -> None:
        """Removes a webhook and all that waits for it (WHK-12); raises `NotFound`."""

        def remove(tx: Tx) -> None:
            find(tx, webhook_id, principal=principal)
            tx.delete(WEBHOOKS, [(webhook_id,)])
            restarting.remove(tx, webhook_id)

        await self._store.run(remove)

    async def get(self, webhook_id: str, *, principal: Principal) -> WebhookRow:
        """A webhook; raises `NotFound`."""
        return await self._store.read(lambda reader: find(reader, webhook_id, principal=principal), bounded=True)

    async def page(
        self, tags: TagQuery, principal: Principal, *, after: Position | None, limit: int, reverse: bool
    ) -> Page[WebhookRow]:
        """The principal's webhooks that have `tags`, an admin's are all, by url."""
        own = () if ADMIN in principal.scopes else (eq("created_by", principal.subject),)
        query = Query((*own, *tags.conditions("tags")), ("url",), after, limit, reverse)
        return await self._store.read(lambda reader: reader.scan(WEBHOOKS, query))

    async def _admit(self, url: str) -> None:
        if "#" in url:
            raise InvalidInput("url must not have a fragment: it would not be sent", field="$.url")
        await self._check_url(url)

    def _replace(self, tx: Tx, body: WebhookPut, *, principal: Principal, check: Callable[[bytes], None]) -> WebhookRow:
        row = find(tx, body.id, principal=principal)
        check(render(row))
        changed = WebhookRow(
            id=row.id,
            url=body.url,
            status=edited(row.status, body.status),
            created=row.created,
            created_by=row.created_by,
            version=row.version + 1,
            base_url=row.base_url,
            tags=_tokens_of(body),
            body=_json_of(row.id, body),
            secret=self._secret_after(row, body),
        )
        tx.update(WEBHOOKS, [changed], expect=[row.version])
        if changed.status != "disabled":
            if row.status == "disabled":
                restarting.start_anew(tx, row.id)
            elif row.status == "error" or (changed.url, changed.secret) != (row.url, row.secret):
                restarting.resume(tx, row.id, now=self._clock())
        elif row.status != "disabled":
            restarting.halt(tx, row.id)
        return changed

    def _secret_after(self, row: WebhookRow, body: WebhookPut) -> bytes:
        if body.api_key_name is UNSET:
            return b""
        if body.api_key_value is UNSET or body.api_key_value == self._vault.decrypt(row.secret):
            return row.secret
        return self._vault.encrypt(body.api_key_value)


def visible(row: WebhookRow, principal: Principal) -> bool:
    """Whether `principal` may know of a webhook, change it and look at its deliveries."""
    return row.created_by == principal.subject or ADMIN in principal.scopes


def find(reader: Reader, webhook_id: str, *, principal: Principal) -> WebhookRow:
    """The webhook, if it is there and `visible`; raises `NotFound` (T-54)."""
    row = reader.get(WEBHOOKS, (webhook_id,))
    if row is None or not visible(row, principal):
        raise NotFound(f"there is no webhook {webhook_id}")
    return row


def render(row: WebhookRow) -> bytes:
    """A webhook's JSON (s/webhook-get); never with its api key value (WHK-7)."""
    error = b',"error":%b' % row.error if row.error else b""
    return b'%b,"status":"%b"%b}' % (row.body[:-1], row.status.encode(), error)


def _json_of(webhook_id: str, body: Webhook) -> bytes:
    json = b'{"id":"%b",%b' % (webhook_id.encode(), encode_json(shown(body))[1:])
    if len(json) > MOST_BYTES:
        raise InvalidInput(f"the webhook is larger than {MOST_BYTES} bytes", field="$")
    return json


def _tokens_of(body: Webhook) -> str:
    tokens = tag_tokens(body.tags)
    if len(tokens.encode()) > MOST_BYTES:
        raise InvalidInput(f"tags: names and values are larger than {MOST_BYTES} bytes", field="$.tags")
    return tokens
