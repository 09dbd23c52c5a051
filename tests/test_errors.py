"""One hierarchy, one line per message."""

import pytest

from verifier import errors


@pytest.mark.parametrize("kind", [errors.DataError, errors.CaseError, errors.NetworkError, errors.ExpressionError])
def test_input_errors_are_told_apart_from_the_rest(kind):
    assert issubclass(kind, errors.InputError)
    assert issubclass(errors.InputError, errors.VerifierError)
    assert not issubclass(errors.CertificateError, errors.InputError)
    assert not issubclass(errors.PrecisionError, errors.InputError)


def test_messages_are_one_line():
    assert str(errors.DataError("a\n  b\tc")) == "a b c"
    assert errors.one_line("x\ny") == "'x\\ny'"
    assert len(errors.one_line("x" * 500)) == errors.MAX_SHOWN
    assert errors.one_line("x" * 500).endswith("...")


def test_nearest_names_one_or_all():
    assert errors.nearest("tanhh", ["tanh", "erf"]) == "did you mean 'tanh'?"
    assert errors.nearest("TANH", ["tanh", "erf"]) == "did you mean 'tanh'?"
    assert errors.nearest("zzz", ["tanh", "erf"]) == "use one of erf, tanh"
