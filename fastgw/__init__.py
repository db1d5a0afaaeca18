"""fastgw: an AI gateway data plane.

::

    gateway = fastgw.Gateway.from_file("fastgw.yaml")
    async with gateway:            # this process, this loop; no children
        ...
    fastgw.run("fastgw.yaml")      # as `fastgw serve`
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastgw.gateway import Gateway, run

__version__ = "0.1.0"
__all__ = ["Gateway", "__version__", "run"]


def __getattr__(name: str) -> object:
    # Late, so that a worker that imports one room does not import the whole house.
    if name in ("Gateway", "run"):
        from fastgw import gateway

        return getattr(gateway, name)
    raise AttributeError(f"module 'fastgw' has no attribute {name!r}")
