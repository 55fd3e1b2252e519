"""Configuration: what is read, and how a wrong key names itself."""

import msgspec
import pytest

from tams_common.config import Common, check_keys, read, service_prefix
from tams_common.errors import StartRefused


class Sweeping(msgspec.Struct, frozen=True, kw_only=True):
    """The keys of a service."""

    interval: float = 1.0
    name: str

    def __post_init__(self) -> None:
        if self.interval <= 0:
            raise ValueError("interval must be more than 0 seconds")


def test_keys_are_fields_in_upper_case_behind_the_prefix() -> None:
    assert service_prefix("api-gateway") == "TAMS_API_GATEWAY_"
    found = read(Sweeping, "TAMS_X_", environ={"TAMS_X_INTERVAL": "2", "TAMS_X_NAME": "5", "TAMS_Y_NAME": "no"})
    assert found == Sweeping(interval=2.0, name="5")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("TAMS_MIN_PRESIGNED_URL_TIMEOUT", "5"),
        ("TAMS_MIN_OBJECT_TIMEOUT", "299"),
        ("TAMS_MIN_OBJECT_TIMEOUT", "99999999999999"),
        ("TAMS_DEFAULT_LIMIT", "2000"),
        ("TAMS_MAX_LIMIT", "many"),
        ("TAMS_LOG_FORMAT", "listen"),
    ],
)
def test_a_wrong_value_names_its_own_key(key: str, value: str) -> None:
    with pytest.raises(StartRefused, match=f"^configuration key {key}: "):
        read(Common, "TAMS_", environ={key: value})


def test_a_value_of_another_type_is_told_what_is_wanted() -> None:
    with pytest.raises(StartRefused, match=r"TAMS_MAX_LIMIT: max_limit must be a whole number, not 'many'$"):
        read(Common, "TAMS_", environ={"TAMS_MAX_LIMIT": "many"})
    with pytest.raises(StartRefused, match=r"log_level must be one of debug, info, warning, error, not 'loud'$"):
        read(Common, "TAMS_", environ={"TAMS_LOG_LEVEL": "loud"})
    with pytest.raises(StartRefused, match=r"TAMS_X_INTERVAL: interval must be a number, not '1s'$"):
        read(Sweeping, "TAMS_X_", environ={"TAMS_X_INTERVAL": "1s", "TAMS_X_NAME": "name"})


@pytest.mark.parametrize("value", ["0", "nan", "inf", "-inf", "1e400"])
def test_times_are_finite(value: str) -> None:
    with pytest.raises(StartRefused, match=r"^configuration key TAMS_X_INTERVAL: "):
        read(Sweeping, "TAMS_X_", environ={"TAMS_X_INTERVAL": value, "TAMS_X_NAME": "name"})


def test_a_missing_key_is_named() -> None:
    with pytest.raises(StartRefused, match=r"^configuration key TAMS_X_NAME: "):
        read(Sweeping, "TAMS_X_", environ={})


@pytest.mark.parametrize("key", ["TAMS_COLOUR", "TAMS_CATALOG_COLOUR", "TAMS_catalog_name", "TAMS_"])
def test_unknown_keys_stop_the_start(key: str) -> None:
    with pytest.raises(StartRefused, match=f"unknown configuration key {key};"):
        check_keys({key: "x"}, {"catalog": Sweeping})


@pytest.mark.parametrize(
    "key",
    [
        *("TAMS_LISTEN", "TAMS_CATALOG_URL", "TAMS_CATALOG_NAME", "TAMS_SEGMENTS_ANYTHING", "PATH", "TAMS_TEST_SPEC"),
        *("TAMS_CATALOG_SERVICE_HOST", "TAMS_CATALOG_SERVICE_PORT_HTTP", "TAMS_CATALOG_PORT_4010_TCP_ADDR"),
    ],
)
def test_known_keys_other_services_and_what_kubernetes_adds_are_left_alone(key: str) -> None:
    check_keys({key: "x"}, {"catalog": Sweeping})


def test_no_key_of_ours_looks_like_one_that_kubernetes_adds() -> None:
    for name in Common.__struct_fields__:
        assert not name.endswith(("_service_host", "_service_port", "_port"))
