"""Hypothesis profiles: ``ci`` (deterministic) by default, ``deep`` by ``HYPOTHESIS_PROFILE=deep``; and one browser."""

import os
import sys
from collections import Counter

# Before NumPy is there: pytest-xdist's workers share the cores, and processes that tests start find compiled modules.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

import hypothesis.internal.conjecture.providers as providers
import numpy as np
import pytest
from browsing import start_browser
from hypothesis import HealthCheck, settings

settings.register_profile(
    "ci", derandomize=True, deadline=None, max_examples=16, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("deep", deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))

# Hypothesis tries the numbers that it finds in the modules loaded so far, which depends on what ran before: it may not.
if not callable(providers._get_local_constants):
    raise RuntimeError("this Hypothesis has no local constants; adapt conftest.py")
providers._get_local_constants = lambda: providers._local_constants


OF_FEW = ("torch", "onnx", "zoo", "browser", "notebooks", "coq", "gpu")
"""Markers that a file names where it uses them; helpers give others, too."""


def pytest_addoption(parser):
    """Take how many cases of each test are enough, for other versions of the libraries."""
    parser.addoption("--first", type=int, metavar="K", help="of each test run the first K cases")


def pytest_ignore_collect(collection_path, config):
    """With ``-m NAME`` do not import the files that cannot have it: importing all of them takes longer than they do."""
    word = config.getoption("markexpr")
    if word not in OF_FEW or not collection_path.name.startswith("test_") or collection_path.suffix != ".py":
        return None
    return True if word not in collection_path.read_text("utf-8") else None


@pytest.hookimpl(trylast=True)  # what a marker leaves out does not count
def pytest_collection_modifyitems(config, items):
    """Leave out all cases of a test but the first ones."""
    most = config.getoption("first")
    if most is None:
        return
    seen, kept, left_out = Counter(), [], []
    for item in items:
        test = item.nodeid.partition("[")[0]
        seen[test] += 1
        (kept if seen[test] <= most else left_out).append(item)
    config.hook.pytest_deselected(items=left_out)
    items[:] = kept


@pytest.fixture
def rng(request):
    """Return the generator of a seed that a test is parametrised by (see `planted.seeds`)."""
    return np.random.default_rng(request.param)


@pytest.fixture(autouse=True)
def no_figures_left():
    """Close what a test drew by pyplot, such as an example of the guide: other tests ask that nothing is open."""
    yield
    if pyplot := sys.modules.get("matplotlib.pyplot"):
        pyplot.close("all")


browser = pytest.fixture(scope="session", name="browser")(start_browser)
