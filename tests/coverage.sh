#!/usr/bin/env bash
# Line and branch coverage of the ordinary tests, of all processes that they start: the checker 100 %, the rest 95 %.
set -euo pipefail
cd "$(dirname "$0")/.."
export PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}" # whatever is installed, this tree is measured
python=${PYTHON:-python}
"$python" -m coverage erase
"$python" -m coverage run -m pytest -n "${1:-2}" -q --ignore tests/test_mutants.py
"$python" -m coverage combine -q
status=0
"$python" -m coverage report --include "verifier/checker/*" --fail-under 100 || status=$?
"$python" -m coverage report --omit "verifier/checker/*" --fail-under 95 --skip-covered || status=$?
exit "$status"
