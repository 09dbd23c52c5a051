"""Deficiency and dead boxes of padded convolutions: a place in the padding is the constant 0, and nothing else."""

import numpy as np
from checks_padding import check_padded_deficiency, run_check
from planted import over_seeds


@over_seeds(share=4)
def test_bounds_are_never_below_a_rank(seed):
    run_check("check_padded_deficiency", seed)


def test_the_random_networks_do_produce_bounds():
    assert sum(check_padded_deficiency(np.random.default_rng(seed)) for seed in range(4)) >= 8


def test_planted_windows():
    run_check("check_planted_padding")


@over_seeds(share=8)
def test_dead_boxes_are_dead(seed):
    run_check("check_padded_box", seed)
