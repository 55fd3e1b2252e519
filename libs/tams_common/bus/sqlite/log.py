"""What is done to the bus's file: plain functions of a connection, run on a thread."""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from tams_common.bus.port import Message, Offsets, Partition, Record, TopicStatus
from tams_common.bus.sqlite.file import SPAN, Connection
from tams_common.clock import SECOND
from tams_common.errors import Unavailable
from tams_common.events import Topic

PRUNE_BATCH: Final = 1000
GAP: Final = 1 << 20
"""More offsets than are ever given out before they are on the disk."""
_HOUR: Final = 3600 * SECOND
_headers: Final = msgspec.json.Decoder(dict[str, str])


class Member(msgspec.Struct, frozen=True):
    """A consumer among those of its group."""

    group: str
    owner: str


class Glance(msgspec.Struct, frozen=True):
    """What a consumer finds: records of the topics it holds, which of these it lost, which it could have, and the
    earliest end (ns) of a lease that it holds."""

    records: list[Record]
    lost: list[str]
    free: list[str]
    until: int


def create_topics(connection: Connection, topics: Sequence[Topic]) -> None:
    """Adds the topics that do not exist."""
    with connection.transaction("IMMEDIATE") as db:
        db.executemany(
            "INSERT INTO topics (name, retention_hours, next) VALUES (?, ?, 0) ON CONFLICT (name) DO NOTHING",
            [(topic.name, topic.retention_hours) for topic in topics],
        )


def leave_gap(connection: Connection) -> None:
    """Goes on at a further multiple of `GAP` in each topic. A crash of the machine may have taken records that had been
    read already: what comes in their stead must not have their offsets, or it would be taken for read."""
    with connection.transaction("IMMEDIATE") as db:
        db.execute("UPDATE topics SET next = (next / ? + 1) * ?", (GAP, GAP))


def status(connection: Connection, topics: Sequence[Topic]) -> list[TopicStatus]:
    """How `topics` stand; each has one partition, whatever was declared."""
    with connection.transaction("DEFERRED") as db:
        kept = dict(db.execute("SELECT name, retention_hours FROM topics").fetchall())
    return [
        TopicStatus(
            topic.name,
            1,
            retention_hours=kept[topic.name],
            cleanup="delete",
            drift=() if kept[topic.name] == topic.retention_hours else ("another retention declared",),
        )
        if topic.name in kept
        else TopicStatus(topic.name, None, drift=("absent",))
        for topic in topics
    ]


def append(connection: Connection, messages: Sequence[Message], *, at: int) -> list[Record]:
    """Appends `messages` at the moment `at` (ns), all of them or none; returns them as they are read."""
    records: list[Record] = []
    with connection.transaction("IMMEDIATE") as db:
        topics = {name: (number, end) for name, number, end in db.execute("SELECT name, number, next FROM topics")}
        rows: list[tuple[int, int, str, str, bytes, bytes]] = []
        for message in messages:
            if message.topic not in topics:
                raise Unavailable(f"the topic {message.topic} does not exist")
            number, offset = topics[message.topic]
            topics[message.topic] = number, offset + 1
            headers = msgspec.json.encode(message.headers)
            rows.append((number * SPAN + offset, at, message.key, message.id, headers, message.value))
            place = Partition(message.topic, 0)
            records.append(Record(place, offset, message.key, message.id, message.value, message.headers))
        db.executemany("INSERT INTO records (place, at, key, id, headers, value) VALUES (?, ?, ?, ?, ?, ?)", rows)
        db.executemany(
            "UPDATE topics SET next = ? WHERE name = ?",
            [(topics[name][1], name) for name in {message.topic for message in messages}],
        )
    return records


def prune(connection: Connection, *, now: int) -> bool:
    """Removes some of the records that are older than their topic's retention; whether more may be left."""
    more = False
    with connection.transaction("IMMEDIATE") as db:
        kept = "SELECT number, retention_hours FROM topics WHERE retention_hours IS NOT NULL"
        for number, hours in db.execute(kept).fetchall():
            oldest = db.execute(
                "SELECT place, at FROM records WHERE place >= ? AND place < ? ORDER BY place LIMIT ?",
                (number * SPAN, (number + 1) * SPAN, PRUNE_BATCH),
            ).fetchall()
            expired = [place for place, at in oldest if at < now - hours * _HOUR]
            more = more or len(expired) == PRUNE_BATCH
            if expired:
                db.execute("DELETE FROM records WHERE place BETWEEN ? AND ?", (expired[0], expired[-1]))
    return more


