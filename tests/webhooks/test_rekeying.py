"""Encryption keys can be retired: what is kept under an older one comes under the first by itself (WHK-33)."""

from cryptography.fernet import Fernet

from tams_webhooks.rekeying import BATCH, Rekeying
from tams_webhooks.secrets import open_vault
from tams_webhooks.tables import WEBHOOKS, WebhookRow
from tests.conformance import rule
from tests.webhooks.rig import CONFIG, running
from tests.webhooks.test_secrets import config

OLD, NEW = (Fernet.generate_key().decode() for _ in range(2))
COUNT = BATCH + 5


def row(number: int, secret: bytes) -> WebhookRow:
    """A webhook's row that only its secret matters of."""
    return WebhookRow(
        id=f"{number:06}",
        url="https://hooks.test/",
        status="disabled",
        created=0,
        created_by="",
        version=1,
        base_url="",
        tags="",
        body=b"{}",
        secret=secret,
    )


@rule("WHK-33")
async def test_every_secret_comes_under_the_first_key() -> None:
    before, both, after = open_vault(config(OLD)), open_vault(config(f"{NEW},{OLD}")), open_vault(config(NEW))
    kept = {f"{number:06}": before.encrypt(f"value {number}") for number in range(COUNT)}
    lost = Fernet(Fernet.generate_key()).encrypt(b"gone")
    async with running(CONFIG) as rig:
        store = rig.parts.store
        rows = [row(int(name), secret) for name, secret in kept.items()]
        others = [row(COUNT, b""), row(COUNT + 1, lost), row(COUNT + 2, both.encrypt("new already"))]
        await store.run(lambda tx: tx.insert(WEBHOOKS, [*rows, *others]))
        assert await Rekeying(store, both).sweep() == COUNT
        found = await store.read(lambda reader: reader.get_many(WEBHOOKS, [(name,) for name in kept]))
        assert {row.id: after.decrypt(row.secret) for row in found.values()} == {
            name: f"value {int(name)}" for name in kept
        }
        assert {row.version for row in found.values()} == {2}
        assert await Rekeying(store, both).sweep() == 0
        untouched = await store.read(lambda reader: reader.get_many(WEBHOOKS, [(row.id,) for row in others]))
        assert list(untouched.values()) == others
