"""RNN, GRU and LSTM, unrolled: a step for each position, gates in ONNX's order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from verifier.adapters.onnx.call import Call, Rule, shape_of
from verifier.adapters.translation.values import Known, Refused, Value

ACTIVATIONS = {
    "sigmoid": "1/(1 + exp(-t))",
    "tanh": "tanh(t)",
    "relu": "max(0, t)",
    "softsign": "t/(1 + abs(t))",
    "softplus": "log(1 + exp(t))",
}
"""Of gates, by the name without case; those with parameters of their own are refused."""
DEFAULTS = {"RNN": ("tanh",), "GRU": ("sigmoid", "tanh"), "LSTM": ("sigmoid", "tanh", "tanh")}


@dataclass(frozen=True, slots=True)
class Cell:
    """One direction: its weights, gate by gate, and its activations.

    Parameters
    ----------
    call : Call
        The node.
    w, r : list of values
        For each gate a weight (hidden, inputs) and a recurrent one (hidden, hidden).
    wb, rb : list of values or None
        Their biases (hidden,).
    activations : list of str
        Expressions.
    """

    call: Call
    w: list[Value]
    r: list[Value]
    wb: list[Value | None]
    rb: list[Value | None]
    activations: list[str]

    def plus(self, a: Value, b: Value) -> Value:
        """A sum, in which zeros are left out."""
        return b if is_zero(a) else a if is_zero(b) else self.call.translation.add(a, b)

    def times(self, a: Value, b: Value) -> Value:
        """Return the product of two values, or zeros where one factor is zeros."""
        return a if is_zero(a) else b if is_zero(b) else self.call.translation.multiply(a, b)

    def read(self, gate: int, x: Value) -> Value:
        """Return what a gate reads of its input, ``W x + b``."""
        return self.call.translation.linear(x, self.w[gate], self.wb[gate])

    def recall(self, gate: int, h: Value) -> Value:
        """``R h + b`` of a gate; the bias alone where h is zero."""
        if is_zero(h):
            bias = self.rb[gate]
            return ZERO if bias is None else bias
        return self.call.translation.linear(h, self.r[gate], self.rb[gate])

    def act(self, place: int, x: Value) -> Value:
        """Apply the cell's activation of this place to every entry."""
        return self.call.translation.elementwise(self.activations[place], x)


ZERO = Known(np.zeros(()))


def is_zero(value: Value) -> bool:
    """Whether a value is known to be zero."""
    return isinstance(value, Known) and not value.array.any()


State = tuple[Value, ...]
Step = Callable[[Cell, Value, State], State]


def _rnn(cell: Cell, x: Value, state: State) -> State:
    return (cell.act(0, cell.plus(cell.read(0, x), cell.recall(0, state[0]))),)


def _gru(cell: Cell, x: Value, state: State) -> State:
    """``z h + (1 - z) n`` with gates z, r and the candidate n."""
    t, h = cell.call.translation, state[0]
    z = cell.act(0, cell.plus(cell.read(0, x), cell.recall(0, h)))
    r = cell.act(0, cell.plus(cell.read(1, x), cell.recall(1, h)))
    if cell.call.flag("linear_before_reset"):
        n = cell.act(1, cell.plus(cell.read(2, x), cell.times(r, cell.recall(2, h))))
    else:
        n = cell.act(1, cell.plus(cell.read(2, x), cell.recall(2, cell.times(r, h))))
    one = Known(np.asarray(1.0))
    return (cell.plus(t.multiply(t.subtract(one, z), n), cell.times(z, h)),)


def _lstm(cell: Cell, x: Value, state: State) -> State:
    """Gates in the order input, output, forget, cell."""
    h, c = state
    i, o, f = (cell.act(0, cell.plus(cell.read(gate, x), cell.recall(gate, h))) for gate in (0, 1, 2))
    g = cell.act(1, cell.plus(cell.read(3, x), cell.recall(3, h)))
    c = cell.plus(cell.times(f, c), cell.times(i, g))
    return cell.times(o, cell.act(2, c)), c


STEPS: dict[str, tuple[int, int, Step]] = {"RNN": (1, 1, _rnn), "GRU": (3, 1, _gru), "LSTM": (4, 2, _lstm)}
"""Gates, parts of the state, one step; by operator."""


