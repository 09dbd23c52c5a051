"""Running cases: TOML files and families of them, suites that go on where they stopped, results."""
