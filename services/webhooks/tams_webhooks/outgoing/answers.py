"""What came of one attempt: the receiver's status, or why there is none, in a few words without secrets."""

import asyncio
import os
import re
from datetime import UTC
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final

import aiohttp
from msgspec import Struct

from tams_common.clock import SECOND
from tams_common.errors import InvalidInput

DAY: Final = 24 * 3600
MAX_ERROR: Final = 200
"""Characters."""

_SECONDS: Final = re.compile(r"[0-9]{1,9}")


class Answer(Struct, frozen=True):
    """The outcome of one attempt: `status` is None where none came, and `error` is empty for a success.

    `latency` is from the start until the status was there, or until the failure, in ns; `retry_after` is for how many
    seconds the receiver wants to be left alone, at most a day.
    """

    status: int | None
    error: str
    latency: int
    retry_after: int | None = None

    @property
    def delivered(self) -> bool:
        """Any 2xx is a success (EVT-10); a redirect is not."""
        return self.status is not None and 200 <= self.status < 300


def error_of(status: int) -> str:
    """What is wrong with `status`, empty for a success."""
    if 200 <= status < 300:
        return ""
    try:
        phrase = f" {HTTPStatus(status).phrase}"
    except ValueError:
        phrase = ""
    note = "; redirects are not followed" if 300 <= status < 400 else ""
    return f"the receiver answered {status}{phrase}{note}"


def retry_after(value: str | None, *, now: int) -> int | None:
    """Seconds from `now` (ns) that a `Retry-After` asks for (RFC 9110, 10.2.3); None where it says nothing usable."""
    if value is None:
        return None
    value = value.strip()
    if _SECONDS.fullmatch(value):
        return min(int(value), DAY)
    try:
        moment = parsedate_to_datetime(value)
        seconds = int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError):
        return None
    return max(0, min(seconds - now // SECOND, DAY))


def failure_of(error: Exception, *, timeout: float) -> str | None:
    """What went wrong, for the receiver's owner; None for what is no failure of a receiver or a network."""
    text = _words(error, timeout)
    return None if text is None else text[:MAX_ERROR]


def _words(error: Exception, timeout: float) -> str | None:
    match error:
        case InvalidInput():
            return error.detail
        case aiohttp.ClientConnectorCertificateError():
            reason = getattr(error.certificate_error, "verify_message", "")
            return f"the receiver's TLS certificate is not accepted: {reason or 'it is for another host'}"
        case aiohttp.ClientConnectorSSLError():
            return f"no TLS with the receiver: {getattr(error.os_error, 'reason', None) or 'the handshake failed'}"
        case aiohttp.ClientConnectorDNSError():
            return "the receiver's host does not resolve"
        case asyncio.TimeoutError():
            return f"no answer within {timeout:g} s"
        case aiohttp.ClientConnectorError():
            return f"no connection to the receiver: {_cause(error.os_error) or 'it failed'}"
        case aiohttp.ServerDisconnectedError():
            return "the receiver closed the connection without an answer"
        case aiohttp.ClientResponseError():
            return "the receiver's answer is not HTTP, or its headers are too large"
        case OSError():
            return f"the connection broke: {_cause(error) or 'it was closed'}"
        case aiohttp.ClientError():
            return f"the receiver's answer could not be read: {type(error).__name__}"
        case ValueError():
            return "the request cannot be sent: a header or the URL is not valid"
        case _:
            return None


def _cause(error: OSError) -> str:
    """The system's words for what happened, without the address that Python adds."""
    return os.strerror(error.errno) if error.errno is not None else ""
