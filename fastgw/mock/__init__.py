"""The mock provider that keeps books."""
