"""What lies in the bucket: objects, uploads in parts that are not complete, and whose it all is."""

from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Final

import msgspec

from tams_common.errors import NotFound, Unavailable
from tams_common.objects.port import Entry, Owner, Unfinished
from tams_common.objects.s3.answers import asking
from tams_common.objects.s3.bucket import Bucket
from tams_common.timerange import NS

OWNER: Final = "tams-owner.json"


async def entries(bucket: Bucket) -> AsyncIterator[Entry]:
    """Every object below the prefix, but not the mark."""
    following: dict[str, str] = {}
    while True:
        with asking(bucket.place):
            page = await bucket.client.list_objects_v2(Bucket=bucket.name, Prefix=bucket.prefix, **following)
        for found in page.get("Contents", []):
            key = found["Key"].removeprefix(bucket.prefix)
            if key != OWNER:
                yield Entry(key, found["Size"], int(found["LastModified"].timestamp()) * NS)
        if not page.get("IsTruncated"):
            return
        following = {"ContinuationToken": page["NextContinuationToken"]}


async def unfinished(bucket: Bucket) -> AsyncIterator[Unfinished]:
    """Every upload in parts below the prefix; the store does not tell how much of it has arrived."""
    following: dict[str, str] = {}
    while True:
        with asking(bucket.place):
            page = await bucket.client.list_multipart_uploads(Bucket=bucket.name, Prefix=bucket.prefix, **following)
        for found in page.get("Uploads", []):
            begun = int(found["Initiated"].timestamp()) * NS
            yield Unfinished(found["UploadId"], begun, found["Key"].removeprefix(bucket.prefix))
        if not page.get("IsTruncated"):
            return
        following = {"KeyMarker": page["NextKeyMarker"], "UploadIdMarker": page["NextUploadIdMarker"]}


async def abandon(bucket: Bucket, upload: Unfinished) -> None:
    """Gives an upload up."""
    with suppress(NotFound), asking(bucket.place):
        await bucket.client.abort_multipart_upload(**bucket.named(upload.key), UploadId=upload.id)


async def owner(bucket: Bucket) -> Owner | None:
    """Whose mark the bucket bears below the prefix."""
    try:
        with asking(bucket.place):
            answer = await bucket.client.get_object(**bucket.named(OWNER))
            async with answer["Body"] as body:
                return msgspec.json.decode(await body.read(), type=Owner)
    except NotFound:
        return None
    except msgspec.DecodeError as error:
        raise Unavailable(f"the mark {bucket.prefix}{OWNER} in {bucket.place} cannot be read: {error}") from error


async def mark(bucket: Bucket, given: Owner) -> Owner:
    """Leaves the mark of `given` unless there is one; returns the one that is there then.

    Of two stores that come at the same moment the later one has it: who means to remove anything asks again.
    """
    found = await owner(bucket)
    if found is None:
        with asking(bucket.place):
            await bucket.client.put_object(
                **bucket.named(OWNER), Body=msgspec.json.encode(given), ContentType="application/json"
            )
        found = await owner(bucket)
    return found or given
