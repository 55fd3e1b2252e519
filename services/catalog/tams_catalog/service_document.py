"""What `/` and `/service` tell (SVC-1 to SVC-9)."""

from typing import Final

from msgspec import UNSET, Struct, UnsetType

from tams_catalog.config import CatalogConfig
from tams_common.config import Common
from tams_common.timerange import NS, format_timestamp

ROOT_PATHS: Final = ("service", "flows", "sources")
API_VERSION: Final = "8.2"
SERVICE_TYPE: Final = "urn:x-tams:service:tams"


class ServiceDocument(Struct, frozen=True, kw_only=True):
    """The service as GET shows it; times are timestamps."""

    name: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    type: str = SERVICE_TYPE
    api_version: str = API_VERSION
    min_object_timeout: str
    min_presigned_url_timeout: str


def service_document(config: CatalogConfig, common: Common) -> ServiceDocument:
    """What this store promises, as it is configured."""
    return ServiceDocument(
        name=config.name or UNSET,
        description=config.description or UNSET,
        min_object_timeout=format_timestamp(common.min_object_timeout * NS),
        min_presigned_url_timeout=format_timestamp(common.min_presigned_url_timeout * NS),
    )
