"""Api key values: under lock at rest, and in no answer or log line (WHK-7, WHK-33)."""

import io
import logging as standard
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import structlog
from cryptography.fernet import Fernet
from msgspec.structs import replace

from tams_common import logging
from tams_common.errors import StartRefused
from tams_common.http.app import ServiceApp
from tams_common.http.routing import Route
from tams_webhooks.config import WebhooksConfig
from tams_webhooks.courier import Target
from tams_webhooks.handlers.webhooks import Webhooks
from tams_webhooks.matching import filters_of
from tams_webhooks.registering import Registrar
from tams_webhooks.secrets import open_vault
from tams_webhooks.tables import WEBHOOKS
from tams_webhooks.webhook import Webhook, WebhookPost
from tests.common.http_client import Client
from tests.conformance import rule
from tests.stores import on_sqlite_files
from tests.webhooks.rig import CONFIG, running

HOOKS = "/service/webhooks"
SECRET = "correct-horse-battery-staple"
OLD, NEW = (Fernet.generate_key().decode() for _ in range(2))


def config(keys: str = "", keys_file: str = "") -> WebhooksConfig:
    return WebhooksConfig(encryption_keys=keys, encryption_keys_file=keys_file)


def test_what_is_kept_opens_again() -> None:
    vault = open_vault(config(OLD))
    kept = vault.encrypt(SECRET)
    assert SECRET.encode() not in kept
    assert vault.encrypt(SECRET) != kept
    assert vault.decrypt(kept) == SECRET
    assert vault.encrypt("") == b""
    assert vault.decrypt(b"") == ""


def test_a_new_key_goes_in_front_of_the_old_one() -> None:
    before, both, after = open_vault(config(OLD)), open_vault(config(f"{NEW}, {OLD}")), open_vault(config(NEW))
    assert both.decrypt(before.encrypt(SECRET)) == SECRET
    assert after.decrypt(both.encrypt(SECRET)) == SECRET
    assert after.decrypt(before.encrypt(SECRET)) is None
    assert before.decrypt(b"no secret at all") is None


def test_keys_may_lie_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text(f"{NEW}\n{OLD}\n")
    assert open_vault(config(keys_file=str(path))).decrypt(open_vault(config(OLD)).encrypt(SECRET)) == SECRET


@pytest.mark.parametrize("key", [OLD[:-4], "hunter2", f"{OLD},x", "ключ", OLD.replace(OLD[5], "!")])
def test_a_bad_key_stops_the_start_and_is_not_shown(tmp_path: Path, key: str) -> None:
    path = tmp_path / "keys"
    path.write_text(key, "utf-8")
    for made, name in ((config(key), "ENCRYPTION_KEYS"), (config(keys_file=str(path)), "ENCRYPTION_KEYS_FILE")):
        with pytest.raises(StartRefused, match=f"configuration key TAMS_WEBHOOKS_{name}: ") as refused:
            open_vault(made)
        assert key not in str(refused.value)
        assert refused.value.__cause__ is None


def test_no_key_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    for made, name in (
        (config(), "ENCRYPTION_KEYS"),
        (config(" , "), "ENCRYPTION_KEYS"),
        (config(keys_file=str(tmp_path / "empty")), "ENCRYPTION_KEYS_FILE"),
        (config(keys_file=str(tmp_path / "missing")), "ENCRYPTION_KEYS_FILE"),
    ):
        with pytest.raises(StartRefused, match=f"configuration key TAMS_WEBHOOKS_{name}: "):
            open_vault(made)


async def test_the_service_does_not_start_without_a_key() -> None:
    with pytest.raises(StartRefused, match="TAMS_WEBHOOKS_ENCRYPTION_KEYS"):
        async with running(replace(CONFIG, encryption_keys="")):
            pass


def test_a_body_that_is_printed_has_no_secret_in_it() -> None:
    body = WebhookPost(url="http://x", events=(), api_key_name="X", api_key_value=SECRET)
    assert SECRET not in f"{body!r}{body}"


def test_what_is_made_ready_to_be_sent_has_no_secret_in_it_when_printed() -> None:
    webhook = Webhook(url="https://receiver.example", events=("flows/created",), api_key_name="X-Key")
    target = Target(1, webhook, filters_of(webhook), "http://tams.test", {"X-Key": "very secret"})
    assert "very secret" not in repr(target)


@rule("WHK-33")
@on_sqlite_files
async def test_the_tables_hold_no_secret(tmp_path: Path) -> None:
    async with running(directory=tmp_path) as rig:
        webhook_id = await rig.register(rig.receiver.at().url, api_key_name="X", api_key_value=SECRET)
        shown = (await rig.client.get(f"{HOOKS}/{webhook_id}")).json()
        await rig.client.put(f"{HOOKS}/{webhook_id}", shown | {"api_key_value": f"{SECRET}-2"}, expect=201)
        row = await rig.store.read(lambda r: r.get(WEBHOOKS, (webhook_id,)))
        assert row is not None
        assert open_vault(rig.config).decrypt(row.secret) == f"{SECRET}-2"
        stored = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    with closing(sqlite3.connect(tmp_path / "webhooks.db")) as file:
        stored += "".join(file.iterdump()).encode()
    assert shown["url"].encode() in stored
    assert SECRET.encode() not in stored
    assert SECRET.encode().hex().encode() not in stored.lower()


@contextmanager
def logged() -> Iterator[io.StringIO]:
    """What is logged within, at any level; complete at the end."""
    root, before, output = standard.getLogger(), structlog.get_config(), io.StringIO()
    handlers, level = list(root.handlers), root.level
    logs = logging.configure("json", "debug", stream=output)
    try:
        yield output
    finally:
        logs.close()
        structlog.configure(**before)
        root.handlers[:] = handlers
        root.setLevel(level)


async def mistaken(url: str) -> None:
    raise RuntimeError("a mistake in the program")


@rule("WHK-7")
async def test_no_answer_and_no_log_line_shows_a_secret() -> None:
    with logged() as output:
        async with running() as rig:
            body = {"url": rig.receiver.at().url, "events": [], "api_key_name": "X-Key", "api_key_value": SECRET}
            answers = [await rig.client.post(HOOKS, body)]
            path = answers[0].headers["location"]
            put = body | {"id": answers[0].json()["id"], "status": "created"}
            answers += [await rig.client.put(path, put, expect=201), await rig.client.get(path)]
            answers += [await rig.client.get(HOOKS)]
            for wrong in (
                {"url": "nowhere"},
                {"events": ["no"]},
                {"api_key_name": "Host"},
                {"api_key_value": f"{SECRET}\n"},
                {"api_key_value": [SECRET]},
                {"api_key_value": SECRET * 200},
                {"presigned": "x"},
            ):
                answers.append(await rig.client.post(HOOKS, body | wrong, expect=400))
                answers.append(await rig.client.put(path, put | wrong, expect=400))
            broken = Registrar(
                rig.store, open_vault(rig.config), check_url=mistaken, clock=rig.clock, new_id=rig.parts.new_id
            )
            app = ServiceApp([Route("POST", HOOKS, Webhooks(broken, rig.parts.common, changed=lambda _: None).post)])
            answers.append(await Client(app).post(HOOKS, body, expect=500))
    assert "unexpected error" in output.getvalue()
    assert not [answer for answer in answers if SECRET.encode() in answer.body or SECRET in str(answer.headers)]
    assert SECRET not in output.getvalue()
