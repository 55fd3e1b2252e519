"""The specification's files for tests, which the project holds no copy of: a plugin with the fixture `spec`."""

import os
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

_BESIDE = Path(__file__).resolve().parents[1].parent / "shared" / "tams-8.2"
_DOCUMENT = "TimeAddressableMediaStore.yaml"


class Spec:
    """The folder `root` with the specification."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def example(self, name: str) -> Any:  # noqa: ANN401 — examples are whatever JSON they are
        """`examples/<name>.json`, decoded."""
        return msgspec.json.decode((self.root / "examples" / f"{name}.json").read_bytes())

    def examples(self, pattern: str) -> list[str]:
        """The names of the examples that match `pattern`."""
        found = sorted(path.stem for path in (self.root / "examples").glob(f"{pattern}.json"))
        assert found, f"the specification has no example {pattern}"
        return found

    def schema(self, name: str) -> Draft202012Validator:
        """A validator for `schemas/<name>.json`."""
        return Draft202012Validator({"$ref": f"{name}.json"}, registry=self._registry)

    @cached_property
    def _registry(self) -> "Registry[Any]":
        schemas = (
            (path.name, msgspec.json.decode(path.read_bytes())) for path in (self.root / "schemas").glob("*.json")
        )
        resources = ((name, Resource.from_contents(schema, DRAFT202012)) for name, schema in schemas)
        return Registry[Any]().with_resources(resources)


@pytest.fixture(scope="session")
def spec() -> Spec:
    """The specification at `TAMS_TEST_SPEC`, or beside the project; without it the test is skipped, in CI it fails."""
    root = Path(os.environ.get("TAMS_TEST_SPEC", _BESIDE))
    if (root / _DOCUMENT).is_file():
        return Spec(root)
    reason = f"there is no {_DOCUMENT} in {root}: set TAMS_TEST_SPEC to the folder of the specification"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
