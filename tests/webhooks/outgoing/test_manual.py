"""The code that `docs/webhooks.md` gives to receivers does what it says."""

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tams_webhooks.outgoing.signing import Signer, SigningKey

MANUAL = Path(__file__).parents[3] / "docs" / "webhooks.md"
OLD, NEW = SigningKey(bytes(32)), SigningKey(bytes(range(32)))
BODY = b'{"event_type":"flows/updated"}'


@pytest.fixture
def is_genuine() -> Callable[..., bool]:
    """The manual's function."""
    (code,) = re.findall(r"```python\n(.*?)```", MANUAL.read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)
    return names["is_genuine"]  # type: ignore[no-any-return]


def test_deliveries_are_genuine_by_any_key_that_the_receiver_knows(is_genuine: Callable[..., bool]) -> None:
    headers = Signer([NEW, OLD]).headers("id", int(time.time()), body=BODY)
    assert is_genuine(headers, BODY, [NEW.public.whpk])
    assert is_genuine(headers, BODY, [OLD.public.whpk])
    assert is_genuine(headers, BODY, [SigningKey(bytes(range(1, 33))).public.whpk, OLD.public.whpk])


def test_others_are_not(is_genuine: Callable[..., bool]) -> None:
    now = int(time.time())
    headers = Signer([NEW]).headers("id", now, body=BODY)
    keys = [NEW.public.whpk]
    assert not is_genuine(headers, BODY + b" ", keys)
    assert not is_genuine(headers, BODY, [OLD.public.whpk])
    assert not is_genuine({**headers, "webhook-id": "other"}, BODY, keys)
    assert not is_genuine({**headers, "webhook-timestamp": str(now - 1)}, BODY, keys)
    assert not is_genuine({**headers, "webhook-signature": "v1,AAAA"}, BODY, keys)
    assert not is_genuine(Signer([NEW]).headers("id", now - 600, body=BODY), BODY, keys)
