"""fastgw: an AI gateway data plane."""

__version__ = "0.1.0"
