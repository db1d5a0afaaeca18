# Where a stream stands that has to be ended here.
from fastgw.native.dialect_meter cimport fgw_meter

# Arguments of dialect.endings.Cut: without the event that just ended, of a tracked meter.
cdef dict cut_of(const fgw_meter *meter)
