"""Claims Z2, C1, C3 and TC.3 as documents: valid by the JSON Schema, readable in words."""

import json

import jsonschema
import numpy as np
import pytest
from planted_problems import certified

from verifier.certificate.schema import json_schema
from verifier.certificate.show import describe

SCHEMA = json_schema()


@pytest.mark.parametrize("conflict", [False, True])
def test_documents_are_valid_and_readable(conflict, tmp_path):
    file = certified(np.random.default_rng(1), conflict).write(tmp_path / "c.json")
    document = json.loads(file.read_text())
    valid = jsonschema.Draft202012Validator(SCHEMA)  # the schema itself is checked elsewhere
    valid.validate(document)
    labels = {claim["label"] for claim in document["claims"]}
    assert labels == ({"R1", "TC.3"} if conflict else {"R1", "Z2", "C1", "C3", "TC.3"})
    text = describe(file)
    assert "infimum is in" in text and ("different labels" in text) is conflict
    if not conflict:
        assert all(words in text for words in ("in a ball (Z2)", "not a stationary point", "no local maximum (C3)"))
    for key in ("loss", "end_loss", "infimum"):
        for claim in document["claims"]:
            if claim["label"] == "TC.3":
                broken = json.loads(json.dumps(document))
                del broken["claims"][document["claims"].index(claim)][key]
                with pytest.raises(jsonschema.ValidationError):
                    valid.validate(broken)
