"""The context of a request as headers between processes: `x-tams-request-id`, `x-tams-base-url`, `x-tams-principal`."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from tams_common.auth.principal import ANONYMOUS, Principal
from tams_common.http.codec import decode_json, encode_json
from tams_common.http.message import Context

PREFIX: Final = "x-tams-"
"""Headers that begin so come from the gateway or not at all: it drops what clients send."""

_REQUEST_ID: Final = "x-tams-request-id"
_BASE_URL: Final = "x-tams-base-url"
_PRINCIPAL: Final = "x-tams-principal"


def context_headers(context: Context) -> dict[str, str]:
    """What a transport sends."""
    headers = {_REQUEST_ID: context.request_id, _BASE_URL: context.base_url}
    if context.principal is not ANONYMOUS:
        headers[_PRINCIPAL] = _write(context.principal)
    return headers


def read_context(headers: Mapping[str, str]) -> Context:
    """What a service's edge receives; raises `InvalidInput` for a principal that is none."""
    principal = headers.get(_PRINCIPAL)
    return Context(
        request_id=headers.get(_REQUEST_ID, ""),
        base_url=headers.get(_BASE_URL, ""),
        principal=ANONYMOUS if principal is None else _read(principal),
    )


@lru_cache(maxsize=1024)
def _write(principal: Principal) -> str:
    return encode_json(principal).decode()


@lru_cache(maxsize=1024)
def _read(text: str) -> Principal:
    return decode_json(text.encode(), Principal)
