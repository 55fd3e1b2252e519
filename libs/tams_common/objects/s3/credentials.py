"""Where a backend's keys come from, and how temporary ones are renewed before they end."""

import asyncio
import configparser
import os
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Final

import aioboto3
import structlog
from botocore.exceptions import BotoCoreError, ClientError

from tams_common.errors import StartRefused
from tams_common.objects.s3.presign import Keys

RENEWAL: Final = 60.0
"""Seconds between looks at temporary keys. They are renewed a quarter of an hour before they end, or as soon then as
their source has newer ones."""
_FAILURES: Final = (BotoCoreError, ClientError, RuntimeError, OSError, ValueError, KeyError)
"""What sources of keys raise; the last two, where they answer something else than keys."""
_log = structlog.get_logger(__name__)


def session_of(credentials: str, *, region: str, where: str) -> aioboto3.Session:
    """A session with the credentials that a declaration names; `where` names the declaration in errors."""
    kind, _, place = credentials.partition(":")
    if kind == "chain":
        return aioboto3.Session(region_name=region)
    keys = _of_environment(place, os.environ, where=where) if kind == "environment" else _of_file(place, where=where)
    return aioboto3.Session(
        aws_access_key_id=keys.access_key,
        aws_secret_access_key=keys.secret_key,
        aws_session_token=keys.session_token or None,
        region_name=region,
    )


class KeyRing:
    """The keys of a session as of now. `expires`: when they end, in seconds since the epoch; None: never."""

    def __init__(self, session: aioboto3.Session, *, where: str, interval: float = RENEWAL) -> None:
        self._session = session
        self._where = where
        self._interval = interval
        self._renewing: asyncio.Task[None] | None = None
        self.keys = Keys("", "")
        self.expires: int | None = None

    async def open(self) -> None:
        """Finds the keys, and keeps temporary ones fresh; raises `StartRefused` when there are none."""
        try:
            found = await self._session.get_credentials()
            if found is None:
                raise StartRefused(f"{self._where}: key credentials: no credentials are found")
            await self._take(found)
        except _FAILURES as error:
            raise StartRefused(f"{self._where}: key credentials: {error}") from error
        if self.expires is not None:
            self._renewing = asyncio.create_task(self._renew(found))

    async def close(self) -> None:
        """Lets the keys be."""
        if self._renewing is not None:
            self._renewing.cancel()
            with suppress(asyncio.CancelledError):
                await self._renewing

    async def _renew(self, found: object) -> None:
        while True:
            await asyncio.sleep(self._interval)
            try:
                await self._take(found)
            except _FAILURES as error:
                _log.warning(
                    "credentials are not renewed", backend=self._where, expires=self.expires, reason=str(error)
                )

    async def _take(self, found: object) -> None:
        frozen = await found.get_frozen_credentials()  # type: ignore[attr-defined]  # botocore ships no types
        self.keys = Keys(frozen.access_key, frozen.secret_key, frozen.token or "")
        # botocore tells by itself only whether keys end within a given time.
        ends = getattr(found, "_expiry_time", None)
        self.expires = int(ends.timestamp()) if isinstance(ends, datetime) else None


def _of_environment(name: str, environ: Mapping[str, str], *, where: str) -> Keys:
    access, secret = f"{name}_ACCESS_KEY_ID", f"{name}_SECRET_ACCESS_KEY"
    for variable in (access, secret):
        if not environ.get(variable):
            raise StartRefused(f"{where}: key credentials: the environment has no {variable}")
    return Keys(environ[access], environ[secret], environ.get(f"{name}_SESSION_TOKEN", ""))


def _of_file(place: str, *, where: str) -> Keys:
    path, _, profile = place.partition("#")
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(Path(path).expanduser().read_text())
        section = parser[profile or "default"]
        access, secret = section["aws_access_key_id"], section["aws_secret_access_key"]
    except OSError as error:
        raise StartRefused(f"{where}: key credentials: {path} cannot be read: {error.strerror}") from error
    except (configparser.Error, UnicodeDecodeError):
        # The text of a parser's error quotes the line, which may hold the secret.
        raise StartRefused(f"{where}: key credentials: {path} is not a credentials file") from None
    except KeyError as error:
        raise StartRefused(f"{where}: key credentials: {path} has no {error.args[0]}") from None
    return Keys(access, secret, section.get("aws_session_token", ""))
