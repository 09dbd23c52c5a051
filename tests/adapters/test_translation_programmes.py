"""Random programmes of tensor operations: the graph, one sample at a time, against NumPy on the whole batch."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from translation_programmes import STEPS, run

BUDGET = range(10)
REGRESSIONS = (325,)


@pytest.mark.parametrize("seed", REGRESSIONS)
def test_a_programme_that_failed_once(seed: int) -> None:
    run(seed, 25)


def test_programmes_agree_with_numpy_and_reach_every_operation() -> None:
    done: Counter[str] = Counter()
    with np.errstate(all="ignore"):
        for seed in BUDGET:
            done += run(seed, 25).done
    assert set(done) == {*STEPS, "head"}
