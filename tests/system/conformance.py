"""The response tables of the specification, held against every answer that a client gets."""

import re
from typing import Any

from tests.spec import Spec
from tests.system.api import Answer, Api

OURS = re.compile(r"/media/|/healthz|/readyz|/metrics")
"""Paths that the specification does not have."""
OPTIONAL_HEADERS = frozenset({"Link", "X-Paging-NextKey"})
"""The two that only pages with a successor have (PAG-6, PAG-7)."""


UNSET = re.compile(r"/(flows|sources)/[^/]+/(label|description|max_bit_rate|avg_bit_rate)")
"""Paths that answer `null` for what is not set, where no schema says what to answer (ruling on T-21)."""


class Tables:
    """What each operation of the OpenAPI document may answer."""

    def __init__(self, spec: Spec) -> None:
        self._spec = spec
        self._paths: dict[str, Any] = spec.document["paths"]

    def check(self, method: str, path: str, *, answer: Answer) -> None:
        """Fails unless the table lists the status, and body and headers have the form it says."""
        template, verb = self._template(path), method.lower()
        operations = self._paths[template]
        assert str(answer.status) in operations[verb]["responses"], f"{method} {template}: unlisted {answer.body!r}"
        if method == "HEAD":
            # The headers are those of GET (HEAD-3), and HTTP forbids the body that the document declares (HEAD-4).
            verb = "get"
            assert answer.body == b""
        listed = operations[verb]["responses"].get(str(answer.status), {})
        pointer = f"#/paths/{_escaped(template)}/{verb}/responses/{answer.status}"
        self._check_headers(pointer, listed.get("headers", {}), answer=answer)
        if "content" in listed and method != "HEAD" and not (answer.body == b"null" and UNSET.fullmatch(path)):
            assert answer.headers["Content-Type"] == "application/json"
            self._spec.validator(f"{pointer}/content/application~1json/schema").validate(answer.json())
        if answer.status == 204:
            assert answer.body == b""

    def _template(self, path: str) -> str:
        parts = path.partition("?")[0].split("/")
        found = [template for template in self._paths if _matches(template.split("/"), parts)]
        assert found, f"the specification has no path {path}"
        return min(found, key=lambda template: template.count("{"))

    def _check_headers(self, pointer: str, listed: Any, *, answer: Answer) -> None:  # noqa: ANN401 — part of the document
        for name, header in listed.items():
            value = answer.headers.get(name)
            if value is None:
                assert name in OPTIONAL_HEADERS, f"{name} is missing"
                continue
            typed = _typed(value, header["schema"].get("type", "string"))
            self._spec.validator(f"{pointer}/headers/{name}/schema").validate(typed)
        assert ("Link" in answer.headers) == ("X-Paging-NextKey" in answer.headers)
        known = {name.lower() for name in listed}
        paging = {name.lower() for name in answer.headers if name.lower().startswith("x-paging-")}
        assert paging <= known, f"the table does not have {paging - known}"


class ConformingApi(Api):
    """A client that holds each answer against the tables."""

    def __init__(self, api: Api, tables: Tables) -> None:
        super().__init__(api.url, api.token)
        self._tables = tables

    async def call(self, method: str, path: str, **more: Any) -> Answer:  # noqa: ANN401  (the options of `Api.call`)
        """One request, whose answer must be as the specification says."""
        answer = await super().call(method, path, **more)
        relative = path.removeprefix(self.url)
        if not OURS.match(relative):
            self._tables.check(method, relative, answer=answer)
        return answer


def _matches(template: list[str], parts: list[str]) -> bool:
    return len(template) == len(parts) and all(
        bool(part) if wanted.startswith("{") else part == wanted for wanted, part in zip(template, parts, strict=True)
    )


def _escaped(template: str) -> str:
    """A path as a part of a JSON pointer in a URI."""
    return template.replace("~", "~0").replace("/", "~1").replace("{", "%7B").replace("}", "%7D")


def _typed(value: str, kind: str) -> object:
    if kind == "integer":
        return int(value)
    if kind == "boolean":
        assert value in ("true", "false")
        return value == "true"
    return value
