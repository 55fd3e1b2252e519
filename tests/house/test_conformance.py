"""The table of rules: what counts as shown, and which mistakes in it are told."""

import pytest

from tools.conformance import Collector, Shown, mistakes, page, read_rules, state

CHECKLIST = """
## 7. Paging (PAG)

| ID | Lvl | Rule | Status | Source |
|---|---|---|---|---|
| PAG-1 | MUST° | `page` and `limit`. | 200 | y:1 |
| PAG-2 | MAY | A default. | 200 | y:2 |

### 19.3 URLs & credentials (URL) — ADR 15
| URL-8 | SHOULD NOT | Rely on … | 200 | y:3 |

## Annex B — Ambiguities
| T-1 | something | else |
"""
EXCUSES = {"PAG-2": "optional"}
LIMITS = {"PAG-1": "not on Sundays"}


def test_rules_are_read_with_their_sections() -> None:
    rules = read_rules(CHECKLIST)
    assert [(rule.id, rule.level, rule.section) for rule in rules] == [
        ("PAG-1", "MUST°", "PAG: Paging"),
        ("PAG-2", "MAY", "PAG: Paging"),
        ("URL-8", "SHOULD NOT", "URL: URLs & credentials"),
    ]


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        ({"PAG-2": Shown(passed=1)}, "shown"),
        ({"PAG-2": Shown(passed=3, failed=1)}, "failed"),
        ({"PAG-2": Shown(skipped=2)}, "excused"),
        ({}, "excused"),
    ],
)
def test_a_rule_holds_only_if_a_test_ran_and_none_failed(shown: dict[str, Shown], expected: str) -> None:
    rules = read_rules(CHECKLIST)
    assert state(rules[1], shown, excuses=EXCUSES) == expected
    assert state(rules[0], shown, excuses=EXCUSES) == "missing"


def test_the_page_counts_by_section() -> None:
    text = page(read_rules(CHECKLIST), {"PAG-1": Shown(passed=2)}, excuses=EXCUSES, limits=LIMITS)
    assert "| PAG: Paging | 2 | 1 | 1 | 0 | 0 |" in text
    assert "| URL: URLs & credentials | 1 | 0 | 0 | 0 | 1 |" in text
    assert "| PAG-1 | MUST° | 2 | yes | not on Sundays |" in text
    assert "| PAG-2 | MAY | 0 | – | optional |" in text
    assert "| URL-8 | SHOULD NOT | 0 | **MISSING** |  |" in text


def test_names_of_no_rule_and_needless_reasons_and_limits_are_mistakes() -> None:
    excuses, limits = EXCUSES | {"XYZ-1": "?"}, LIMITS | {"URL-8": "?"}
    wrong = mistakes(read_rules(CHECKLIST), ["PAG-1", "PAG-2", "PAG-9"], excuses=excuses, limits=limits)
    assert len(wrong) == 4
    for name, line in zip(("PAG-9", "XYZ-1", "URL-8", "PAG-2"), wrong, strict=True):
        assert name in line


def test_outcomes_are_counted_by_rule(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function\n")
    pytester.makepyfile("""
        import pytest
        pytestmark = pytest.mark.rule("A-1")
        @pytest.fixture
        def broken(): raise RuntimeError
        def test_passes(): pass
        @pytest.mark.rule("A-2")
        def test_fails(): assert False
        @pytest.mark.rule("A-3")
        def test_skips(): pytest.skip("no")
        @pytest.mark.rule("A-4")
        def test_cannot_start(broken): pass
    """)
    collector = Collector()
    pytester.inline_run("-p", "no:cacheprovider", plugins=[collector])
    assert collector.rules == {
        "A-1": Shown(passed=1, failed=2, skipped=1),
        "A-2": Shown(failed=1),
        "A-3": Shown(skipped=1),
        "A-4": Shown(failed=1),
    }
