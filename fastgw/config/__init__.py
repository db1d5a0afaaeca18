"""What the operator writes: schema, load, check."""
