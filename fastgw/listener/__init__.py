"""The downstream connection: from accepted socket to journey and back."""
