from base64 import b64decode, b64encode
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from tams_common.errors import StartRefused
from tams_webhooks.config import WebhooksConfig
from tams_webhooks.outgoing.signing import Signer, SigningKey, signer_of

RFC_8032 = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        (
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24"
            "655141438e7a100b"
        ),
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        (
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aee"
            "b00d291612bb0c00"
        ),
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        (
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28d"
            "c027beceea1ec40a"
        ),
    ),
]
"""RFC 8032, 7.1: seed, public key, message, signature."""

PUBLISHED_SECRET = "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg=="
PUBLISHED_PUBLIC = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4="
PUBLISHED_SIGNATURE = "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg=="
"""The signature is the one that the specification of Standard Webhooks shows; the keys are their makers' example."""

OLD = SigningKey(bytes(range(32)))
NEW = SigningKey(bytes(range(32, 64)))


def secret(seed: bytes) -> str:
    """A key as it is configured."""
    return f"whsk_{b64encode(seed).decode()}"


@pytest.mark.parametrize(("seed", "public", "message", "signature"), RFC_8032)
def test_signatures_are_those_of_rfc_8032(seed: str, public: str, message: str, signature: str) -> None:
    key = SigningKey.parse(secret(bytes.fromhex(seed)))
    assert key.sign(bytes.fromhex(message)).hex() == signature
    assert b64decode(key.public.whpk.removeprefix("whpk_")).hex() == public


def test_the_signature_is_that_of_standard_webhooks() -> None:
    key = SigningKey.parse(PUBLISHED_SECRET)
    headers = Signer([key]).headers("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body=b'{"test": 2432232314}')
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": PUBLISHED_SIGNATURE,
    }
    assert key.public.whpk == PUBLISHED_PUBLIC


def test_a_public_key_is_the_json_web_key_of_rfc_8037() -> None:
    public = SigningKey.parse(secret(bytes.fromhex(RFC_8032[0][0]))).public
    assert (public.kty, public.crv, public.x) == ("OKP", "Ed25519", "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")
    assert public.kid == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def test_every_key_signs_while_keys_are_changed() -> None:
    signature = Signer([NEW, OLD]).headers("id", 1, body=b"{}")["webhook-signature"]
    assert signature.split(" ") == [
        Signer([key]).headers("id", 1, body=b"{}")["webhook-signature"] for key in (NEW, OLD)
    ]


def test_without_keys_nothing_is_signed() -> None:
    assert Signer().headers("id", 1, body=b"{}") == {"webhook-id": "id", "webhook-timestamp": "1"}
    assert Signer().public_keys == ()


@pytest.mark.property
@given(st.uuids().map(str), st.integers(0, 2**40), st.binary(max_size=500), st.binary(min_size=1, max_size=4))
def test_a_receiver_verifies_what_was_sent_and_nothing_else(
    event_id: str, timestamp: int, body: bytes, more: bytes
) -> None:
    headers = Signer([NEW]).headers(event_id, timestamp, body=body)
    public = Ed25519PublicKey.from_public_bytes(b64decode(NEW.public.whpk.removeprefix("whpk_")))
    signature = b64decode(headers["webhook-signature"].removeprefix("v1a,"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode()
    public.verify(signature, signed + body)
    with pytest.raises(InvalidSignature):
        public.verify(signature, signed + body + more)


def test_keys_are_read_in_their_order(tmp_path: Path) -> None:
    text = f" {secret(bytes(range(32, 64)))},\n{secret(bytes(range(32)))}\n"
    expected = (NEW.public, OLD.public)
    assert signer_of(WebhooksConfig(signing_keys=text)).public_keys == expected
    (tmp_path / "keys").write_text(text)
    assert signer_of(WebhooksConfig(signing_keys_file=str(tmp_path / "keys"))).public_keys == expected
    assert signer_of(WebhooksConfig()).public_keys == ()


@pytest.mark.parametrize(
    ("key", "fault"),
    [
        ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "does not begin with whsk_"),
        (PUBLISHED_PUBLIC, "does not begin with whsk_"),
        ("whsk_%%%", "not valid base64"),
        ("whsk_Zm9v\u00fc", "not valid base64"),
        (secret(b"short"), "has 5 bytes"),
        (PUBLISHED_SECRET[:-5] + "aaa==", "do not belong together"),
    ],
)
def test_a_bad_key_stops_the_start_and_is_not_shown(key: str, fault: str) -> None:
    with pytest.raises(StartRefused, match="TAMS_WEBHOOKS_SIGNING_KEYS") as refused:
        signer_of(WebhooksConfig(signing_keys=f"{secret(bytes(32))},{key}"))
    assert fault in refused.value.detail
    assert key[5:] not in refused.value.detail


def test_a_bad_file_of_keys_is_named(tmp_path: Path) -> None:
    with pytest.raises(StartRefused, match="TAMS_WEBHOOKS_SIGNING_KEYS_FILE"):
        signer_of(WebhooksConfig(signing_keys_file=str(tmp_path / "none")))
    (tmp_path / "keys").write_text("x")
    with pytest.raises(StartRefused, match="TAMS_WEBHOOKS_SIGNING_KEYS_FILE"):
        signer_of(WebhooksConfig(signing_keys_file=str(tmp_path / "keys")))
