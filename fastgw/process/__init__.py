"""Supervisor, zygote, workers, recorder: who owns what, and who replaces whom."""
