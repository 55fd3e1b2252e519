"""Who asks, and what they may do."""

from tams_common.auth.principal import ADMIN, DELETE, READ, WRITE, Principal

__all__ = ["ADMIN", "DELETE", "READ", "WRITE", "Principal"]