def unknown(connection: Connection, topics: Sequence[str]) -> list[str]:
    """Those of `topics` that do not exist."""
    with connection.transaction("DEFERRED") as db:
        known = {name for (name,) in db.execute("SELECT name FROM topics")}
    return [topic for topic in topics if topic not in known]


def glance(connection: Connection, member: Member, *, places: Mapping[str, int | None], now: int, limit: int) -> Glance:
    """Up to `limit` records from `places` on: for each wanted topic the next offset, None where it is not held."""
    records: list[Record] = []
    lost: list[str] = []
    free: list[str] = []
    ends: list[int] = []
    with connection.transaction("DEFERRED") as db:
        numbers = dict(db.execute("SELECT name, number FROM topics").fetchall())
        states = db.execute("SELECT topic, owner, until FROM groups WHERE name = ?", (member.group,))
        leases = {topic: (owner, until) for topic, owner, until in states}
        for topic, offset in places.items():
            owner, until = leases.get(topic, (None, 0))
            if offset is None:
                if owner is None or owner == member.owner or until <= now:
                    free.append(topic)
                continue
            if owner != member.owner:
                lost.append(topic)
                continue
            ends.append(until)
            first = numbers[topic] * SPAN
            rows = db.execute(
                "SELECT place, key, id, headers, value FROM records"
                " WHERE place >= ? AND place < ? ORDER BY place LIMIT ?",
                (first + offset, first + SPAN, limit - len(records)),
            )
            partition = Partition(topic, 0)
            records.extend(
                Record(partition, place - first, key, id_, value, _headers.decode(headers))
                for place, key, id_, headers, value in rows
            )
    return Glance(records, lost, free, min(ends, default=0))


def claim(connection: Connection, member: Member, *, topics: Sequence[str], now: int, until: int) -> dict[str, int]:
    """Takes the leases of those of `topics` that are free, until `until` (ns); returns where the log of each ends."""
    with connection.transaction("IMMEDIATE") as db:
        taken = [
            topic
            for topic in topics
            if db.execute(
                "INSERT INTO groups (name, topic, owner, until, committed) VALUES (?, ?, ?, ?, 0)"
                " ON CONFLICT (name, topic) DO UPDATE SET owner = excluded.owner, until = excluded.until"
                " WHERE owner IS NULL OR owner = excluded.owner OR until <= ?",
                (member.group, topic, member.owner, until, now),
            ).rowcount
        ]
        ends = dict(db.execute("SELECT name, next FROM topics").fetchall())
    return {topic: ends[topic] for topic in taken}


def renew(connection: Connection, members: Sequence[Member], *, until: int) -> None:
    """Prolongs the leases that `members` hold until `until` (ns). No lease ends later, but by a clock that has been set
    back since: that would keep the place of a dead member for as long."""
    with connection.transaction("IMMEDIATE") as db:
        db.executemany("UPDATE groups SET until = ? WHERE owner = ?", [(until, member.owner) for member in members])
        db.execute("UPDATE groups SET until = ? WHERE until > ?", (until, until))


def release(connection: Connection, member: Member) -> None:
    """Gives up the member's leases."""
    with connection.transaction("IMMEDIATE") as db:
        db.execute("UPDATE groups SET owner = NULL, until = 0 WHERE owner = ?", (member.owner,))


def commit(connection: Connection, group: str, *, offsets: Offsets) -> None:
    """Notes how far `group` is, for those who watch it."""
    with connection.transaction("IMMEDIATE") as db:
        db.executemany(
            "INSERT INTO groups (name, topic, owner, until, committed) VALUES (?, ?, NULL, 0, ?)"
            " ON CONFLICT (name, topic) DO UPDATE SET committed = excluded.committed",
            [(group, partition.topic, offset) for partition, offset in offsets.items()],
        )
