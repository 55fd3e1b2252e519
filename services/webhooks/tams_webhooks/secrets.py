"""Api key values at rest: encrypted under keys of the operator's, so that the tables alone give none away (WHK-33)."""

from collections.abc import Sequence
from typing import Final

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from tams_common.config import secret_of, service_prefix
from tams_common.errors import StartRefused
from tams_webhooks.config import WebhooksConfig

_KEYS: Final = service_prefix("webhooks") + "ENCRYPTION_KEYS"
_FILE: Final = f"{_KEYS}_FILE"


class Vault:
    """Encrypts with the first of `keys` and decrypts with all of them: a new key goes in front of the old ones."""

    def __init__(self, keys: Sequence[Fernet]) -> None:
        self._first = keys[0]
        self._keys = MultiFernet(keys)

    def encrypt(self, value: str) -> bytes:
        """What a row keeps of `value`; empty for an empty one."""
        return self._keys.encrypt(value.encode()) if value else b""

    def decrypt(self, secret: bytes) -> str | None:
        """The value that a row keeps; None when none of the keys opens it any more."""
        if not secret:
            return ""
        try:
            return self._keys.decrypt(secret).decode()
        except InvalidToken:
            return None

    def renewed(self, secret: bytes) -> bytes | None:
        """`secret` under the first key; None when it is that already, or when no key opens it."""
        try:
            self._first.decrypt(secret)
        except InvalidToken:
            pass
        else:
            return None
        try:
            return self._keys.rotate(secret)
        except InvalidToken:
            return None


def open_vault(config: WebhooksConfig) -> Vault:
    """The vault with the configured keys; raises `StartRefused` naming the key at fault, never showing it."""
    text = secret_of(config.encryption_keys, config.encryption_keys_file, key=_FILE)
    source = _KEYS if config.encryption_keys or not config.encryption_keys_file else _FILE
    keys = [part for part in text.replace(",", " ").split() if part]
    if not keys:
        raise StartRefused(
            f"configuration key {source}: webhooks need a key to encrypt api key values with, 32 random bytes in "
            f"URL-safe base64; set {_KEYS}, or {_FILE} to a file with it"
        )
    try:
        return Vault([Fernet(key) for key in keys])
    except ValueError:
        raise StartRefused(
            f"configuration key {source}: each key must be 32 bytes in URL-safe base64, with commas between several"
        ) from None
