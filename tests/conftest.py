"""What holds for every test: how many examples a property test tries."""

import os

from hypothesis import HealthCheck, settings

pytest_plugins = ["pytester", "tests.kafka", "tests.seaweed", "tests.spec"]

settings.register_profile(
    "ci", max_examples=200, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("fuzz", max_examples=20_000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile(os.environ.get("TAMS_TEST_HYPOTHESIS_PROFILE", "ci"))
