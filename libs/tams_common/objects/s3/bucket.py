"""A bucket as the services reach it: the client, and the names of keys in it."""

from contextlib import AsyncExitStack
from typing import Any

import aioboto3
import msgspec
from botocore.config import Config

from tams_common.objects.declared import S3Backend
from tams_common.objects.port import ObjectInfo
from tams_common.objects.s3.answers import asking
from tams_common.timerange import NS

_CHECKSUMS = {
    "ChecksumCRC32": "x-amz-checksum-crc32",
    "ChecksumCRC32C": "x-amz-checksum-crc32c",
    "ChecksumCRC64NVME": "x-amz-checksum-crc64nvme",
    "ChecksumSHA1": "x-amz-checksum-sha1",
    "ChecksumSHA256": "x-amz-checksum-sha256",
}
_CONNECTIONS = 32


class Bucket(msgspec.Struct, frozen=True):
    """A bucket with an open client; `place` names it in errors, `client` is aiobotocore's, which has no types."""

    client: Any
    name: str
    prefix: str
    place: str

    def named(self, key: str) -> dict[str, str]:
        """The parameters that say which object is meant."""
        return {"Bucket": self.name, "Key": self.prefix + key}

    async def head(self, key: str) -> ObjectInfo:
        """What is stored under `key`; raises `NotFound`."""
        with asking(self.place):
            found = await self.client.head_object(**self.named(key), ChecksumMode="ENABLED")
        return ObjectInfo(
            size=found["ContentLength"],
            etag=found["ETag"].strip('"'),
            content_type=found.get("ContentType", ""),
            modified=int(found["LastModified"].timestamp()) * NS,
            checksums={header: found[name] for name, header in _CHECKSUMS.items() if name in found},
        )


async def open_bucket(declared: S3Backend, session: aioboto3.Session, *, stack: AsyncExitStack, place: str) -> Bucket:
    """The bucket with a client that `stack` closes; nothing is asked of the store yet."""
    config = Config(
        signature_version="s3v4",
        s3={"addressing_style": declared.addressing},
        retries={"mode": "standard", "total_max_attempts": declared.attempts},
        connect_timeout=declared.connect_timeout,
        read_timeout=declared.read_timeout,
        max_pool_connections=_CONNECTIONS,
        # Other stores do not know the checksums that are sent by default; what we write carries its MD5.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    client = await stack.enter_async_context(
        session.client("s3", endpoint_url=declared.api, config=config, verify=declared.ca_file or None)
    )
    return Bucket(client, declared.bucket, declared.prefix, place)
