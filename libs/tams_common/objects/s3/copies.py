"""Moving bytes ourselves: streamed reads of one version, writes in parts that survive a crash."""

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Final

from tams_common.errors import InvalidInput, NotFound
from tams_common.objects.port import ObjectInfo, Upload
from tams_common.objects.s3.answers import asking
from tams_common.objects.s3.bucket import Bucket

CHUNK: Final = 1024 * 1024
_WHOLE: Final = ""
"""The id of an upload that fits into one part: it is written by a single request."""


async def read(bucket: Bucket, key: str, *, first: int, etag: str) -> AsyncIterator[bytes]:
    """The bytes from `first` on."""
    wanted = {"Range": f"bytes={first}-"} if first else {}
    with asking(bucket.place):
        answer = await bucket.client.get_object(**bucket.named(key), IfMatch=f'"{etag}"', **wanted)
        body = answer["Body"]
        async with body:
            while chunk := await body.read(CHUNK):
                yield chunk


async def begin(bucket: Bucket, key: str, *, content_type: str, size: int) -> Upload:
    """Starts a write of `size` bytes."""
    whole = Upload(key, content_type, size, id=_WHOLE)
    if size <= whole.part_size:
        return whole
    with asking(bucket.place):
        made = await bucket.client.create_multipart_upload(**bucket.named(key), ContentType=content_type)
    return Upload(key, content_type, size, id=made["UploadId"])


async def arrived(bucket: Bucket, upload: Upload) -> int:
    """How many bytes are there, without a gap."""
    if upload.id == _WHOLE:
        return 0
    return _sum_of(await _parts(bucket, upload), upload)


async def append(bucket: Bucket, upload: Upload, *, data: bytes, at: int) -> None:
    """Writes the part that begins at byte `at`."""
    named = bucket.named(upload.key)
    digest = (await asyncio.to_thread(hashlib.md5, data, usedforsecurity=False)).digest()
    body = {"Body": data, "ContentMD5": base64.b64encode(digest).decode()}
    with asking(bucket.place):
        if upload.id == _WHOLE:
            await bucket.client.put_object(**named, **body, ContentType=upload.content_type)
        else:
            number = at // upload.part_size + 1
            await bucket.client.upload_part(**named, **body, UploadId=upload.id, PartNumber=number)


async def complete(bucket: Bucket, upload: Upload) -> ObjectInfo:
    """Makes the object seen. An answer that was lost is found out by looking."""
    if upload.id != _WHOLE:
        with suppress(NotFound):
            await _put_together(bucket, upload)
    info = await bucket.head(upload.key)
    if info.size != upload.size:
        raise InvalidInput(f"{info.size} of {upload.size} bytes have arrived")
    return info


async def abort(bucket: Bucket, upload: Upload) -> None:
    """Gives the upload up: of a single request there are no parts, only the object, which is not ours to remove."""
    if upload.id != _WHOLE:
        with suppress(NotFound), asking(bucket.place):
            await bucket.client.abort_multipart_upload(**bucket.named(upload.key), UploadId=upload.id)


async def _put_together(bucket: Bucket, upload: Upload) -> None:
    parts = await _parts(bucket, upload)
    found = _sum_of(parts, upload)
    if found != upload.size:
        raise InvalidInput(f"{found} of {upload.size} bytes have arrived")
    count = -(-upload.size // upload.part_size)
    listed = [{"PartNumber": number, "ETag": parts[number][1]} for number in range(1, count + 1)]
    with asking(bucket.place):
        await bucket.client.complete_multipart_upload(
            **bucket.named(upload.key), UploadId=upload.id, MultipartUpload={"Parts": listed}
        )


async def _parts(bucket: Bucket, upload: Upload) -> dict[int, tuple[int, str]]:
    """Size and entity tag of each part that has arrived, by its number."""
    parts: dict[int, tuple[int, str]] = {}
    after = 0
    while True:
        with asking(bucket.place):
            page = await bucket.client.list_parts(
                **bucket.named(upload.key), UploadId=upload.id, PartNumberMarker=after
            )
        for part in page.get("Parts", []):
            parts[part["PartNumber"]] = (part["Size"], part["ETag"])
        if not page.get("IsTruncated"):
            return parts
        after = page["NextPartNumberMarker"]


def _sum_of(parts: dict[int, tuple[int, str]], upload: Upload) -> int:
    """The bytes of the parts from the first one on, up to a gap."""
    found, number = 0, 1
    while found < upload.size:
        expected = min(upload.part_size, upload.size - found)
        if parts.get(number, (-1, ""))[0] != expected:
            break
        found, number = found + expected, number + 1
    return found
