"""Why an instance does not start: a reason in one line, for a person."""


class StartError(Exception):
    """The instance cannot start. The text is one clear line; the command exits with 2."""
