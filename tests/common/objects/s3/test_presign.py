"""Our signatures are those of botocore, for whatever names, places and keys there are."""

from calendar import timegm
from time import strptime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import botocore.session
import msgspec
import pytest
from botocore.config import Config
from hypothesis import given
from hypothesis import strategies as st

from tams_common.objects.s3.presign import DayKeys, Keys, Moment, Presigner, address, signing_key

TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=40)
KEYS = st.one_of(TEXT, st.lists(TEXT, min_size=2, max_size=4).map("/".join))
SECRETS = st.text("abcXYZ019/+=", min_size=16, max_size=40)
ENDPOINTS = st.sampled_from(
    [
        "http://127.0.0.1:8333",
        "http://localhost:80",
        "https://s3.eu-west-2.amazonaws.com",
        "https://Media.Example:443",
        "https://media.example:8443",
        "https://media.example/s3/gate",
        "http://[::1]:9000",
    ]
)
REGIONS = st.sampled_from(["us-east-1", "eu-west-2", "vast-1", "garage"])
TYPES = st.sampled_from(["video/mp2t", "video/iso.segment", "application/octet-stream", "image/svg+xml"])
CLIENTS: dict[tuple[str, str, bool], Any] = {}


def client(endpoint: str, region: str, *, virtual: bool, keys: Keys) -> Any:  # noqa: ANN401  (botocore has no types)
    """botocore's client for the same; making one is slow, so that they are kept and given the keys."""
    name = (endpoint, region, virtual)
    if name not in CLIENTS:
        session = botocore.session.Session()
        session.set_credentials("-", "-")
        config = Config(
            signature_version="s3v4",
            s3={"addressing_style": "virtual" if virtual else "path"},
            request_checksum_calculation="when_required",
        )
        CLIENTS[name] = session.create_client("s3", endpoint_url=endpoint, region_name=region, config=config)
    made = CLIENTS[name]
    frozen = made._request_signer._credentials
    frozen.access_key, frozen.secret_key, frozen.token = keys.access_key, keys.secret_key, keys.session_token or None
    return made


def moment_of(url: str, region: str) -> Moment:
    """When botocore has signed: it takes no moment but its own."""
    query = parse_qs(urlsplit(url).query)
    signed_at = timegm(strptime(query["X-Amz-Date"][0], "%Y%m%dT%H%M%SZ"))
    return Moment(signed_at, int(query["X-Amz-Expires"][0]), region)


class Case(msgspec.Struct, frozen=True):
    """Something to sign."""

    key: str
    content_type: str
    endpoint: str
    region: str
    virtual: bool
    keys: Keys
    expires: int


CASES = st.builds(
    Case,
    key=KEYS,
    content_type=TYPES,
    endpoint=ENDPOINTS,
    region=REGIONS,
    virtual=st.booleans(),
    keys=st.builds(Keys, st.text("AKIA019", min_size=4, max_size=20), SECRETS, st.one_of(st.just(""), SECRETS)),
    expires=st.integers(1, 604_800),
)


@pytest.mark.property
@given(case=CASES)
def test_urls_are_those_of_botocore(case: Case) -> None:
    virtual = case.virtual and "127.0.0.1" not in case.endpoint and "[" not in case.endpoint
    theirs = client(case.endpoint, case.region, virtual=virtual, keys=case.keys)
    named = {"Bucket": "tams-media", "Key": case.key}
    written = named | {"ContentType": case.content_type}
    where, day_keys = address(case.endpoint, "tams-media", virtual=virtual), DayKeys()

    def ours(url: str) -> Presigner:
        return Presigner(where, case.keys, moment=moment_of(url, case.region), day_keys=day_keys)

    url = theirs.generate_presigned_url("get_object", Params=named, ExpiresIn=case.expires)
    assert ours(url).get_url(case.key) == url
    url = theirs.generate_presigned_url("put_object", Params=written, ExpiresIn=case.expires)
    assert ours(url).put_url(case.key, case.content_type) == url


def test_a_prefix_is_part_of_what_is_signed() -> None:
    plain, below = (address("http://localhost:1", "tams", prefix=prefix, virtual=False) for prefix in ("", "a/b/"))
    moment, day_keys = Moment(1_700_000_000, 60, "us-east-1"), DayKeys()
    whole, part = (Presigner(where, Keys("AK", "SK"), moment=moment, day_keys=day_keys) for where in (plain, below))
    assert whole.get_url("a/b/k") == part.get_url("k")
    assert whole.put_url("a/b/k", "video/mp2t") == part.put_url("k", "video/mp2t")


def test_only_host_and_content_type_are_signed() -> None:
    where = address("https://s3.example", "tams", virtual=True)
    ours = Presigner(where, Keys("AK", "SK"), moment=Moment(1_700_000_000, 60, "r"), day_keys=DayKeys())
    assert where.host == "tams.s3.example"
    for url, signed in ((ours.get_url("k"), "host"), (ours.put_url("k", "a/b"), "content-type;host")):
        query = parse_qs(urlsplit(url).query)
        assert query["X-Amz-SignedHeaders"] == [signed]
        assert not [name for name in query if "checksum" in name.lower()]


def test_types_may_alternate() -> None:
    where, moment = address("https://s3.example", "tams", virtual=True), Moment(1_700_000_000, 60, "r")
    one = Presigner(where, Keys("AK", "SK"), moment=moment, day_keys=DayKeys())
    other = Presigner(where, Keys("AK", "SK"), moment=moment, day_keys=DayKeys())
    first = [one.put_url("k", kind) for kind in ("a/a", "b/b", "a/a")]
    assert first == [other.put_url("k", kind) for kind in ("a/a", "b/b", "a/a")]
    assert first[0] == first[2] != first[1]


def test_the_key_of_a_day_is_derived_once() -> None:
    kept = DayKeys()
    first = kept.of("secret", "20260101", region="r")
    assert first is kept.of("secret", "20260101", region="r")
    assert first == signing_key("secret", "20260101", region="r")
    assert kept.of("secret", "20260102", region="r") != first
    assert kept.of("other", "20260101", region="r") != first
    assert kept.of("secret", "20260101", region="q") != first
