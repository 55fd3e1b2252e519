"""What an operator's commands do with a bucket: look at it, make it, let browsers in."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

import msgspec

from tams_common.errors import NotFound, Unavailable
from tams_common.model.values import READABLE
from tams_common.objects.port import Condition
from tams_common.objects.s3 import listing
from tams_common.objects.s3.answers import asking
from tams_common.objects.s3.bucket import Bucket

Rule: TypeAlias = Mapping[str, Any]
"""A cross-origin rule as botocore has it."""

_ID: Final = "tams"
_AN_HOUR: Final = 3600


def cors_rule(origins: Sequence[str]) -> dict[str, Any]:
    """Browsers of `origins` may upload and download, whole and in ranges, with checksums."""
    return {
        "ID": _ID,
        "AllowedOrigins": list(origins),
        "AllowedMethods": ["GET", "HEAD", "PUT"],
        "AllowedHeaders": ["*"],
        "ExposeHeaders": list(READABLE),
        "MaxAgeSeconds": _AN_HOUR,
    }


async def condition(bucket: Bucket, *, origins: Sequence[str]) -> Condition:
    """How the bucket stands."""
    try:
        if not await _exists(bucket):
            return Condition(bucket.place, "absent")
        cors = _standing(await _rules(bucket), origins) if origins else ""
        with asking(bucket.place):
            versioning = await bucket.client.get_bucket_versioning(Bucket=bucket.name)
        owner = await listing.owner(bucket)
    except Unavailable as error:
        return Condition(bucket.place, error.detail)
    return Condition(bucket.place, "ready", cors, "kept" if versioning.get("Status") == "Enabled" else "", owner)


async def prepare(bucket: Bucket, *, create: bool, region: str, origins: Sequence[str]) -> Condition:
    """Makes the bucket if it is absent and `create` is given; applies our cross-origin rule beside those of others."""
    state = ""
    if create and not await _exists(bucket):
        # AWS takes no constraint for its first region, and wants one for all others.
        constraint = {"CreateBucketConfiguration": {"LocationConstraint": region}} if region != "us-east-1" else {}
        with asking(bucket.place):
            await bucket.client.create_bucket(Bucket=bucket.name, **constraint)
        state = "created"
    found = await condition(bucket, origins=origins)
    applied = found.cors
    if found.cors in ("absent", "differs"):
        others = [rule for rule in await _rules(bucket) if rule.get("ID") != _ID]
        with asking(bucket.place):
            await bucket.client.put_bucket_cors(
                Bucket=bucket.name, CORSConfiguration={"CORSRules": [*others, cors_rule(origins)]}
            )
        applied = "applied"
    return msgspec.structs.replace(found, state=state or found.state, cors=applied)


async def _exists(bucket: Bucket) -> bool:
    try:
        with asking(bucket.place):
            await bucket.client.head_bucket(Bucket=bucket.name)
    except NotFound:
        return False
    return True


async def _rules(bucket: Bucket) -> list[Rule]:
    try:
        with asking(bucket.place):
            found = await bucket.client.get_bucket_cors(Bucket=bucket.name)
    except NotFound:
        return []
    rules: list[Rule] = found.get("CORSRules", [])
    return rules


def _standing(rules: Sequence[Rule], origins: Sequence[str]) -> str:
    ours = [rule for rule in rules if rule.get("ID") == _ID]
    if not ours:
        return "absent"
    return "ready" if [_comparable(rule) for rule in ours] == [_comparable(cors_rule(origins))] else "differs"


def _comparable(rule: Rule) -> dict[str, object]:
    return {name: sorted(value) if isinstance(value, list) else value for name, value in rule.items()}
