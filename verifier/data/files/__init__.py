"""Files that somebody else wrote: opened, unpacked and decoded, or refused by the name of what they are.

`regular` opens them, `packed` decompresses, `text` decodes, `numpy_files` reads NumPy's formats without unpickling, and
`kinds` knows what is refused by name.
"""

from __future__ import annotations

from verifier.data.files.regular import MAX_BYTES, open_regular, opened, read_regular

__all__ = ["MAX_BYTES", "open_regular", "opened", "read_regular"]
