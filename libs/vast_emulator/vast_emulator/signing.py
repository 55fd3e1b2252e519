"""Verification of AWS Signature Version 4 as the SDK signs: region empty, service s3, host and date signed.

Every header that the signature names is checked, and the body always: the SDK hashes it although it does not sign the
hash's header.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, unquote, urlsplit

from vast_emulator.message import Call
from vast_emulator.refusals import refusal

ALGORITHM = "AWS4-HMAC-SHA256"


@dataclass(frozen=True)
class Authorization:
    """The parts of an `Authorization` header."""

    access_key: str
    date: str
    region: str
    service: str
    signed_headers: tuple[str, ...]
    signature: str

    @property
    def scope(self) -> str:
        """What the signing key is derived for."""
        return f"{self.date}/{self.region}/{self.service}/aws4_request"

    @staticmethod
    def parse(header: str) -> "Authorization":
        """Raises a refusal (403) for any other form."""
        algorithm, _, rest = header.partition(" ")
        fields = dict(part.strip().partition("=")[::2] for part in rest.split(","))
        credential = fields.get("Credential", "").split("/")
        signed = tuple(name for name in fields.get("SignedHeaders", "").split(";") if name)
        if algorithm != ALGORITHM or len(credential) != 5 or "host" not in signed or "x-amz-date" not in signed:
            raise refusal(403, "AccessDenied", message="the request is not signed with AWS Signature Version 4")
        access_key, date, region, service, _ = credential
        return Authorization(access_key, date, region, service, signed, fields.get("Signature", ""))


def verify(call: Call, keys: Mapping[str, str]) -> str:
    """The access key that signed the call. Raises a refusal (403) for an unknown key or another signature."""
    found = Authorization.parse(call.headers.get("authorization", ""))
    secret = keys.get(found.access_key)
    if secret is None:
        raise refusal(403, "InvalidAccessKeyId", message="the access key is unknown")
    if not hmac.compare_digest(_signature(call, found, secret=secret), found.signature):
        raise refusal(403, "SignatureDoesNotMatch", message="the signature does not fit the request and the secret key")
    return found.access_key


def _signature(call: Call, found: Authorization, *, secret: str) -> str:
    digest = hashlib.sha256(_canonical(call, found).encode()).hexdigest()
    text = "\n".join((ALGORITHM, call.headers.get("x-amz-date", ""), found.scope, digest))
    key = f"AWS4{secret}".encode()
    for part in (found.date, found.region, found.service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.digest(key, text.encode(), "sha256").hex()


def _canonical(call: Call, found: Authorization) -> str:
    split = urlsplit(call.target)
    pairs = sorted(part for part in split.query.split("&") if part)
    headers = "".join(f"{name}:{' '.join(call.headers.get(name, '').split())}\n" for name in found.signed_headers)
    return "\n".join(
        (
            call.method,
            quote(unquote(split.path) or "/", safe="/-_.~"),
            "&".join(part if "=" in part else f"{part}=" for part in pairs),
            headers,
            ";".join(found.signed_headers),
            hashlib.sha256(call.body).hexdigest(),
        )
    )
