"""The choice of what a lane delivers next."""

from hypothesis import given
from hypothesis import strategies as st

from tams_common.ids import EventId, FlowId
from tams_webhooks.batch import Batch, Room
from tams_webhooks.matching import Filters
from tams_webhooks.tables import THE_LOG, LogRow

WANTED, OTHER = "flows/updated", "flows/created"
FILTERS = Filters(frozenset({WANTED}))
AMPLE = Room(keys=100, events=100, size=10_000)


def event(number: int, key: str = "a", *, type: str = WANTED, size: int = 1) -> LogRow:
    return LogRow(THE_LOG, number, EventId(str(number)), 0, 0, type, key, FlowId(key), None, "", "", size, b"x")


def numbers(batch: Batch) -> dict[str, list[int]]:
    return {key: [row.number for row in rows] for key, rows in batch.chains.items()}


def test_events_are_one_chain_for_each_key_and_the_rest_is_passed() -> None:
    batch = Batch(FILTERS, 10, room=AMPLE)
    batch.add([event(11), event(12, "b"), event(13, type=OTHER), event(14), event(15, "c"), event(16)], waiting={"c"})
    assert numbers(batch) == {"a": [11, 14, 16], "b": [12]}
    assert (batch.cursor, batch.passed, batch.full) == (16, {"c"}, False)
    assert batch.reaches("a") == 16


def test_without_room_for_a_key_the_cursor_stays_before_it() -> None:
    batch = Batch(FILTERS, 0, room=Room(keys=1, events=100, size=10_000))
    batch.add([event(1), event(2), event(3, "b"), event(4)], waiting=())
    assert (numbers(batch), batch.cursor, batch.full) == ({"a": [1, 2]}, 2, True)


def test_without_any_room_what_waits_is_still_passed() -> None:
    batch = Batch(FILTERS, 0, room=Room(keys=0, events=100, size=10_000))
    batch.add([event(1), event(2, "b", type=OTHER), event(3, "b")], waiting={"a"})
    assert (numbers(batch), batch.cursor, batch.full, batch.passed) == ({}, 2, True, {"a"})


def test_one_event_always_fits() -> None:
    batch = Batch(FILTERS, 0, room=Room(keys=10, events=1, size=5))
    batch.add([event(1, size=100), event(2)], waiting=())
    assert (numbers(batch), batch.cursor) == ({"a": [1]}, 1)


def test_bytes_are_bounded() -> None:
    batch = Batch(FILTERS, 0, room=Room(keys=10, events=10, size=5))
    batch.add([event(1, size=3), event(2, "b", size=2), event(3, "c", size=1)], waiting=())
    assert batch.cursor == 2


def test_a_whole_backlog_goes_before_what_follows() -> None:
    batch = Batch(FILTERS, 10, room=Room(keys=0, events=100, size=10_000))
    batch.add_backlog("a", [event(3), event(5, type=OTHER), event(7)], limit=4)
    batch.add([event(11), event(12, "b")], waiting={"a"})
    assert (numbers(batch), batch.cursor, batch.passed) == ({"a": [3, 7, 11]}, 11, set())
    assert batch.reaches("a") == 11


def test_a_part_of_a_backlog_keeps_what_follows_waiting() -> None:
    batch = Batch(FILTERS, 10, room=AMPLE)
    batch.add_backlog("a", [event(3), event(5), event(7)], limit=3)
    batch.add([event(11), event(12, "b")], waiting={"a"})
    assert (numbers(batch), batch.cursor, batch.passed) == ({"a": [3, 5, 7], "b": [12]}, 12, {"a"})
    assert batch.reaches("a") == 7


_rows = st.lists(
    st.tuples(st.sampled_from("abcd"), st.sampled_from((WANTED, OTHER)), st.integers(0, 50)), max_size=30
).map(lambda cells: [event(n, key, type=kind, size=size) for n, (key, kind, size) in enumerate(cells, 1)])
_room = st.builds(Room, keys=st.integers(0, 4), events=st.integers(1, 20), size=st.integers(1, 500))


@given(rows=_rows, room=_room, waiting=st.sets(st.sampled_from("abcd")))
def test_up_to_the_cursor_everything_is_in_a_chain_or_waits(rows: list[LogRow], room: Room, waiting: set[str]) -> None:
    batch = Batch(FILTERS, 0, room=room)
    batch.add(rows, waiting=waiting)
    due = [row for row in rows if row.number <= batch.cursor and row.type == WANTED]
    assert sorted(batch.events, key=lambda row: row.number) == [row for row in due if row.key not in waiting]
    assert batch.passed == {row.key for row in due} & waiting
    assert len(batch.chains) <= room.keys
    assert len(batch.events) <= room.events
    assert batch.full == (batch.cursor < len(rows))
