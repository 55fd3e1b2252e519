"""`/service/webhooks` and `/service/webhooks/{webhookId}` (WHK-2 to WHK-12)."""

from collections.abc import Callable
from functools import partial
from http import HTTPStatus

from tams_common.config import Common
from tams_common.errors import NotFound
from tams_common.http.codec import decode_json, json_response, no_content
from tams_common.http.etag import check_if_match
from tams_common.http.message import Request, Response
from tams_common.http.paging import Paging
from tams_common.http.query import Params
from tams_common.http.routing import path_uuid
from tams_common.http.tags import tag_query
from tams_webhooks.registering import Position, Registrar, render
from tams_webhooks.webhook import WebhookPost, WebhookPut


class Webhooks:
    """Answers for webhooks themselves; `changed` is called with the id of one after each change."""

    def __init__(self, registrar: Registrar, common: Common, *, changed: Callable[[str], None]) -> None:
        self._registrar = registrar
        self._common = common
        self._changed = changed

    async def list(self, request: Request) -> Response:
        """WHK-2: a page by url."""
        params = Params.parse(request.query)
        paging = Paging(request, params, default=self._common.default_limit, maximum=self._common.max_limit)
        tags = tag_query(params, "tag")
        reverse = params.boolean("reverse_order", False)
        page = await self._registrar.page(
            tags,
            request.context.principal,
            after=paging.position(Position),
            limit=paging.limit,
            reverse=reverse,
        )
        following = Position(page.rows[-1].url, page.rows[-1].id) if page.more else None
        body = b"[%b]" % b",".join(map(render, page.rows))
        return json_response(body, headers=paging.headers(following, count=len(page.rows), reverse=reverse))

    async def post(self, request: Request) -> Response:
        """WHK-3, WHK-4."""
        body = decode_json(await request.read(), WebhookPost)
        row = await self._registrar.create(body, context=request.context)
        self._changed(row.id)
        location = f"{request.context.base_url}{request.path}/{row.id}"
        return json_response(render(row), HTTPStatus.CREATED, headers={"location": location})

    async def get(self, request: Request) -> Response:
        """WHK-8."""
        webhook_id = path_uuid(request, "webhook_id")
        return json_response(render(await self._registrar.get(webhook_id, principal=request.context.principal)))

    async def put(self, request: Request) -> Response:
        """WHK-9 to WHK-15."""
        webhook_id = path_uuid(request, "webhook_id")
        body = decode_json(await request.read(), WebhookPut)
        if body.id != webhook_id:
            raise NotFound(f"the body is webhook {body.id}, the path webhook {webhook_id} (T-82)", field="$.id")
        row = await self._registrar.replace(body, context=request.context, check=partial(check_if_match, request))
        self._changed(row.id)
        return json_response(render(row), HTTPStatus.CREATED)

    async def delete(self, request: Request) -> Response:
        """WHK-12."""
        webhook_id = path_uuid(request, "webhook_id")
        await self._registrar.delete(webhook_id, principal=request.context.principal)
        self._changed(webhook_id)
        return no_content()
