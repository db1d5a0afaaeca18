"""The command line: what a person types, and the one clear line when it cannot be done."""
