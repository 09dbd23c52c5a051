"""The certificate format and its writer; `FORMAT.md` and `schema-v1.json` describe it."""
