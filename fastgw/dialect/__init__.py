"""One file per provider API: where things are, how usage is read, how errors look."""

from fastgw.dialect.credential import provider_fields
from fastgw.dialect.endings import Cut, stream_end
from fastgw.dialect.errors import error_body, stream_error

__all__ = ["Cut", "error_body", "provider_fields", "stream_end", "stream_error"]
