"""What holds for every test: how many examples a property test tries."""

import os

from hypothesis import HealthCheck, settings

settings.register_profile("default", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("fuzz", settings.get_profile("default"), max_examples=5_000)
settings.load_profile(os.environ.get("TAMS_TEST_HYPOTHESIS_PROFILE", "default"))
