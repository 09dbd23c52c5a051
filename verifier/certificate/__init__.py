"""The certificate format, described in `FORMAT.md`, its writer, and what reads certificates to people."""
