"""Who asks, and what they may do."""

from tams_common.auth.principal import ADMIN, ANONYMOUS, DELETE, READ, SCOPES, WRITE, Principal
from tams_common.auth.tokens import StaticTokens, Token, Verifier, read_tokens, static_token

__all__ = [
    "ADMIN",
    "ANONYMOUS",
    "DELETE",
    "READ",
    "SCOPES",
    "WRITE",
    "Principal",
    "StaticTokens",
    "Token",
    "Verifier",
    "read_tokens",
    "static_token",
]
