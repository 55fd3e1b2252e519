"""The specification's files for tests, which the project holds no copy of: a plugin with the fixture `spec`."""

import os
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
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
        return self.validator(f"schemas/{name}.json")

    def validator(self, reference: str) -> Draft202012Validator:
        """A validator for what `reference` names, relative to the OpenAPI document: a schema's file, or `#/a/pointer`
        into the document itself."""
        target = f"{_DOCUMENT}{reference}" if reference.startswith("#") else reference
        return Draft202012Validator({"$ref": target}, registry=self._registry)

    @cached_property
    def document(self) -> Any:  # noqa: ANN401 — an OpenAPI document is whatever YAML it is
        """The OpenAPI document."""
        return yaml.safe_load((self.root / _DOCUMENT).read_text("utf-8"))

    @cached_property
    def _registry(self) -> "Registry[Any]":
        contents = {f"schemas/{path.name}": path.read_bytes() for path in (self.root / "schemas").glob("*.json")}
        found = {name: msgspec.json.decode(content) for name, content in contents.items()} | {_DOCUMENT: self.document}
        resources = ((name, Resource.from_contents(schema, DRAFT202012)) for name, schema in found.items())
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
