"""Handlers of the service itself and of its profiles: parse, call one use case, render."""

from http import HTTPStatus
from typing import Final

from tams_catalog.filters import NEWEST_FIRST, profile_conditions
from tams_catalog.listing import Ask, Position
from tams_catalog.pages import Limits
from tams_catalog.profiles import Profiles
from tams_catalog.service_info import ROOT_PATHS, ServiceChange, ServiceInfo
from tams_common.errors import NotFound
from tams_common.http.codec import decode_json, encode_json, json_response
from tams_common.http.message import Request, Response
from tams_common.http.query import Params
from tams_common.http.routing import path_uuid
from tams_common.model.profile import NewProfile

_ROOT: Final = encode_json(ROOT_PATHS)


class ServiceHandlers:
    """Answers for `/` and below `/service`."""

    def __init__(self, info: ServiceInfo, profiles: Profiles, *, limits: Limits) -> None:
        self._info = info
        self._profiles = profiles
        self._limits = limits

    async def root(self, request: Request) -> Response:
        """SVC-1."""
        return json_response(_ROOT)

    async def show(self, request: Request) -> Response:
        """SVC-2."""
        return json_response(await self._info.show(request.context.base_url))

    async def change(self, request: Request) -> Response:
        """SVC-12; answers what GET shows from now on (T-18)."""
        await self._info.change(decode_json(await request.read(), ServiceChange))
        return json_response(await self._info.show(request.context.base_url))

    async def profiles(self, request: Request) -> Response:
        """PRF-12; of the paging headers a list of profiles has three (PAG-14)."""
        params = Params.parse(request.query)
        where = profile_conditions(params)
        paging = self._limits.paging(request, params)
        listing = await self._profiles.page(Ask(where, NEWEST_FIRST, paging.position(Position), paging.limit))
        return json_response(listing.json(), headers=paging.headers(listing.following))

    async def profile(self, request: Request) -> Response:
        """PRF-11."""
        return json_response(await self._profiles.one(path_uuid(request, "profile_id")))

    async def post_profile(self, request: Request) -> Response:
        """PRF-1 to PRF-5."""
        profile_id = path_uuid(request, "profile_id")
        new = decode_json(await request.read(), NewProfile)
        if new.id != profile_id:
            raise NotFound(f"the body is profile {new.id}, the path profile {profile_id} (PRF-5)", field="$.id")
        return json_response(await self._profiles.create(new, context=request.context), HTTPStatus.CREATED)
