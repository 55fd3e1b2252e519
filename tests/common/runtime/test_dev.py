"""What `tams dev` makes for itself: secrets that are kept, and permission to deliver to the same machine."""

from pathlib import Path

import pytest

from tams_common.config import read, service_prefix
from tams_common.errors import StartRefused
from tams_common.runtime.dev import webhook_keys
from tams_webhooks.config import WebhooksConfig
from tams_webhooks.outgoing.signing import signer_of
from tams_webhooks.secrets import open_vault


def test_the_keys_of_webhooks_are_made_once_and_kept_from_others(tmp_path: Path) -> None:
    data = tmp_path / "data"
    config = read(WebhooksConfig, service_prefix("webhooks"), environ=webhook_keys(data))
    vault, public = open_vault(config), signer_of(config).public_keys
    assert len(public) == 1
    assert {path.stat().st_mode & 0o777 for path in data.iterdir()} == {0o600}
    again = read(WebhooksConfig, service_prefix("webhooks"), environ=webhook_keys(data))
    assert again == config
    assert open_vault(again).decrypt(vault.encrypt("kept")) == "kept"
    assert signer_of(again).public_keys == public
    other = read(WebhooksConfig, service_prefix("webhooks"), environ=webhook_keys(tmp_path / "other"))
    assert open_vault(other).decrypt(vault.encrypt("kept")) is None


def test_a_key_that_cannot_be_kept_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StartRefused, match="webhook-encryption-key cannot be kept"):
        webhook_keys(tmp_path / "file" / "data")
