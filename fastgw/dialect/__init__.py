"""One file per provider API: where things are, how usage is read, how errors look."""
