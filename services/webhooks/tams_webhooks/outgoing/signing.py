"""Signatures of deliveries as Standard Webhooks has them: Ed25519 over id, time and body, in `webhook-signature`."""

import hashlib
from base64 import b64decode, b64encode, urlsafe_b64encode
from collections.abc import Sequence
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import Struct

from tams_common.config import secret_of, service_prefix
from tams_common.errors import StartRefused
from tams_webhooks.config import WebhooksConfig

SECRET: Final = "whsk_"
PUBLIC: Final = "whpk_"
_SIZE: Final = 32
_KEYS: Final = service_prefix("webhooks") + "SIGNING_KEYS"
_FILE: Final = f"{_KEYS}_FILE"


class PublicKey(Struct, frozen=True, kw_only=True):
    """One key of the document of keys: a JSON Web Key (RFC 8037), and the same as Standard Webhooks writes it."""

    kty: str = "OKP"
    crv: str = "Ed25519"
    alg: str = "EdDSA"
    use: str = "sig"
    kid: str
    x: str
    whpk: str


class SigningKey:
    """An Ed25519 key pair; `public` is what receivers may know of it."""

    def __init__(self, seed: bytes) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        raw = self._private.public_key().public_bytes_raw()
        x = _unpadded(raw)
        thumbprint = hashlib.sha256(f'{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}'.encode()).digest()  # RFC 7638
        self.public = PublicKey(kid=_unpadded(thumbprint), x=x, whpk=PUBLIC + b64encode(raw).decode())

    @classmethod
    def parse(cls, text: str) -> "SigningKey":
        """Reads `whsk_` and the base64 of a seed (32 bytes), or of seed and public key (64), as others write it.

        Raises `ValueError`, which does not repeat the key.
        """
        if not text.startswith(SECRET):
            raise ValueError(f"a key does not begin with {SECRET}")
        try:
            raw = b64decode(text.removeprefix(SECRET), validate=True)
        except ValueError:
            raise ValueError("a key is not valid base64") from None
        if len(raw) not in (_SIZE, 2 * _SIZE):
            raise ValueError(
                f"a key has {len(raw)} bytes; expected a seed of {_SIZE}, or {2 * _SIZE} with its public half"
            )
        key = cls(raw[:_SIZE])
        if raw[_SIZE:] and key.public.x != _unpadded(raw[_SIZE:]):
            raise ValueError("the two halves of a key do not belong together")
        return key

    def sign(self, message: bytes) -> bytes:
        """64 bytes."""
        return self._private.sign(message)


class Signer:
    """Makes the headers by which a receiver knows what it got, and from whom. Without keys nothing is signed."""

    def __init__(self, keys: Sequence[SigningKey] = ()) -> None:
        self._keys = tuple(keys)

    @property
    def public_keys(self) -> tuple[PublicKey, ...]:
        """Those that verify the signatures, in their order."""
        return tuple(key.public for key in self._keys)

    def headers(self, event_id: str, timestamp: int, *, body: bytes) -> dict[str, str]:
        """The headers of one attempt at `timestamp` (seconds since the Unix epoch); the id stays the same in each.

        Every key signs, so that receivers may know the old or the new one while keys are changed.
        """
        headers = {"webhook-id": event_id, "webhook-timestamp": str(timestamp)}
        if self._keys:
            message = f"{event_id}.{timestamp}.".encode() + body
            headers["webhook-signature"] = " ".join(
                f"v1a,{b64encode(key.sign(message)).decode()}" for key in self._keys
            )
        return headers


def signer_of(config: WebhooksConfig) -> Signer:
    """The signer with the configured keys, given as they are or in a file, with commas or line ends between them.

    Raises `StartRefused` naming the configuration key, never showing a secret.
    """
    text = secret_of(config.signing_keys, config.signing_keys_file, key=_FILE)
    source = _KEYS if config.signing_keys or not config.signing_keys_file else _FILE
    try:
        return Signer([SigningKey.parse(part) for part in text.replace(",", " ").split()])
    except ValueError as error:
        raise StartRefused(f"configuration key {source}: {error}") from None


def _unpadded(raw: bytes) -> str:
    """Base64 for URLs, as JSON Web Keys have it."""
    return urlsafe_b64encode(raw).rstrip(b"=").decode()
