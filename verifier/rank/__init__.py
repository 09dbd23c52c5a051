"""Full row rank of Psi(U), proved by a right inverse; rank deficiency, proved by structure."""
