"""`prepare` on a real S3 store: the bucket is made, browsers are let in, what others have set stays."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from tams_common.objects.declared import S3Backend
from tams_common.objects.s3 import S3Objects
from tams_common.objects.s3.bucket import Bucket, open_bucket
from tams_common.objects.s3.credentials import session_of
from tests import seaweed
from tests.common.objects.contract import TS, Reply, call


@asynccontextmanager
async def opened(declared: S3Backend) -> AsyncIterator[S3Objects]:
    """The backend, open."""
    objects = S3Objects(declared, url_lifetime=300)
    await objects.open()
    try:
        yield objects
    finally:
        await objects.close()


@asynccontextmanager
async def bucket_of(declared: S3Backend) -> AsyncIterator[Bucket]:
    """The bucket as its owner reaches it, past our adapter."""
    async with AsyncExitStack() as stack:
        session = session_of(declared.credentials, region=declared.region, where="test")
        yield await open_bucket(declared, session, stack=stack, place="test")


async def preflight(objects: S3Objects, method: str, *, origin: str) -> Reply:
    """What a browser asks before it does `method`."""
    signer = objects.signer("")
    url = signer.put_url("k", TS) if method == "PUT" else signer.get_url("k")
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "content-type,content-md5" if method == "PUT" else "range",
    }
    return await call("OPTIONS", url, headers=headers)


async def test_what_is_absent_is_made_only_when_asked(tmp_path: Path) -> None:
    async with opened(seaweed.declared(tmp_path)) as objects:
        assert (await objects.prepare(create=False)).state == "absent"
        assert (await objects.condition()).state == "absent"
        made = await objects.prepare(create=True)
        assert (made.state, made.cors) == ("created", "applied")
        again = await objects.prepare(create=True)
        assert (again.state, again.cors, again.versions) == ("ready", "ready", "")


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT"])
async def test_browsers_of_the_origins_are_let_in(tmp_path: Path, method: str) -> None:
    async with opened(seaweed.declared(tmp_path, cors_origins=["https://player.example"])) as objects:
        await objects.prepare(create=True)
        welcome = await preflight(objects, method, origin="https://player.example")
        assert welcome.status == 200
        assert welcome.headers["Access-Control-Allow-Origin"] == "https://player.example"
        assert method in welcome.headers["Access-Control-Allow-Methods"]
        stranger = await preflight(objects, method, origin="https://elsewhere.example")
        assert "Access-Control-Allow-Origin" not in stranger.headers


async def test_a_browser_may_read_what_a_player_needs(tmp_path: Path) -> None:
    async with opened(seaweed.declared(tmp_path)) as objects:
        await objects.prepare(create=True)
        signer = objects.signer("")
        await call("PUT", signer.put_url("k", TS), body=b"0123456789", headers={"Content-Type": TS})
        headers = {"Origin": "https://any.example", "Range": "bytes=1-2"}
        reply = await call("GET", signer.get_url("k"), headers=headers)
        assert (reply.status, reply.body) == (206, b"12")
        assert reply.headers["Access-Control-Allow-Origin"] in ("*", "https://any.example")
        exposed = {name.strip().lower() for name in reply.headers["Access-Control-Expose-Headers"].split(",")}
        assert {"etag", "content-range", "content-length", "accept-ranges"} <= exposed


async def test_rules_of_others_stay_and_ours_are_brought_up_to_date(tmp_path: Path) -> None:
    declared = seaweed.declared(tmp_path, cors_origins=["https://old.example"])
    theirs = {"ID": "theirs", "AllowedMethods": ["GET"], "AllowedOrigins": ["https://theirs.example"]}
    async with opened(declared) as objects, bucket_of(declared) as bucket:
        await objects.prepare(create=True)
        ours = (await bucket.client.get_bucket_cors(Bucket=bucket.name))["CORSRules"]
        await bucket.client.put_bucket_cors(Bucket=bucket.name, CORSConfiguration={"CORSRules": [theirs, *ours]})
        assert (await objects.condition()).cors == "ready"
        async with opened(msgspec.structs.replace(declared, cors_origins=("https://new.example",))) as changed:
            assert (await changed.condition()).cors == "differs"
            assert (await changed.prepare(create=False)).cors == "applied"
            assert (await changed.condition()).cors == "ready"
            assert (await changed.prepare(create=False)).cors == "ready"
        rules = (await bucket.client.get_bucket_cors(Bucket=bucket.name))["CORSRules"]
        assert [(rule["ID"], rule["AllowedOrigins"]) for rule in rules] == [
            ("theirs", ["https://theirs.example"]),
            ("tams", ["https://new.example"]),
        ]


async def test_without_origins_the_rules_are_left_alone(tmp_path: Path) -> None:
    declared = seaweed.declared(tmp_path, cors_origins=[])
    async with opened(declared) as objects, bucket_of(declared) as bucket:
        made = await objects.prepare(create=True)
        assert (made.state, made.cors) == ("created", "")
        with pytest.raises(bucket.client.exceptions.ClientError, match="NoSuchCORSConfiguration"):
            await bucket.client.get_bucket_cors(Bucket=bucket.name)


async def test_a_bucket_that_keeps_versions_is_said_to(tmp_path: Path) -> None:
    declared = seaweed.declared(tmp_path)
    async with opened(declared) as objects, bucket_of(declared) as bucket:
        await objects.prepare(create=True)
        await bucket.client.put_bucket_versioning(Bucket=bucket.name, VersioningConfiguration={"Status": "Enabled"})
        assert (await objects.condition()).versions == "kept"


async def test_an_outage_is_a_condition(tmp_path: Path) -> None:
    async with opened(seaweed.declared(tmp_path, endpoint="http://127.0.0.1:1", attempts=1)) as objects:
        assert "does not answer" in (await objects.condition()).state


async def test_refused_keys_are_a_condition(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text("[default]\naws_access_key_id = nobody\naws_secret_access_key = nothing\n")
    async with opened(seaweed.declared(tmp_path, credentials=f"file:{keys}", attempts=1)) as objects:
        assert "refuses: 403" in (await objects.condition()).state
