"""The verification suite: cases are TOML files; one pipeline proves what each of them states."""
