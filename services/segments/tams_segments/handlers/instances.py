"""`/objects/{objectId}/instances`."""

from collections.abc import Callable

from msgspec import UNSET

from tams_common.errors import InvalidInput
from tams_common.http.codec import decode_json, no_content
from tams_common.http.message import Request, Response
from tams_common.http.query import Params
from tams_segments.instances import Uncontrolled
from tams_segments.instancing import Instances, Named
from tams_segments.requests import InstancePost


class CreateInstance:
    """POST (INS-1, INS-2). `requested` is called after each copy that was asked for."""

    def __init__(self, instances: Instances, *, requested: Callable[[], None]) -> None:
        self._instances = instances
        self._requested = requested

    async def __call__(self, request: Request) -> Response:
        """201, also for a copy that has yet to be made (T-62)."""
        name = request.params["object_id"]
        wanted = decode_json(await request.read(), InstancePost)
        if wanted.storage_id is not UNSET:
            await self._instances.copy_to(name, wanted.storage_id)
            self._requested()
        elif wanted.url is not UNSET and wanted.label is not UNSET:
            await self._instances.add(name, Uncontrolled(wanted.url, wanted.label))
        return Response(201)


class DeleteInstance:
    """DELETE (INS-10). `removed` is called after each."""

    def __init__(self, instances: Instances, *, removed: Callable[[], None]) -> None:
        self._instances = instances
        self._removed = removed

    async def __call__(self, request: Request) -> Response:
        """204: the instance is not shown any more."""
        params = Params.parse(request.query)
        wanted = Named(params.uuid("storage_id"), params.text("label"))
        if wanted.storage_id is None and wanted.label is None:
            raise InvalidInput("storage_id or label has to say which instance (INS-10)", field="storage_id")
        await self._instances.remove(request.params["object_id"], wanted)
        self._removed()
        return no_content()
