# native/dialect_bedrock.pxd: csrc/fgw_dialect_bedrock_answer.h. No logic lives here.
from libc.stdint cimport int64_t

from fastgw.native.dialect_meter cimport fgw_meter

cdef extern from "fgw_dialect_bedrock_answer.h" nogil:
    void fgw_bedrock_take_counts(
        fgw_meter *meter, int64_t input, int64_t output, int64_t cached, int64_t written
    ) noexcept
