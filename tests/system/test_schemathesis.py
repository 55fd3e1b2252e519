"""Schemathesis against the running store, with the specification's own document: answers are what it promises."""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.core.result import Ok

from tests.spec import Spec
from tests.system import processes
from tests.system.processes import TOKEN

pytestmark = pytest.mark.property

load_all_checks()
WANTED: Any = CHECKS.get_by_names(
    ["not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance"]
)
EXAMPLES = min(settings().max_examples, 2000) // 20
"""Of each operation: 10 in CI, 100 by `make fuzz`."""
DIFFERENCES = {
    "/service/storage-backends": 400,  # PAG-5, PAG-18, GEN-7: a query that means nothing is refused here, too
    "/service/webhooks": 400,
    "/service/webhooks/{webhookId}": 400,
    "/flow-delete-requests": 400,
}
"""Statuses that we answer although the document has them only on other paths, by path."""


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A store in a process of its own."""
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        store = processes.dev(tmp_path_factory.mktemp("store") / "data")
        child = runner.run(stack.enter_async_context(store))
        yield child.url
        runner.run(stack.aclose())


OPERATIONS = 85
"""Of the document, HEAD among them."""


@pytest.mark.parametrize("number", range(OPERATIONS))
def test_answers_conform(number: int, spec: Spec, url: str) -> None:
    document = schemathesis.openapi.from_path(spec.root / "TimeAddressableMediaStore.yaml")
    operations = [found.ok() for found in document.get_all_operations() if isinstance(found, Ok)]
    assert len(operations) == OPERATIONS
    operation = operations[number]

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def conforms(case: schemathesis.Case[Any]) -> None:
        answer = case.call(base_url=url, headers={"Authorization": f"Bearer {TOKEN}"})
        if answer.status_code != DIFFERENCES.get(case.operation.path):
            case.validate_response(answer, checks=WANTED)

    conforms()
