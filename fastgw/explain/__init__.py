"""Phase EXPLAIN: renders what was decided; the error catalogue."""
