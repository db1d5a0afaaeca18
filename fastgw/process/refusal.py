"""Why an instance does not start: a reason in one line, for a person."""

from fastgw.errors import FastgwError


class StartError(FastgwError):
    """The instance cannot start. The text is one clear line; the command exits with 2."""
