"""A short clip, made and cut once for all tests, and the specification's schemas."""

import json
import os
from collections.abc import Callable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from tams_demo import cutting
from tams_demo.clip import Clip
from tams_demo.cutting import MediaObject
from tams_demo.making import record
from tams_demo.scanning import scan

SECONDS: Final = 6
TARGET: Final = Fraction(2)
_BESIDE: Final = Path(__file__).parents[2].parent / "shared" / "tams-8.2"

Schema = bool | Mapping[str, Any]
Conforms = Callable[[str, object], None]


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    record(path, seconds=SECONDS, segment=TARGET, tick=lambda time: None)
    return scan(path)


@pytest.fixture(scope="session")
def tracks(clip: Clip, tmp_path_factory: pytest.TempPathFactory) -> list[list[MediaObject]]:
    """The clip's media objects: those of the video, then those of the audio."""
    folder = tmp_path_factory.mktemp("objects")
    return [list(cutting.write(clip, pieces, folder=folder)) for pieces in cutting.plan(clip, TARGET)]


@pytest.fixture(scope="session")
def conforms() -> Conforms:
    """Checks a JSON value against one of the specification's schemas, by file name."""
    folder = Path(os.environ.get("TAMS_TEST_SPEC", _BESIDE)) / "schemas"
    if not folder.is_dir():
        if os.environ.get("CI") == "true":
            pytest.fail(f"the specification is not at {folder}; CI needs it")
        pytest.skip(f"the specification is not at {folder}; TAMS_TEST_SPEC says where else")
    registry: Registry[Schema] = Registry().with_resources(
        (
            path.name,
            Resource.from_contents(json.loads(path.read_text()) | {"$schema": Draft202012Validator.META_SCHEMA["$id"]}),
        )
        for path in folder.glob("*.json")
    )

    def check(schema: str, value: object) -> None:
        Draft202012Validator({"$ref": schema}, registry=registry).validate(value)

    return check
