"""Phase USAGE: tokens by class, with provenance."""