def _recurrent(call: Call) -> list[Value | None]:
    gates, parts, step = STEPS[call.kind]
    t, x = call.translation, call.value(0)
    for name in ("clip", "input_forget"):
        if call.attributes.get(name):
            raise Refused(f"{name} = {call.attributes[name]} is not stated; export the model without it")
    if call.has(7):
        raise Refused("peepholes are not stated; export the model without them")
    batch_first = call.flag("layout")
    x = t.permute(x, (1, 0, 2)) if batch_first else x
    length, batch, _ = shape_of(x)
    if call.has(4) and any(np.ravel(call.known(4, "sequence_lens")) != length):
        raise Refused("sequences of several lengths are not stated; give all samples one length")
    direction = call.text("direction", "forward")
    count = 2 if direction == "bidirectional" else 1
    every, finals = [], []
    for way in range(count):
        cell = _cell(call, gates, way, count)
        backwards = direction == "reverse" or way == 1
        state = tuple(_initial(call, 5 + part, way, batch) for part in range(parts))
        outputs: list[Value] = []
        for place in range(length)[::-1] if backwards else range(length):
            state = step(cell, _position(call, x, place), state)
            outputs.append(state[0])
        every.append(outputs[::-1] if backwards else outputs)
        finals.append(state)
    return _results(call, every, finals, batch_first)


def _position(call: Call, x: Value, place: int) -> Value:
    _, batch, width = shape_of(x)
    return call.translation.reshape(call.translation.take(x, 0, [place]), (batch, width))


def _results(call: Call, every: list[list[Value]], finals: list[State], batch_first: bool) -> list[Value | None]:
    """All states (length, directions, batch, hidden), then the last ones (directions, batch, hidden); only if read."""
    t = call.translation
    batch, hidden = shape_of(every[0][0])
    found: list[Value | None] = [None]
    if call.wanted(0):
        rows = [t.reshape(h, (1, 1, batch, hidden)) for way in every for h in way]
        length = len(every[0])
        each = [t.concatenate(rows[start : start + length], 0) for start in range(0, len(rows), length)]
        whole = each[0] if len(each) == 1 else t.concatenate(each, 1)
        found[0] = t.permute(whole, (2, 0, 1, 3)) if batch_first else whole
    for part in range(len(finals[0])):
        if not call.wanted(1 + part):
            found.append(None)
            continue
        each = [t.reshape(state[part], (1, batch, hidden)) for state in finals]
        last = each[0] if len(each) == 1 else t.concatenate(each, 0)
        found.append(t.permute(last, (1, 0, 2)) if batch_first else last)
    return found


def _cell(call: Call, gates: int, way: int, count: int) -> Cell:
    hidden = int(call.attributes.get("hidden_size", shape_of(call.value(2))[-1]))
    names = [name.decode() if isinstance(name, bytes) else str(name) for name in call.attributes.get("activations", ())]
    if call.attributes.get("activation_alpha") or call.attributes.get("activation_beta"):
        raise Refused("activations with parameters of their own are not stated")
    size = len(DEFAULTS[call.kind])
    chosen = [name.lower() for name in names[way * size : (way + 1) * size]] or list(DEFAULTS[call.kind])
    odd = next((name for name in chosen if name not in ACTIVATIONS), None)
    if odd is not None:
        raise Refused(f"activation {odd!r} is not stated here; use one of {', '.join(ACTIVATIONS)}")

    def part(place: int, first: int, rows: int, axes: int) -> Value:
        """Rows of one direction's weights."""
        t, whole = call.translation, call.value(place)
        one = whole if count == 1 else t.take(whole, 0, [way])
        one = t.reshape(one, shape_of(whole)[1:])
        return one if rows == shape_of(one)[0] else t.slice(one, 0, first, first + rows)

    def each(place: int, offset: int = 0) -> list[Value]:
        return [part(place, offset + gate * hidden, hidden, 2) for gate in range(gates)]

    none: list[Value | None] = [None] * gates
    biased = call.has(3)
    wb: list[Value | None] = [*each(3)] if biased else none
    rb: list[Value | None] = [*each(3, gates * hidden)] if biased else none
    return Cell(call, each(1), each(2), wb, rb, [ACTIVATIONS[name] for name in chosen])


def _initial(call: Call, place: int, way: int, batch: int) -> Value:
    """The state before the first step; zeros by default."""
    hidden = int(call.attributes.get("hidden_size", shape_of(call.value(2))[-1]))
    if not call.has(place) or is_zero(call.value(place)):
        return ZERO
    t, given = call.translation, call.value(place)
    given = t.permute(given, (1, 0, 2)) if call.flag("layout") else given
    return t.reshape(t.take(given, 0, [way]), (batch, hidden))


RULES: dict[str, Rule] = dict.fromkeys(STEPS, _recurrent)
"""By operator."""
