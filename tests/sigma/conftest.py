"""Strategies shared by the tests of activations."""

import pytest
from hypothesis import strategies as st


@st.composite
def expressions(draw, depth=3):
    """Texts of total functions, by construction."""
    if depth == 0:
        return draw(st.sampled_from(["t", "t", "2", "0.5", "pi", "1/3"]))
    inner = expressions(depth=depth - 1)
    kind = draw(st.sampled_from(["call", "add", "mul", "pow", "max", "div", "leaf"]))
    a = draw(inner)
    if kind == "call":
        return f"{draw(st.sampled_from(['exp', 'tanh', 'sin', 'atan', 'erf', 'sigmoid', 'softplus', 'abs']))}({a})"
    if kind == "add":
        return f"({a} {draw(st.sampled_from('+-'))} {draw(inner)})"
    if kind == "mul":
        return f"({a})*({draw(inner)})"
    if kind == "pow":
        return f"({a})**{draw(st.integers(1, 3))}"
    if kind == "max":
        return f"{draw(st.sampled_from(['max', 'min']))}({a}, {draw(inner)})"
    if kind == "div":
        return f"({a})/(1 + ({draw(inner)})**2)"
    return a


@pytest.fixture(scope="session")
def expression_texts():
    """The strategy, for `data.draw`."""
    return expressions()
