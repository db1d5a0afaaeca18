"""One file per provider API: where things are, how usage is read, how errors look."""

from fastgw.dialect.face import Cut, Face
from fastgw.dialect.faces import BY_NUMBER, FACES, error_body, stream_end, stream_error

__all__ = ["BY_NUMBER", "Cut", "FACES", "Face", "error_body", "stream_end", "stream_error"]
