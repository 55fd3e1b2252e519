from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tams_common.outgoing.addresses import Allowed, inner, literal, why_refused

REFUSED = [
    *("0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.127.255.255", "127.0.0.1", "127.255.0.9"),
    *("169.254.0.1", "169.254.169.254", "169.254.170.2", "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.0.192"),
    *("192.0.2.1", "192.88.99.1", "192.168.0.1", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1"),
    *("100.100.100.200", "168.63.129.16", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255"),
    *("::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:10.0.0.1", "::ffff:0:127.0.0.1"),
    *("64:ff9b::7f00:1", "64:ff9b::a00:1", "64:ff9b:1::808:808", "100::1", "2001::1", "2001:db8::1", "2001:10::1"),
    *("2002:7f00:1::1", "2002:a9fe:a9fe::", "2002:c0a8:1::", "3fff::1", "4000::1", "5f00::1", "fc00::1", "fd00::1"),
    *("fd00:ec2::254", "fe80::1", "febf::1", "fec0::1", "ff02::1", "ff0e::1"),
]
PUBLIC = [
    *("1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255"),
    *("128.0.0.1", "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "192.0.1.1", "192.167.255.255"),
    *("198.17.255.255", "198.20.0.0", "223.255.255.255", "2000::1", "2606:4700::1111", "2001:4860:4860::8888"),
    *("::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"),
]


@pytest.mark.parametrize("address", REFUSED)
def test_what_is_not_public_is_refused(address: str) -> None:
    assert why_refused(ip_address(address))


@pytest.mark.parametrize("address", PUBLIC)
def test_what_is_public_may_be_reached(address: str) -> None:
    assert why_refused(ip_address(address)) is None


def test_the_reason_says_what_kind_of_place_it_is() -> None:
    assert why_refused(ip_address("169.254.169.254")) == "a metadata service"
    assert why_refused(ip_address("169.254.1.1")) == "the local link"
    assert why_refused(ip_address("::ffff:192.168.1.1")) == "a private network"


@pytest.mark.property
@given(st.ip_addresses())
@example(ip_address("192.31.196.1"))
@example(ip_address("64:ff9b::1"))
def test_nothing_is_reached_that_the_standard_library_calls_other_than_public(
    address: IPv4Address | IPv6Address,
) -> None:
    if why_refused(address) is None:
        judged = inner(address)
        assert judged.is_global
        assert not judged.is_multicast
        assert not judged.is_reserved
        assert not judged.is_link_local
        assert not judged.is_loopback
        assert not judged.is_unspecified


@pytest.mark.property
@given(st.ip_addresses(v=4))
def test_little_is_refused_that_the_standard_library_calls_public(address: IPv4Address) -> None:
    ours = ("192.88.99.", "192.0.0.", "168.63.129.16")
    if why_refused(address) is not None:
        assert not address.is_global or address.is_multicast or str(address).startswith(ours)


@pytest.mark.property
@given(st.ip_addresses(v=4), st.integers(0, 2**80 - 1))
def test_an_address_inside_another_is_judged_for_itself(address: IPv4Address, rest: int) -> None:
    mapped = IPv6Address((0xFFFF << 32) | int(address))
    nat64 = IPv6Address((0x64FF9B << 96) | int(address))
    six_to_four = IPv6Address((0x2002 << 112) | (int(address) << 80) | rest)
    assert why_refused(mapped) == why_refused(nat64) == why_refused(six_to_four) == why_refused(address)


@pytest.mark.parametrize("host", ["10.0.0.1", "255.255.255.255", "::1", "::ffff:127.0.0.1", "2001:db8::1"])
def test_an_address_is_known_by_its_form(host: str) -> None:
    assert literal(host) == ip_address(host)


@pytest.mark.parametrize("host", ["a.example", "localhost", "1.example", "0x7f.example", "a.example.", "0xfg", "x1"])
def test_a_name_is_no_address(host: str) -> None:
    assert literal(host) is None


@pytest.mark.parametrize(
    "host",
    [
        *(
            "2130706433",
            "0x7f000001",
            "0X7F.1",
            "0177.0.0.1",
            "127.1",
            "127.0.1",
            "127.0.0.1.",
            "0x7f.0.0.1",
            "0",
            "0x",
        ),
        *("1.2.3.4.5", "256.0.0.1", "a.1", "08.8.8.8", "1.2.3.0x4", "fe80::1%eth0", "::1::2", "1..2"),
    ],
)
def test_other_forms_of_addresses_are_neither(host: str) -> None:
    with pytest.raises(ValueError):
        literal(host)


def test_the_list_of_the_operator_names_networks_addresses_and_hosts() -> None:
    allowed = Allowed.parse("10.1.0.0/16, 127.0.0.1 ,::1,Hooks.Internal, *.svc.cluster.local,BÜCHER.example,")
    assert allowed.has_address(ip_address("10.1.2.3"))
    assert allowed.has_address(ip_address("::ffff:10.1.2.3"))
    assert allowed.has_address(ip_address("::1"))
    assert not allowed.has_address(ip_address("10.2.0.1"))
    assert not allowed.has_address(ip_address("127.0.0.2"))
    assert allowed.has_name("hooks.internal")
    assert allowed.has_name("HOOKS.internal.")
    assert allowed.has_name("a.b.svc.cluster.local")
    assert allowed.has_name("xn--bcher-kva.example")
    assert not allowed.has_name("svc.cluster.local")
    assert not allowed.has_name("xhooks.internal")


def test_an_empty_list_allows_nothing() -> None:
    allowed = Allowed.parse(" ")
    assert not allowed.has_address(ip_address("127.0.0.1"))
    assert not allowed.has_name("localhost")
    assert not allowed.has_name("")


@pytest.mark.parametrize("entry", ["10.0.0.1/8", "10.0.0.0/33", "1.2.3", "a b", "*.", "http://x", "x:80", "a..b", "*"])
def test_an_entry_that_is_none_is_named(entry: str) -> None:
    with pytest.raises(ValueError, match="is no "):
        Allowed.parse(f"127.0.0.1,{entry}")
