"""Accidental exposure: what `detect` actions look for, find and do."""
