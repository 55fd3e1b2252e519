"""The authenticated party behind a request and its scopes (AUTH-10)."""

from typing import Final

import msgspec

ADMIN: Final = "tams-api/admin"
READ: Final = "tams-api/read"
WRITE: Final = "tams-api/write"
DELETE: Final = "tams-api/delete"
SCOPES: Final = frozenset({ADMIN, READ, WRITE, DELETE})


class Principal(msgspec.Struct, frozen=True):
    """`subject` names the party in `created_by` and `updated_by`; an admin may do everything."""

    subject: str
    scopes: frozenset[str]

    def may(self, accepted: frozenset[str]) -> bool:
        """Whether one of the principal's scopes is among `accepted`."""
        return ADMIN in self.scopes or not self.scopes.isdisjoint(accepted)


ANONYMOUS: Final = Principal("", frozenset())
"""Who asks where no credentials are needed: health routes and calls between services."""
