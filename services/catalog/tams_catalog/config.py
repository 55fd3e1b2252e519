"""Configuration of catalog."""

import msgspec


class CatalogConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Keys `TAMS_CATALOG_…`.

    name, description: what `GET /service` says of this store; empty leaves them out (SVC-5).
    deletion_sweep: seconds between looks at deletions that segments has not finished.
    """

    name: str = ""
    description: str = ""
    deletion_sweep: float = 5.0

    def __post_init__(self) -> None:
        if not self.deletion_sweep > 0:
            raise ValueError("deletion_sweep must be more than 0 seconds")
