"""Bodies are rendered once and spliced later; what a registration does to objects, without a store."""

import json

import pytest

from tams_common.errors import InvalidInput
from tams_common.http.codec import Timestamp, decode_json, encode_json
from tams_common.ids import FlowId
from tams_common.timerange import TimeRange
from tams_segments.registration import Ledger, Rules
from tams_segments.rendering import segment_body, with_object_timerange, with_urls
from tams_segments.requests import SegmentPost, read_segments
from tams_segments.tables import MediaObject
from tests.segments.rig import FLOW, segment

URLS, INIT_URLS = b'[{"url":"u"}]', b'[{"url":"i"}]'
RULES = Rules(FlowId(FLOW), init_segments=False, labels=frozenset({"local"}))


def item(timerange: str = "[0:0_1:0)", /, **more: object) -> SegmentPost:
    return decode_json(encode_json(segment("a", timerange, **more)), SegmentPost)


def allocated(name: str = "a") -> MediaObject:
    return MediaObject(name, "allocated", 0, allocated_for=FLOW, storage_id="s", storage_key="k")


def test_a_body_is_canonical_and_holds_what_belongs_to_the_object() -> None:
    posted = item("0:0_1:0", ts_offset="-0:0", last_duration="0:0", sample_offset=0)
    media = MediaObject("a", "media", 0, key_frame_count=3)
    assert json.loads(segment_body(posted, media)) == {
        "object_id": "a",
        "timerange": "[0:0_1:0]",
        "ts_offset": "0:0",
        "last_duration": "0:0",
        "sample_offset": 0,
        "key_frame_count": 3,
    }


@pytest.mark.parametrize("init", [None, 'i"\\/é}'])
def test_splices_are_where_they_belong(init: str | None) -> None:
    body = segment_body(item(), MediaObject("a", "media", 0, init_object_id=init))
    plain = json.loads(body)
    spliced = json.loads(with_urls(body, URLS, init_urls=None if init is None else INIT_URLS))
    assert spliced.pop("get_urls") == [{"url": "u"}]
    if init is not None:
        assert spliced["init_object"].pop("get_urls") == [{"url": "i"}]
    assert spliced == plain
    both = with_object_timerange(body, "[5:0_6:0)")
    assert json.loads(both) == plain | {"object_timerange": "[5:0_6:0)"}


def test_a_ledger_counts_references_and_knows_what_to_write() -> None:
    ledger = Ledger([allocated(), allocated("unused")], RULES, now=7)
    ledger.claim(item(ts_offset="10:0", key_frame_count=1))
    ledger.claim(item("[1:0_1:5)", ts_offset="11:0"))
    (changed,) = ledger.updates
    assert ledger.inserts == []
    assert (changed.state, changed.reference_count, changed.timerange) == ("media", 2, "[-10:0_-9:0)")
    assert (changed.storage_key, changed.first_flow) == ("k", FLOW)


@pytest.mark.parametrize("more", [{"key_frame_count": 2}, {"object_timerange": "[9:0_10:0)"}, {"init_object_id": "x"}])
def test_a_refused_claim_leaves_the_ledger_as_it_was(more: dict[str, object]) -> None:
    ledger = Ledger([allocated()], RULES, now=7)
    ledger.claim(item())
    before = ledger.updates
    with pytest.raises(InvalidInput):
        ledger.claim(item(**more))
    assert ledger.updates == before
    assert not ledger.init_uses


def test_what_is_posted_is_read_exactly() -> None:
    posted = read_segments(b' \n[{"object_id":"a","timerange":"[0:0_1:0)","ts_offset":"-0:5","unknown":{}}]')
    ((index, read),) = posted.items
    assert (posted.is_array, index, read.timerange) == (True, 0, TimeRange.half_open(0, 1_000_000_000))
    assert read.ts_offset == Timestamp(-5)
