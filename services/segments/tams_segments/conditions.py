"""Conditional requests for the bytes of an object (RFC 9110, section 13)."""

import re
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

from tams_common.clock import SECOND
from tams_common.errors import PreconditionFailed
from tams_common.http.message import Request
from tams_common.objects import ObjectInfo

_TAG: Final = re.compile(r'(W/)?"([^"]*)"')


def is_known(request: Request, info: ObjectInfo) -> bool:
    """Whether a GET or HEAD says that the client has these bytes already, so that the answer is 304 (13.2.2).

    Raises `PreconditionFailed` when it wants other bytes than these, by `If-Match` or `If-Unmodified-Since`. A date
    counts only where there is no tag of its kind, and one that is none is passed over.
    """
    headers, modified = request.headers, info.modified // SECOND
    wanted, known = headers.get("if-match"), headers.get("if-none-match")
    if wanted is not None:
        if not _names(wanted, info.etag, weakly=False):
            raise PreconditionFailed(f'the object has the entity tag "{info.etag}"', field="If-Match")
    elif (until := _seconds(headers.get("if-unmodified-since"))) is not None and modified > until:
        raise PreconditionFailed("the object has been uploaded since", field="If-Unmodified-Since")
    if known is not None:
        return _names(known, info.etag, weakly=True)
    since = _seconds(headers.get("if-modified-since"))
    return since is not None and modified <= since


def may_have_parts(request: Request, info: ObjectInfo) -> bool:
    """Whether `If-Range`, if there is one, names exactly this version, by tag or date; else all is sent (13.1.5)."""
    version = request.headers.get("if-range")
    if version is None:
        return True
    return version.strip() == f'"{info.etag}"' or _seconds(version) == info.modified // SECOND


def _names(header: str, etag: str, *, weakly: bool) -> bool:
    """Whether a list of tags, or `*`, covers `etag`; `weakly`: also by a tag that is marked as weak (8.8.3.2)."""
    found = _TAG.findall(header)
    return header.strip() == "*" or any(tag == etag and (weakly or not weak) for weak, tag in found)


def _seconds(date: str | None) -> int | None:
    """Seconds since the epoch; None for what is no date."""
    try:
        moment = parsedate_to_datetime(date or "")
        return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError):
        return None
