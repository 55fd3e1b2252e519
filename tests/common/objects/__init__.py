import pytest

pytest.register_assert_rewrite("tests.common.objects.contract", "tests.common.objects.contract_copies")
