"""Where a stream stands that has to be ended here: from a tracked meter to its ending."""

from fastgw.native.dialect_meter cimport FGW_CHOICES_TRACKED, fgw_meter


from fastgw.dialect.names import STREAMS


cdef dict cut_of(const fgw_meter *meter):
    cdef int i
    return {
        "identity": meter.id[:meter.id_bytes].decode(errors="ignore"),
        "model": meter.model[:meter.model_bytes].decode(errors="ignore"),
        "created": meter.before.created or meter.state.created,
        "sequence": meter.before.sequence,
        "begun": bool(meter.before.begun),
        "stream": STREAMS[meter.streaming],
        "finished": frozenset([
            i for i in range(FGW_CHOICES_TRACKED)
            if meter.before.finished[i // 64] >> (i % 64) & 1
        ]),
        "blocks": tuple([meter.before.block[i] for i in range(meter.before.blocks)]),
    }
