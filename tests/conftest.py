"""What holds for all tests: no cache of who runs them, one seed, no verdict by how fast the machine is."""

import os

import pytest
from hypothesis import HealthCheck, settings

from tests.seed import SEED

os.environ["CHECKREIN_CACHE"] = "off"  # for the processes that tests start, too

# An example that never ends is ended by the test's own timeout. In CI, Hypothesis would keep to one seed.
settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=False
)
settings.load_profile("any machine")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config):
    """Hypothesis begins where other random tests do, unless the command says where."""
    if config.option.hypothesis_seed is None:
        config.option.hypothesis_seed = SEED
