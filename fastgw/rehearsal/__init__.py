"""Policies tried out: the whole gateway in this process, in front of the mock provider."""
