"""Which conditions of a request on an object's bytes hold, and in which order they count (RFC 9110, section 13)."""

import pytest

from tams_common.clock import SECOND
from tams_common.errors import PreconditionFailed
from tams_common.http.message import Request
from tams_common.objects import ObjectInfo
from tams_segments.conditions import is_known, may_have_parts

BEFORE = "Sun, 06 Nov 1994 08:49:36 GMT"
UPLOADED = "Sun, 06 Nov 1994 08:49:37 GMT"
AFTER = "Sun, 06 Nov 1994 08:49:38 GMT"
OLD_FORMS = ["Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"]
NO_DATES = ["", "yesterday", "784111777", "Sun, 99 Nov 1994 08:49:37 GMT"]
INFO = ObjectInfo(size=5, etag="now", content_type="video/mp2t", modified=784_111_777 * SECOND + 999_999_999)


def get(**headers: str) -> Request:
    return Request("GET", "/media/a", headers={name.replace("_", "-"): value for name, value in headers.items()})


@pytest.mark.parametrize(
    "headers",
    [
        {"if_none_match": '"now"'},
        {"if_none_match": '"then", W/"now"'},
        {"if_none_match": "*"},
        {"if_none_match": '"now"', "if_modified_since": BEFORE},
        {"if_modified_since": UPLOADED},
        {"if_modified_since": AFTER},
        *({"if_modified_since": form} for form in OLD_FORMS),
        {"if_match": '"now"', "if_none_match": '"now"'},
        {"if_unmodified_since": UPLOADED, "if_modified_since": UPLOADED},
    ],
)
def test_what_the_client_has(headers: dict[str, str]) -> None:
    assert is_known(get(**headers), INFO)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"if_none_match": '"then"'},
        {"if_none_match": "now"},
        {"if_none_match": '"then"', "if_modified_since": AFTER},
        {"if_modified_since": BEFORE},
        *({"if_modified_since": text} for text in NO_DATES),
        {"if_match": '"now"'},
        {"if_match": '"then","now"'},
        {"if_match": "*"},
        {"if_match": '"now"', "if_unmodified_since": BEFORE},
        {"if_unmodified_since": UPLOADED},
        {"if_unmodified_since": AFTER},
        *({"if_unmodified_since": text} for text in NO_DATES),
    ],
)
def test_what_it_is_to_get(headers: dict[str, str]) -> None:
    assert not is_known(get(**headers), INFO)


@pytest.mark.parametrize(
    ("headers", "field"),
    [
        ({"if_match": '"then"'}, "If-Match"),
        ({"if_match": 'W/"now"'}, "If-Match"),
        ({"if_match": '"then"', "if_unmodified_since": AFTER}, "If-Match"),
        ({"if_match": '"then"', "if_none_match": '"now"'}, "If-Match"),
        ({"if_unmodified_since": BEFORE}, "If-Unmodified-Since"),
        ({"if_unmodified_since": BEFORE, "if_none_match": '"now"'}, "If-Unmodified-Since"),
    ],
)
def test_what_it_wants_only_as_it_was(headers: dict[str, str], field: str) -> None:
    with pytest.raises(PreconditionFailed) as raised:
        is_known(get(**headers), INFO)
    assert raised.value.field == field


@pytest.mark.parametrize(
    ("headers", "parts"),
    [
        ({}, True),
        ({"if_range": '"now"'}, True),
        ({"if_range": UPLOADED}, True),
        ({"if_range": '"then"'}, False),
        ({"if_range": 'W/"now"'}, False),
        ({"if_range": BEFORE}, False),
        ({"if_range": AFTER}, False),
        ({"if_range": "*"}, False),
        ({"if_range": "now"}, False),
    ],
)
def test_parts_are_of_the_version_that_is_named(headers: dict[str, str], *, parts: bool) -> None:
    assert may_have_parts(get(**headers), INFO) is parts
