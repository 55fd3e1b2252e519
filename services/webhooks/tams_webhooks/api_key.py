"""The header with which a receiver knows that a delivery is from us (WHK-18), and what it may not be (WHK-33)."""

import re
from typing import Final

from msgspec import UNSET

from tams_common.errors import InvalidInput
from tams_webhooks.webhook import WebhookPost

_is_token = re.compile(r"[0-9A-Za-z!#$%&'*+.^_`|~-]+").fullmatch
_NOT_TEXT: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")

_TAKEN: Final = frozenset(
    {
        "accept",
        "accept-encoding",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "date",
        "expect",
        "host",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
    }
)
"""Headers that say how a message travels, or that every delivery has already."""
_TAKEN_PREFIX: Final = "webhook-"


def check_api_key(body: WebhookPost) -> None:
    """Raises `InvalidInput` for a name or value that no header can have, or must not; never shows the value."""
    name, value = body.api_key_name, body.api_key_value
    if name is UNSET:
        if value:
            raise InvalidInput("api_key_value has no header to go into: api_key_name is absent", field="$.api_key_name")
        return
    if not _is_token(name):
        raise InvalidInput(
            "api_key_name is no header name: letters, digits and !#$%&'*+-.^_`|~ (RFC 9110, 5.6.2)",
            field="$.api_key_name",
        )
    if name.lower() in _TAKEN or name.lower().startswith(_TAKEN_PREFIX):
        raise InvalidInput(f"api_key_name: the header {name} is not free for api keys", field="$.api_key_name")
    if value is not UNSET and (_NOT_TEXT.search(value) or value != value.strip()):
        raise InvalidInput(
            "api_key_value is no header value: it has a control character, or blanks at an end",
            field="$.api_key_value",
        )
