import json

import pyarrow as pa
import pytest
from vastdb import errors
from vastdb._internal import QueryDataInternalError
from vastdb.session import Session

from tests.vast_emulator.sdk import control, create, numbers, table
from vast_emulator.faults import Fault, Kind
from vast_emulator.server import Emulator

pytestmark = pytest.mark.filterwarnings("ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(autouse=True)
def _rows(session: Session) -> None:
    create(session, rows=[{"id": "a", "n": 1}])


def insert(session: Session, n: int) -> None:
    with session.transaction() as tx:
        table(tx).insert(pa.table({"n": pa.array([n])}))


def test_an_overloaded_server_is_asked_again(emulator: Emulator, session: Session) -> None:
    emulator.faults.add(Fault(Kind.SLOW_DOWN, command="POST rows", times=2))
    insert(session, 2)
    assert numbers(session) == [1, 2]
    assert [state.hits for state in emulator.faults.states()] == [2]


def test_a_conflict_is_not_tried_again(emulator: Emulator, session: Session) -> None:
    emulator.faults.add(Fault(Kind.CONFLICT, command="POST rows", path="s/t"))
    with pytest.raises(errors.Conflict):
        insert(session, 2)
    assert numbers(session) == [1]


def test_a_fault_of_another_table_does_not_hit(emulator: Emulator, session: Session) -> None:
    emulator.faults.add(Fault(Kind.CONFLICT, command="POST rows", path="s/other"))
    insert(session, 2)
    assert emulator.faults.states()[0].hits == 0


def test_a_fault_waits_for_its_turn(emulator: Emulator, session: Session) -> None:
    emulator.faults.add(Fault(Kind.CONFLICT, command="POST rows", skip=1))
    insert(session, 2)
    with pytest.raises(errors.Conflict):
        insert(session, 3)
    insert(session, 4)
    assert numbers(session) == [1, 2, 4]


@pytest.mark.parametrize(("kind", "after"), [(Kind.LOSE_ANSWER, [1, 2]), (Kind.DROP, [1])])
def test_a_commit_without_an_answer_may_have_happened_or_not(
    emulator: Emulator, session: Session, kind: Kind, after: list[int]
) -> None:
    emulator.faults.add(Fault(kind, command="PUT transaction"))
    with pytest.raises(errors.ConnectionError):
        insert(session, 2)
    assert numbers(session) == after


@pytest.mark.parametrize("kind", [Kind.DROP, Kind.CUT, Kind.SLOW])
def test_a_read_survives_a_broken_connection(emulator: Emulator, session: Session, kind: Kind) -> None:
    emulator.faults.add(Fault(kind, command="GET data"))
    assert numbers(session) == [1]
    assert emulator.faults.states()[0].hits == 1


def test_a_failed_query_is_told_in_the_stream(emulator: Emulator, session: Session) -> None:
    emulator.faults.add(Fault(Kind.FAIL_STREAM, command="GET data"))
    with pytest.raises(QueryDataInternalError):
        numbers(session)


def test_faults_are_managed_over_http(emulator: Emulator, session: Session) -> None:
    rule = {"kind": "conflict", "command": "POST rows", "times": 1}
    assert control(emulator, "POST faults", body=rule) == (200, b"")
    with pytest.raises(errors.Conflict):
        insert(session, 2)
    status, body = control(emulator, "GET faults")
    assert (status, json.loads(body)[0]["hits"], json.loads(body)[0]["remaining"]) == (200, 1, 0)
    assert control(emulator, "DELETE faults") == (200, b"")
    assert emulator.faults.states() == []


@pytest.mark.parametrize("rule", [{"kind": "no such"}, {"kind": "drop", "unknown": 1}, {}, []])
def test_a_malformed_fault_is_refused(emulator: Emulator, rule: object) -> None:
    assert control(emulator, "POST faults", body=rule)[0] == 400


def test_requests_and_rows_are_counted(emulator: Emulator, session: Session) -> None:
    assert control(emulator, "DELETE stats")[0] == 200
    insert(session, 2)
    numbers(session)
    found = json.loads(control(emulator, "GET stats")[1])
    assert found["requests"]["PUT transaction"] >= 2
    assert found["requests"]["POST rows"] == found["tables"]["POST rows vastdb/s/t"] == 1
    assert found["requests"]["GET data"] == 1
    assert found["rows"] == {"inserted": 1, "read": 2}
    assert found["engine"]["commits"] >= 1
    assert b'vast_emulator_rows_total{what="read"} 2' in control(emulator, "GET metrics")[1]


def test_an_unknown_control_request_is_refused(emulator: Emulator) -> None:
    assert control(emulator, "GET nothing")[0] == 404
