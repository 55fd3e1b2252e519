import pytest

from tams_common.errors import InvalidInput, StartRefused
from tams_common.outgoing.addresses import Allowed
from tams_common.outgoing.guard import Guard, Lookup, allowed_of
from tests.common.outgoing.hostile import resolving

PUBLIC = resolving(["93.184.216.34"])


def guard(allow: str = "", lookup: Lookup = PUBLIC) -> Guard:
    """A guard with a list of the operator's and a resolver."""
    return Guard(Allowed.parse(allow), lookup)


async def refusal(url: str, guard: Guard) -> str:
    """Why a registration of `url` is refused."""
    with pytest.raises(InvalidInput) as refused:
        await guard.check_url(url)
    assert refused.value.field == "$.url"
    return refused.value.detail


@pytest.mark.parametrize(
    "url",
    [
        *(
            "http://hooks.example/",
            "https://hooks.example:8443/a?b=c#d",
            "https://8.8.8.8/",
            "http://[2606:4700::1]:80/",
        ),
        *(
            "https://bücher.example/",
            "https://xn--bcher-kva.example",
            "http://a_b.example./x",
            "HTTPS://HOOKS.example/",
        ),
    ],
)
async def test_public_receivers_are_accepted(url: str) -> None:
    await guard().check_url(url)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        *(
            (url, "absolute")
            for url in ("ftp://a.example/", "//a.example", "a.example", "", "http:///x", "file:///etc")
        ),
        ("http://user:secret@a.example/", "credentials"),
        ("http://user@a.example/", "credentials"),
        ("http://:secret@a.example/", "credentials"),
        ("http://a.example:0/", "port 0"),
        ("http://a.example:99999/", "not valid"),
        ("http://[::1", "not valid"),
        *((f"http://a.example/{c}", "a blank") for c in (" ", "\r\nX: y", "\t", "\x00", "\\", "\x7f")),
        ("http://a.example\\@127.0.0.1/", "a blank"),
        ("http://a.example/" + "x" * 2048, "longer than 2048"),
        *((f"http://{host}/", "no valid name") for host in ("a..b", "exa%2fmple", "x" * 64, "a*b")),
        ("http://" + "a." * 127 + "example/", "no valid name"),
    ],
)
async def test_what_is_no_address_of_a_receiver_is_refused(url: str, reason: str) -> None:
    assert reason in await refusal(url, guard())


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "10.0.0.1", "169.254.169.254", "0.0.0.0", "100.64.0.1", "[::1]", "[::]", "[fd00:ec2::254]"),
        *(
            "[::ffff:127.0.0.1]",
            "[::FFFF:7f00:1]",
            "[64:ff9b::169.254.169.254]",
            "[2002:7f00:1::]",
            "[0:0:0:0:0:0:0:1]",
        ),
        *("127。0。0。1", "１２７.0.0.1", "①②⑦.0.0.1"),
    ],
)
async def test_addresses_that_are_not_public_are_refused(host: str) -> None:
    assert " belongs to " in await refusal(f"http://{host}:8080/", guard())


@pytest.mark.parametrize(
    "host",
    [
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "017700000001",
        "127.1",
        "127.0.0.1.",
        "%31%32%37.0.0.1",
        "[fe80::1%25eth0]",
    ],
)
async def test_other_forms_of_addresses_are_refused_even_where_the_address_is_allowed(host: str) -> None:
    assert "no host name" in await refusal(f"http://{host}/", guard("127.0.0.0/8,fe80::/10"))


async def test_a_name_is_judged_by_all_its_addresses() -> None:
    assert "a private network" in await refusal(
        "http://a.example/", guard(lookup=resolving(["93.184.216.34", "10.0.0.1"]))
    )
    assert "the local link" in await refusal("http://a.example/", guard(lookup=resolving(["fe80::1%eth0"])))


async def test_the_reason_does_not_tell_the_address_behind_a_name() -> None:
    assert "10.9.8.7" not in await refusal("http://db.internal/", guard(lookup=resolving(["10.9.8.7"])))


async def test_what_the_operator_allows_is_accepted() -> None:
    here = resolving(["127.0.0.1", "::1"])
    await guard("127.0.0.0/8,::1", here).check_url("http://localhost:8080/")
    await guard("localhost", here).check_url("http://LOCALHOST:8080/")
    await guard("*.internal", here).check_url("http://a.internal/")
    await guard("127.0.0.0/8").check_url("http://[::ffff:127.0.0.1]/")
    assert "the machine itself" in await refusal("http://localhost/", guard("127.0.0.0/8", here))
    assert "the machine itself" in await refusal("http://other/", guard("localhost", here))


async def test_a_host_that_does_not_resolve_yet_is_accepted() -> None:
    await guard(lookup=resolving([])).check_url("http://later.example/")


def test_a_bad_list_stops_the_start() -> None:
    with pytest.raises(StartRefused, match=r"TAMS_WEBHOOKS_ALLOW: '10\.0\.0\.1/8'"):
        allowed_of("localhost,10.0.0.1/8", key="TAMS_WEBHOOKS_ALLOW")


@pytest.mark.parametrize(
    ("url", "requested"),
    [
        ("http://a.example/x%2Fy?sig=%2B%2f%20b&c#part", "http://a.example/x%2Fy?sig=%2B%2f%20b&c"),
        ("http://A.example?x=1", "http://A.example/?x=1"),
        ("http://bücher.example/ä?ö=ü", "http://xn--bcher-kva.example/%C3%A4?%C3%B6=%C3%BC"),
    ],
)
def test_a_url_is_requested_as_it_was_written(url: str, requested: str) -> None:
    assert str(guard().target(url)) == requested
