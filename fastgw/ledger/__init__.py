"""Phase SETTLE: rings, recorder, stores. Nothing is spent unrecorded."""
