import base64

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from tams_common.auth.principal import ANONYMOUS
from tams_webhooks.config import WebhooksConfig
from tams_webhooks.outgoing.signing import signer_of
from tests.webhooks.rig import CONFIG, running

PATH = "/.well-known/webhook-keys.json"


async def test_the_published_keys_verify_what_is_signed() -> None:
    async with running() as rig:
        answer = await rig.client_of(ANONYMOUS).get(PATH)
    (key,) = answer.json()["keys"]
    assert answer.headers["cache-control"] == "public, max-age=300"
    assert {name: key[name] for name in ("kty", "crv", "alg", "use")} == {
        "kty": "OKP",
        "crv": "Ed25519",
        "alg": "EdDSA",
        "use": "sig",
    }
    public = base64.b64decode(key["whpk"].removeprefix("whpk_"))
    assert public == base64.urlsafe_b64decode(key["x"] + "=")
    signature = signer_of(CONFIG).headers("id", 1, body=b"{}")["webhook-signature"]
    Ed25519PublicKey.from_public_bytes(public).verify(base64.b64decode(signature.removeprefix("v1a,")), b"id.1.{}")


async def test_where_nothing_is_signed_there_are_no_keys() -> None:
    unsigned: WebhooksConfig = msgspec.structs.replace(CONFIG, signing_keys="")
    async with running(unsigned) as rig:
        assert (await rig.client.get(PATH)).json() == {"keys": []}
