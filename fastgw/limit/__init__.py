"""Phases LIMIT and SETTLE: take all collected limits or none; settle them to the truth."""
