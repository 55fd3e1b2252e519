"""`/media/{key}`: the bytes of a backend whose signed URLs point back at the store (URL-10, INT-3)."""

import re
from collections.abc import Sequence
from email.utils import formatdate
from typing import Final

from tams_common.clock import SECOND
from tams_common.errors import Forbidden, InvalidInput, NotFound
from tams_common.http.message import Request, Response
from tams_common.objects import ObjectInfo, Objects, ServesBytes
from tams_common.objects.port import ByteRange
from tams_segments.conditions import is_known, may_have_parts

_RANGE: Final = re.compile(r"bytes=(?:([0-9]{1,18})-([0-9]{0,18})|-([0-9]{1,18}))", re.IGNORECASE)
_NOT_WHOLE: Final = ("content-range", "content-encoding")
"""Headers of an upload by which its body is not the object itself; stored as it comes it would be read as that."""


class Media:
    """GET, HEAD and PUT of signed URLs."""

    def __init__(self, backends: Sequence[Objects]) -> None:
        self._backends = [(objects, objects) for objects in backends if isinstance(objects, ServesBytes)]

    async def get(self, request: Request) -> Response:
        """The object or a part of it, under the conditions of RFC 9110."""
        key = request.params["key"]
        objects, bytes_of = self._verified(request, key)[0]
        info = await objects.head(key)
        if info is None:
            raise NotFound("no bytes have been uploaded for this object")
        headers = _headers(info)
        if is_known(request, info):
            return Response(304, b"", {"etag": headers["etag"]})
        if request.method == "HEAD":
            return Response(200, b"", {**headers, "content-length": str(info.size)})
        wanted = _wanted(request) if may_have_parts(request, info) else None
        download = await bytes_of.download(key, wanted)
        headers = _headers(download.info)  # it may have been uploaded anew since
        headers["content-length"] = str(download.last - download.first + 1)
        if wanted is None:
            return Response(200, download.body, headers)
        headers["content-range"] = f"bytes {download.first}-{download.last}/{download.info.size}"
        return Response(206, download.body, headers)

    async def put(self, request: Request) -> Response:
        """Stores an upload, whole or not at all; its content type is the one that was signed."""
        key = request.params["key"]
        (_, bytes_of), signed = self._verified(request, key)
        for name in _NOT_WHOLE:
            if request.headers.get(name, "identity") != "identity":
                raise InvalidInput(f"{name} is not taken: send the whole object, and as it is", field=name)
        given = request.headers.get("content-type", "")
        if given != signed:
            raise Forbidden(f"the URL was signed for content-type {signed}, the request has {given or 'none'}")
        info = await bytes_of.put(key, request.stream(), headers=request.headers)
        return Response(200, b"", {"etag": f'"{info.etag}"', "content-length": "0", **info.checksums})

    def _verified(self, request: Request, key: str) -> tuple[tuple[Objects, ServesBytes], str | None]:
        """The backend that has signed the URL, and for which content type."""
        refusal = Forbidden("no backend here serves media by itself")
        for objects, bytes_of in self._backends:
            try:
                return (objects, bytes_of), bytes_of.verify(request.method, key, query=request.query)
            except Forbidden as error:
                refusal = error
        raise refusal


def _headers(info: ObjectInfo) -> dict[str, str]:
    """Who uploads chooses the type: a browser must neither guess another one nor run the object as a page of ours."""
    return {
        "content-type": info.content_type,
        "etag": f'"{info.etag}"',
        "last-modified": formatdate(info.modified // SECOND, usegmt=True),
        "accept-ranges": "bytes",
        "x-content-type-options": "nosniff",
        "content-security-policy": "sandbox",
        **info.checksums,
    }


def _wanted(request: Request) -> ByteRange | None:
    """The slice asked for; None for the whole object, also for several ranges and bad ones."""
    found = _RANGE.fullmatch(request.headers.get("range", "").replace(" ", ""))
    if found is None:
        return None
    first, last, suffix = found.groups()
    if suffix is not None:
        return ByteRange(suffix=int(suffix))
    if last and int(last) < int(first):
        return None
    return ByteRange(first=int(first), last=int(last) if last else None)
