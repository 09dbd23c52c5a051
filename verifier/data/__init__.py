"""Data sets: reading files, taking arrays exactly as they are, grouping equal samples."""
