"""Configuration of the gateway."""

import msgspec


class ApiGatewayConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Keys `TAMS_API_GATEWAY_…`. At least one of the first two is needed.

    tokens_file: a file with a token, its subject and its scopes on each line, blanks between them, such as
        `TOKEN ingest-1 tams-api/read tams-api/write`; `sha256:HEX` of the token will do, and `#` begins a comment.
        This or `token` is needed.
    token: one token with every scope, for development.
    trusted_proxies: networks such as `10.0.0.0/8,fd00::/8` whose `X-Forwarded-Proto`, `-Host` and `-Prefix` are
        believed; where `TAMS_PUBLIC_URL` is set, nothing of them is needed.
    """

    tokens_file: str = ""
    token: str = ""
    trusted_proxies: str = ""
