"""Where keys come from; that temporary ones are renewed in the background, and that no URL outlives them unsaid."""

import datetime as dt
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from tams_common.clock import SECOND, ManualClock, date_time, system_clock
from tams_common.errors import StartRefused, Unavailable
from tams_common.objects.declared import S3Backend
from tams_common.objects.s3 import S3Objects
from tams_common.objects.s3.credentials import KeyRing, session_of
from tams_common.objects.s3.presign import Keys
from tests.common.eventually import eventually

ID = "0f0f0f0f-6d5b-4a0a-9f25-0f0c5e4f1b7a"


@pytest.fixture(autouse=True)
def _nothing_is_known(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whatever this machine has for AWS stays out; there is no instance to be asked."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


async def found(credentials: str) -> Keys:
    """The keys that a declaration leads to."""
    ring = KeyRing(session_of(credentials, region="us-east-1", where="backend x"), where="backend x")
    await ring.open()
    await ring.close()
    assert ring.expires is None
    return ring.keys


async def test_keys_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StartRefused, match="backend x: key credentials: the environment has no LONDON_ACCESS_KEY_ID"):
        await found("environment:LONDON")
    monkeypatch.setenv("LONDON_ACCESS_KEY_ID", "AK")
    with pytest.raises(StartRefused, match="the environment has no LONDON_SECRET_ACCESS_KEY"):
        await found("environment:LONDON")
    monkeypatch.setenv("LONDON_SECRET_ACCESS_KEY", "SK")
    assert await found("environment:LONDON") == Keys("AK", "SK")
    monkeypatch.setenv("LONDON_SESSION_TOKEN", "T")
    assert await found("environment:LONDON") == Keys("AK", "SK", "T")


async def test_keys_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    with pytest.raises(StartRefused, match="keys cannot be read"):
        await found(f"file:{path}")
    path.write_text("aws_secret_access_key = hush\n")
    with pytest.raises(StartRefused, match="keys is not a credentials file") as caught:
        await found(f"file:{path}")
    assert "hush" not in caught.value.detail
    path.write_text("[default]\naws_access_key_id = AK\n")
    with pytest.raises(StartRefused, match="keys has no aws_secret_access_key"):
        await found(f"file:{path}")
    path.write_text(
        "[default]\naws_access_key_id = AK\naws_secret_access_key = S%K\n"
        "[two]\naws_access_key_id = A2\naws_secret_access_key = S2\naws_session_token = T2\n"
    )
    assert await found(f"file:{path}") == Keys("AK", "S%K")
    assert await found(f"file:{path}#two") == Keys("A2", "S2", "T2")
    with pytest.raises(StartRefused, match="keys has no three"):
        await found(f"file:{path}#three")


async def test_keys_from_where_aws_tools_look(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(StartRefused, match="backend x: key credentials: no credentials are found"):
        await found("chain")
    path = tmp_path / "shared"
    path.write_text("[default]\naws_access_key_id = AK\naws_secret_access_key = SK\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(path))
    assert await found("chain") == Keys("AK", "SK")


class Role:
    """A source of temporary keys, as containers have it: they last for the next of `lifetimes`; without one it refuses.

    Keys that end within ten minutes are asked for anew at once.
    """

    def __init__(self, lifetimes: Sequence[int]) -> None:
        self._lifetimes = list(lifetimes)
        self.given = 0
        self.ends = 0
        """When the last keys that were given end, in seconds since the epoch."""

    async def answer(self, _: web.Request) -> web.Response:
        """Fresh keys."""
        if not self._lifetimes:
            return web.Response(status=500)
        self.ends = system_clock() // SECOND + self._lifetimes.pop(0)
        self.given += 1
        keys = {"AccessKeyId": f"AK{self.given}", "SecretAccessKey": "SK", "Token": f"T{self.given}"}
        return web.json_response(keys | {"Expiration": date_time(self.ends * SECOND)})


@asynccontextmanager
async def serving(role: Role, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """The role, where the tools of AWS look for that of a container."""
    app = web.Application()
    app.router.add_get("/role", role.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"http://127.0.0.1:{port}/role")
    try:
        yield
    finally:
        await runner.cleanup()


async def test_temporary_keys_are_renewed_in_the_background(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(Role([120, 120, 3600]), monkeypatch):
        session = session_of("chain", region="us-east-1", where="backend x")
        ring = KeyRing(session, where="backend x", interval=0.01)
        await ring.open()
        assert ring.expires is not None

        async def renewed() -> bool:
            return ring.keys == Keys("AK3", "SK", "T3")

        await eventually(renewed)
        assert ring.expires > system_clock() // SECOND + 3000
        await ring.close()


async def test_keys_that_cannot_be_renewed_stay_and_are_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    with capture_logs() as logs:
        async with serving(Role([120, 120]), monkeypatch):
            ring = KeyRing(session_of("chain", region="r", where="backend x"), where="backend x", interval=0.01)
            await ring.open()

            async def told() -> bool:
                return any(line["event"] == "credentials are not renewed" for line in logs)

            await eventually(told)
            assert ring.keys == Keys("AK2", "SK", "T2")
            await ring.close()


def ends_of(url: str) -> int:
    """When a URL ends, in seconds since the epoch."""
    query = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    at = dt.datetime.strptime(query["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=dt.UTC)
    return int(at.timestamp()) + int(query["X-Amz-Expires"])


async def test_no_url_outlives_its_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    role, clock = Role([3600]), ManualClock()
    async with serving(role, monkeypatch):
        objects = S3Objects(S3Backend(id=ID, bucket="media"), url_lifetime=300, clock=clock)
        await objects.open()
        start = role.ends - 3600
        clock.now = start * SECOND
        first = objects.signer("").get_url("k")
        assert start + 300 <= ends_of(first) < start + 3600
        assert parse_qs(urlsplit(first).query)["X-Amz-Security-Token"] == ["T1"]
        clock.advance(seconds=3500)
        with capture_logs() as logs:
            for _ in range(3):
                assert ends_of(objects.signer("").get_url("k")) <= role.ends
        assert [line["event"] for line in logs] == ["URLs end before their time"]
        clock.advance(seconds=100)
        with pytest.raises(Unavailable, match=r"temporary credentials .* have ended"):
            objects.signer("")
        await objects.close()
