"""What results have that a certificate can be written of: `write`, the same for a report and for an architecture."""

from __future__ import annotations

from pathlib import Path

from verifier.certificate.files import named
from verifier.certificate.writer import CertificateBuilder
from verifier.errors import CertificateError


class Writable:
    """A result whose `builder` has the claims of a certificate."""

    __slots__ = ()
    builder: CertificateBuilder

    def write(self, file: str | Path) -> Path:
        """Write the certificate: ``file`` and, beside it, its arrays in a ``.safetensors``.

        Parameters
        ----------
        file : str or Path
            A name that ends in ``.json``.

        Returns
        -------
        Path
            The document's path, for `verifier.check`.

        Raises
        ------
        InputError
            Another ending.
        CertificateError
            Nothing was proved, or the files cannot be written.
        """
        target = named(file)
        if self.builder.empty:
            raise CertificateError(f"no certificate can be written: {self.builder.nothing}")
        return self.builder.write(target)
