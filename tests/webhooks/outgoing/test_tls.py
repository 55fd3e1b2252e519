import ssl
from datetime import UTC, datetime, timedelta

import pytest
import trustme

from tests.common.outgoing.hostile import NO_CONTENT, answering, hasty, peer, resolving
from tests.webhooks.outgoing.conftest import Senders

HOST = "hooks.example"
HERE = resolving(["127.0.0.1"])
LONG_AGO = datetime.now(UTC) - timedelta(days=30)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Who issues the certificates of these tests."""
    return trustme.CA()


@pytest.fixture
def trusting(authority: trustme.CA) -> ssl.SSLContext:
    """What a sender that knows the authority uses."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def server_side(certificate: trustme.LeafCert) -> ssl.SSLContext:
    """What a server with `certificate` uses."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


async def test_the_server_name_is_that_of_the_url(
    senders: Senders, authority: trustme.CA, trusting: ssl.SSLContext
) -> None:
    asked: list[str | None] = []
    context = server_side(authority.issue_cert(HOST))
    context.sni_callback = lambda _socket, name, _context: asked.append(name)
    async with peer(answering(NO_CONTENT), tls=context) as there:
        answer = await senders(lookup=HERE, tls=trusting).send(there.url(HOST, scheme="https"), b"{}", headers={})
        assert f"host: {HOST}:{there.port}\r\n".encode() in there.requests[0].lower()
    assert answer.delivered
    assert asked == [HOST]


async def test_a_certificate_may_be_for_an_address(
    senders: Senders, authority: trustme.CA, trusting: ssl.SSLContext
) -> None:
    context = server_side(authority.issue_cert("127.0.0.1", "::1"))
    async with (
        peer(answering(NO_CONTENT), tls=context) as there,
        peer(answering(NO_CONTENT), tls=context, host="::1") as sixth,
    ):
        sender = senders(tls=trusting)
        assert (await sender.send(there.url(scheme="https"), b"{}", headers={})).delivered
        assert (await sender.send(sixth.url("[::1]", scheme="https"), b"{}", headers={})).delivered


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (("other.example", None), "Hostname mismatch"),
        ((HOST, LONG_AGO + timedelta(days=1)), "certificate has expired"),
    ],
)
async def test_a_certificate_that_does_not_fit_is_a_failure(
    senders: Senders,
    authority: trustme.CA,
    trusting: ssl.SSLContext,
    *,
    fault: tuple[str, datetime | None],
    reason: str,
) -> None:
    identity, not_after = fault
    certificate = authority.issue_cert(identity, not_before=LONG_AGO, not_after=not_after)
    async with peer(answering(NO_CONTENT), tls=server_side(certificate)) as there:
        answer = await senders(lookup=HERE, tls=trusting).send(there.url(HOST, scheme="https"), b"{}", headers={})
        assert there.requests == []
    assert answer.status is None
    assert answer.error.startswith("the receiver's TLS certificate is not accepted: ")
    assert reason in answer.error


async def test_an_unknown_authority_is_a_failure(senders: Senders, authority: trustme.CA) -> None:
    async with peer(answering(NO_CONTENT), tls=server_side(authority.issue_cert(HOST))) as there:
        answer = await senders(lookup=HERE).send(there.url(HOST, scheme="https"), b"{}", headers={})
        assert there.requests == []
    assert answer.error.startswith("the receiver's TLS certificate is not accepted: ")


async def test_a_receiver_without_tls_is_a_failure(senders: Senders) -> None:
    async with peer(hasty(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as there:
        answer = await senders(lookup=HERE).send(there.url(HOST, scheme="https"), b"{}", headers={})
    assert answer.status is None
    assert answer.error.startswith("no TLS with the receiver: ")


async def test_plain_http_to_a_receiver_with_tls_is_a_failure(senders: Senders, authority: trustme.CA) -> None:
    async with peer(answering(NO_CONTENT), tls=server_side(authority.issue_cert(HOST))) as there:
        answer = await senders(lookup=HERE).send(there.url(HOST), b"{}", headers={})
    assert answer.status is None
    assert answer.error
