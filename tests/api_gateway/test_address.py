import pytest

from tams_api_gateway.address import BaseUrls, parse_networks
from tams_common.errors import InvalidInput, StartRefused
from tams_common.http.message import Request
from tests.api_gateway.gateways import World

FORWARDED = {
    "host": "10.0.0.5:4010",
    "x-forwarded-proto": "https",
    "x-forwarded-host": "media.example.com, inner",
    "x-forwarded-prefix": "/tams/v8.2/",
}


def request(headers: dict[str, str], remote: str = "10.1.2.3") -> Request:
    made = Request("GET", "/", headers=headers)
    made.remote = remote
    return made


def base(headers: dict[str, str], *, public: str = "", proxies: str = "", remote: str = "10.1.2.3") -> str:
    return BaseUrls(public, parse_networks(proxies)).of(request(headers, remote))


def test_the_host_that_the_client_named() -> None:
    assert base({"host": "store.example.com:4010"}) == "http://store.example.com:4010"
    assert base({"host": "[::1]:4010"}) == "http://[::1]:4010"
    assert base({}) == ""


def test_the_public_url_wins() -> None:
    assert base(FORWARDED, public="https://a.example.com/x/", proxies="10.0.0.0/8") == "https://a.example.com/x"


@pytest.mark.parametrize("remote", ["10.1.2.3", "::ffff:10.1.2.3", "fd00::7"])
def test_trusted_proxies_are_believed(remote: str) -> None:
    urls = BaseUrls("", parse_networks("10.0.0.0/8, fd00::/8"))
    for _ in range(2):
        assert urls.of(request(FORWARDED, remote)) == "https://media.example.com/tams/v8.2"


@pytest.mark.parametrize("remote", ["192.0.2.1", "", "unknown"])
def test_others_are_not(remote: str) -> None:
    assert base(FORWARDED, proxies="10.0.0.0/8", remote=remote) == "http://10.0.0.5:4010"
    assert base(FORWARDED, remote=remote) == "http://10.0.0.5:4010"


def test_a_proxy_that_says_nothing_changes_nothing() -> None:
    assert base({"host": "x"}, proxies="10.0.0.0/8") == "http://x"


@pytest.mark.parametrize("host", ['a"b', "a>b", "a b", "a/b", "a@b", "a:b", "é"])
def test_hosts_that_are_none(host: str) -> None:
    with pytest.raises(InvalidInput):
        base({"host": host})


@pytest.mark.parametrize("odd", [{"x-forwarded-proto": "ftp"}, {"x-forwarded-prefix": '/a">'}])
def test_forwarded_headers_that_are_not_valid(odd: dict[str, str]) -> None:
    with pytest.raises(InvalidInput):
        base({**FORWARDED, **odd}, proxies="10.0.0.0/8")


@pytest.mark.parametrize("url", ["media.example.com", "ftp://x", "https://", "https://x/?a"])
def test_a_public_url_that_is_none_stops_the_start(url: str) -> None:
    with pytest.raises(StartRefused, match="TAMS_PUBLIC_URL"):
        BaseUrls(url, ())


@pytest.mark.parametrize("text", ["10.0.0.0/33", "proxy", "10.0.0.1/8"])
def test_networks_that_are_none_stop_the_start(text: str) -> None:
    with pytest.raises(StartRefused, match="TRUSTED_PROXIES"):
        parse_networks(text)


async def test_services_learn_it() -> None:
    world = World(public_url="https://media.example.com/tams")
    assert (await world.client().get("/flows")).json()["base_url"] == "https://media.example.com/tams"
