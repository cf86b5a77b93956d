"""What holds for all tests: no cache of whoever runs them, and no verdict by how fast the machine is."""

import os

from hypothesis import HealthCheck, settings

os.environ["CHECKREIN_CACHE"] = "off"  # for the processes that tests start, too

# An example that never ends is ended by the test's own timeout.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")
