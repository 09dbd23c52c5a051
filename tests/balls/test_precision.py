"""The working precision is set inside a block and restored, also after an error."""

import flint
import pytest

from verifier.balls.precision import MAX_BITS, MIN_BITS, working_precision


def test_precision_is_set_nested_and_restored():
    before = flint.ctx.prec
    with working_precision(100):
        assert flint.ctx.prec == 100
        with working_precision(333):
            assert flint.ctx.prec == 333
        assert flint.ctx.prec == 100
    assert flint.ctx.prec == before


def test_precision_is_restored_after_an_error():
    before = flint.ctx.prec
    with pytest.raises(ZeroDivisionError), working_precision(before + 17):
        raise ZeroDivisionError
    assert flint.ctx.prec == before


@pytest.mark.parametrize("bits", [MIN_BITS - 1, MAX_BITS + 1, 0, -64])
def test_precision_out_of_range_is_refused(bits):
    before = flint.ctx.prec
    with pytest.raises(ValueError, match="outside"), working_precision(bits):
        pytest.fail("the block must not run")
    assert flint.ctx.prec == before


@pytest.mark.parametrize("bits", [MIN_BITS, MAX_BITS])
def test_the_ends_of_the_range_work(bits):
    with working_precision(bits):
        assert flint.ctx.prec == bits
