"""Entry point: ``python -m verifier.coq CERTIFICATE.json NAME.v`` prints one JSON document with the file's text."""

import json
import sys

from verifier.coq.file import Refused, coq_file

if __name__ == "__main__":
    certificate, target = sys.argv[1:]
    try:
        text, theorems, left_out = coq_file(certificate, target)
    except Refused as why:
        print(json.dumps({"refused": str(why), "verdict": why.verdict}))
        sys.exit(1)
    print(json.dumps({"text": text, "theorems": theorems, "left_out": left_out}))
