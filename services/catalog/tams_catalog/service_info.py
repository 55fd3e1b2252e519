"""What `/` and `/service` tell, and what of it can be changed (SVC-1 to SVC-15)."""

from typing import Final

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from tams_catalog.config import CatalogConfig
from tams_catalog.event_streams import Mechanism, mechanisms
from tams_catalog.tables import SERVICE, SERVICE_KEY, ServiceRow
from tams_common.bus import Access
from tams_common.config import Common
from tams_common.store import Store, Tx
from tams_common.timerange import NS, format_timestamp

ROOT_PATHS: Final = ("service", "flows", "sources", "flow-delete-requests")
API_VERSION: Final = "8.2"
SERVICE_TYPE: Final = "urn:x-tams:service:tams"


class ServiceDocument(Struct, frozen=True, kw_only=True):
    """The service as GET shows it; times are timestamps."""

    name: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    type: str = SERVICE_TYPE
    api_version: str = API_VERSION
    event_stream_mechanisms: tuple[Mechanism, ...] = ()
    min_object_timeout: str
    min_presigned_url_timeout: str


class ServiceChange(Struct, frozen=True, kw_only=True):
    """The body of `POST /service`: what is left out stays (SVC-14)."""

    name: str | UnsetType = UNSET
    description: str | UnsetType = UNSET


class ServiceInfo:
    """The service document: what the configuration says, under what has been posted."""

    def __init__(self, store: Store, config: CatalogConfig, *, common: Common, access: Access | None) -> None:
        self._store = store
        self._access = access
        self._configured = ServiceDocument(
            name=config.name or UNSET,
            description=config.description or UNSET,
            min_object_timeout=format_timestamp(common.min_object_timeout * NS),
            min_presigned_url_timeout=format_timestamp(common.min_presigned_url_timeout * NS),
        )

    async def show(self, base_url: str) -> ServiceDocument:
        """The document as it is, for a client that reaches the store under `base_url`."""
        row = await self._store.read(lambda reader: reader.get(SERVICE, SERVICE_KEY), bounded=True)
        shown = replace(self._configured, event_stream_mechanisms=mechanisms(self._access, base_url))
        if row is None:
            return shown
        name = shown.name if row.name is None else row.name
        description = shown.description if row.description is None else row.description
        return replace(shown, name=name, description=description)

    async def change(self, change: ServiceChange) -> None:
        """Keeps what `change` sets."""

        def run(tx: Tx) -> None:
            row = tx.get(SERVICE, SERVICE_KEY)
            if row is None:
                tx.insert(SERVICE, [_changed(ServiceRow(id=SERVICE_KEY[0]), change)])
            else:
                tx.update(SERVICE, [_changed(row, change)])

        await self._store.run(run)


def _changed(row: ServiceRow, change: ServiceChange) -> ServiceRow:
    return replace(
        row,
        name=row.name if change.name is UNSET else change.name,
        description=row.description if change.description is UNSET else change.description,
    )
