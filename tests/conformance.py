"""Tests name the rules of the specification that they show; `make conformance` makes a table of them."""

import pytest


def rule(*ids: str) -> pytest.MarkDecorator:
    """The test shows the rules `ids` of the checklist, such as `PAG-6`: it fails when one of them does not hold."""
    return pytest.mark.rule(*ids)
