"""One .pxd per C header, name for name. No logic lives here."""
