import base64
import hashlib
from pathlib import Path

import pytest

from tams_common.auth import ADMIN, DELETE, READ, SCOPES, WRITE, StaticTokens, read_tokens, static_token
from tams_common.errors import StartRefused, Unauthenticated
from tests.conformance import rule

DEV = "a-development-token"
HASHED = "another-secret-token"


@pytest.fixture
def tokens() -> StaticTokens:
    digest = hashlib.sha256(HASHED.encode()).hexdigest()
    return StaticTokens(
        [
            static_token(DEV, "developer", scopes=SCOPES),
            static_token(f"sha256:{digest}", "playout", scopes=frozenset({READ})),
        ]
    )


def basic(text: str) -> str:
    return f"Basic {base64.b64encode(text.encode()).decode()}"


@rule("AUTH-3", "AUTH-4", "AUTH-5")
@pytest.mark.parametrize(
    ("authorization", "access_token", "subject"),
    [
        (f"Bearer {DEV}", None, "developer"),
        (f"bearer   {DEV} ", None, "developer"),
        (f"Bearer {HASHED}", None, "playout"),
        (None, HASHED, "playout"),
        (basic(f"playout:{HASHED}"), None, "playout"),
        (f"Bearer {DEV}", HASHED, "developer"),
    ],
)
async def test_every_way_to_give_a_token(
    tokens: StaticTokens, authorization: str | None, access_token: str | None, subject: str
) -> None:
    for _ in range(2):
        assert (await tokens.principal(authorization, access_token)).subject == subject


@rule("AUTH-2", "ERR-5")
@pytest.mark.parametrize(
    ("authorization", "access_token"),
    [
        (None, None),
        (None, "unknown"),
        (None, ""),
        ("", DEV),
        ("Bearer", None),
        ("Bearer unknown", None),
        ("Bearer \udcff", None),
        (f"Digest {DEV}", None),
        (DEV, None),
        (basic(f"developer:{HASHED}"), None),
        (basic("developer:unknown"), None),
        (basic("developer"), None),
        ("Basic !!!", None),
        ("Basic /w==", None),
        (f"Bearer sha256:{hashlib.sha256(HASHED.encode()).hexdigest()}", None),
    ],
)
async def test_everything_else_is_nobody(
    tokens: StaticTokens, authorization: str | None, access_token: str | None
) -> None:
    with pytest.raises(Unauthenticated) as caught:
        await tokens.principal(authorization, access_token)
    assert DEV not in caught.value.detail
    assert HASHED not in caught.value.detail


@rule("AUTH-10")
async def test_scopes(tokens: StaticTokens) -> None:
    developer = await tokens.principal(None, DEV)
    playout = await tokens.principal(None, HASHED)
    assert developer.may(frozenset({DELETE}))
    assert playout.may(frozenset({READ, WRITE}))
    assert not playout.may(frozenset({WRITE}))
    assert not playout.may(frozenset({ADMIN}))


async def test_a_tokens_file(tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    path.write_text(
        f"# studio\n\n0123456789abcdef  ingest-1  {READ} {WRITE}   # van\nfedcba9876543210 ops {ADMIN}\n", "utf-8"
    )
    tokens = StaticTokens(read_tokens(path))
    ingest = await tokens.principal("Bearer 0123456789abcdef", None)
    assert (ingest.subject, ingest.scopes) == ("ingest-1", frozenset({READ, WRITE}))
    assert (await tokens.principal("Bearer fedcba9876543210", None)).may(frozenset({DELETE}))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("0123456789abcdef ingest", "token subject scope"),
        ("0123456789abcdef ingest tams-api/everything", "tams-api/everything"),
        ("short ingest tams-api/read", "16 characters"),
        ("0123456789abcdef in\x1bgest tams-api/read", "printed"),
    ],
)
def test_a_bad_line_stops_the_start_without_telling_the_token(tmp_path: Path, line: str, reason: str) -> None:
    path = tmp_path / "tokens"
    path.write_text(f"# one\n{line}\n", "utf-8")
    with pytest.raises(StartRefused) as caught:
        read_tokens(path)
    assert "line 2" in caught.value.detail
    assert reason in caught.value.detail
    assert "0123456789abcdef" not in caught.value.detail


def test_an_absent_file_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(StartRefused, match="cannot be read"):
        read_tokens(tmp_path / "absent")
