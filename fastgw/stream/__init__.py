"""Phase STREAM: bytes on to the client, events scanned as they pass."""
