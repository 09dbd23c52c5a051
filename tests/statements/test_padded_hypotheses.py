"""A3.1 for padded convolutions: exact patches at the borders, and free paths through real sources only."""

from checks_padding import run_check
from planted import over_seeds


@over_seeds(share=2)
def test_patches(seed):
    run_check("check_padded_patches", seed)


def test_patches_of_layers_that_read_other_layers_as_well():
    run_check("check_patches_beside_other_layers")


def test_free_paths():
    run_check("check_padded_selection")
