"""Static tokens: the development token and a file of tokens, given as bearer, in the URL or as password (AUTH-1 to 5).

A tokens file has one party per line: token, subject and scopes with blanks between them; `#` begins a comment. A token
may be given as `sha256:HEX`, so that the file holds no secret:

    7Zt9…                 playout    tams-api/read
    sha256:9f86d081884c…  ingest-1   tams-api/read tams-api/write
"""

import binascii
import hashlib
import re
from base64 import b64decode
from collections.abc import Iterable
from pathlib import Path
from typing import Final, Protocol

import msgspec

from tams_common.auth.principal import SCOPES, Principal
from tams_common.errors import StartRefused, Unauthenticated

MIN_LENGTH: Final = 16
"""Characters of a token in a file at least; shorter ones can be guessed."""
_REMEMBERED: Final = 4096
_HASHED: Final = re.compile(r"sha256:([0-9a-f]{64})")


class Verifier(Protocol):
    """Tells who a request comes from; static tokens are one way, an identity provider may be another."""

    async def principal(self, authorization: str | None, access_token: str | None) -> Principal:
        """Whom the `Authorization` header, or else the URL's `access_token`, stands for; raises `Unauthenticated`."""
        ...


class Token(msgspec.Struct, frozen=True):
    """One known token by its SHA-256, and whom it stands for."""

    digest: bytes
    principal: Principal


class StaticTokens:
    """Verifies against a fixed set of tokens. Only hashes are kept and compared, so timing tells nothing of a token."""

    def __init__(self, tokens: Iterable[Token]) -> None:
        self._tokens = {token.digest: token.principal for token in tokens}
        self._seen: dict[str, Principal] = {}

    async def principal(self, authorization: str | None, access_token: str | None) -> Principal:
        """See `Verifier`. With HTTP Basic the user is the subject and the password the token."""
        if authorization is not None:
            known = self._seen.get(authorization)
            if known is None:
                known = self._from_header(authorization)
                if len(self._seen) < _REMEMBERED:
                    self._seen[authorization] = known
            return known
        if access_token is not None:
            return self._lookup(access_token)
        raise Unauthenticated("this needs a token: send `Authorization: Bearer …`, HTTP Basic or `access_token=…`")

    def _from_header(self, authorization: str) -> Principal:
        scheme, _, credentials = authorization.strip().partition(" ")
        credentials = credentials.strip()
        match scheme.lower():
            case "bearer":
                return self._lookup(credentials)
            case "basic":
                return self._from_basic(credentials)
            case _:
                raise Unauthenticated("the Authorization header is neither of scheme Bearer nor Basic")

    def _from_basic(self, credentials: str) -> Principal:
        try:
            user, colon, password = b64decode(credentials, validate=True).decode().partition(":")
        except (binascii.Error, ValueError):
            raise Unauthenticated("the credentials of scheme Basic are not base64 of `user:password`") from None
        principal = self._lookup(password) if colon else None
        if principal is None or principal.subject != user:
            raise Unauthenticated("the user and password are not known")
        return principal

    def _lookup(self, token: str) -> Principal:
        principal = self._tokens.get(_digest(token))
        if principal is None:
            raise Unauthenticated("the token is not known")
        return principal


def static_token(token: str, subject: str, *, scopes: frozenset[str]) -> Token:
    """A token as text or `sha256:HEX`; raises `StartRefused` when the subject or the scopes cannot be."""
    hashed = _HASHED.fullmatch(token)
    unknown = scopes - SCOPES
    if unknown or not scopes:
        raise StartRefused(f"the token of {subject} has {', '.join(unknown) or 'no scope'}; known: {_SCOPE_NAMES}")
    if not subject.isprintable():
        raise StartRefused(f"the subject {subject!r} of a token has characters that cannot be printed")
    return Token(bytes.fromhex(hashed[1]) if hashed else _digest(token), Principal(subject, scopes))


def read_tokens(path: Path) -> tuple[Token, ...]:
    """The tokens of a file; raises `StartRefused` naming the line that is wrong, never a token."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise StartRefused(f"the tokens file {path} cannot be read: {error}") from error
    tokens = []
    for number, line in enumerate(lines, 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        if len(words) < 3:
            raise StartRefused(f"line {number} of the tokens file {path} is not: token subject scope …")
        if len(words[0]) < MIN_LENGTH:
            raise StartRefused(f"line {number} of the tokens file {path}: a token has {MIN_LENGTH} characters or more")
        try:
            tokens.append(static_token(words[0], words[1], scopes=frozenset(words[2:])))
        except StartRefused as error:
            raise StartRefused(f"line {number} of the tokens file {path}: {error.detail}") from None
    return tuple(tokens)


_SCOPE_NAMES: Final = ", ".join(sorted(SCOPES))


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
