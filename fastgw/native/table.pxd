# csrc/fgw_table.h, name for name. No logic lives here.
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from fastgw.native.bucket cimport fgw_bucket
from fastgw.native.window cimport fgw_window
from fastgw.native.word cimport fgw_dones, fgw_word


cdef extern from "fgw_table.h" nogil:
    const int FGW_TABLE_WAYS
    const int64_t FGW_TABLE_FULL
    const int64_t FGW_TABLE_NONE

    enum fgw_cell_kind:
        FGW_CELL_UNKNOWN
        FGW_CELL_PACE
        FGW_CELL_SLOTS
        FGW_CELL_CAP
        FGW_CELL_WINDOW
        FGW_CELL_WALLET
        FGW_CELL_GRANT

    union fgw_cell:
        fgw_bucket bucket
        fgw_word word
        fgw_window window

    struct fgw_table_group:
        pass

    struct fgw_table:
        fgw_table_group *groups
        uint64_t secret[2]
        uint32_t n_groups

    int64_t fgw_table_find(const fgw_table *table, const uint64_t *key) noexcept
    int64_t fgw_table_insert(
        const fgw_table *table, const uint64_t *key, uint8_t kind, uint16_t span,
        int *inserted) noexcept
    uint16_t fgw_table_span(uint64_t window_end_ns, uint64_t wall_ns) noexcept
    void fgw_table_set_span(const fgw_table *table, uint64_t entry, uint16_t span) noexcept
    fgw_cell *fgw_table_cell(const fgw_table *table, uint64_t entry) noexcept
    int fgw_table_read(
        const fgw_table *table, uint64_t entry, uint64_t *key, uint8_t *kind,
        uint16_t *span) noexcept
    fgw_cell *fgw_table_cell_of(
        const fgw_table *table, uint64_t entry, const uint64_t *key) noexcept
    int fgw_table_bury(
        const fgw_table *table, fgw_dones dones, uint64_t entry, uint64_t now_ns,
        uint64_t wall_ns) noexcept
    void fgw_table_free_buried(const fgw_table *table, uint64_t entry) noexcept
    uint32_t fgw_table_crowd(const fgw_table *table, uint32_t group) noexcept
    void fgw_table_leave(const fgw_table *table, uint64_t entry) noexcept
    int fgw_table_is_leaving(const fgw_table *table, uint64_t entry) noexcept
