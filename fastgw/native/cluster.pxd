# csrc/fgw_cluster.h, name for name. No logic lives here.
from libc.stdint cimport uint32_t, uint64_t

from fastgw.native.table cimport fgw_cell


cdef extern from "fgw_cluster.h" nogil:
    const int FGW_DEMANDS

    enum fgw_store_loss:
        FGW_STORE_LOSS_CLOSED
        FGW_STORE_LOSS_LOCAL_SHARE
        FGW_STORE_LOSS_OPEN

    enum fgw_store_state:
        FGW_STORE_UNKNOWN
        FGW_STORE_HELD
        FGW_STORE_LOST

    enum fgw_grant_flag:
        FGW_GRANT_WANTED
        FGW_GRANT_DRY
        FGW_GRANT_DEGRADED

    struct fgw_board:
        pass  # opaque: through the functions below

    void fgw_cluster_key(const uint64_t *key, uint64_t *granted) noexcept
    uint64_t fgw_grant_meta(
        uint32_t spec, uint32_t window, uint32_t low, uint32_t flags) noexcept
    uint32_t fgw_grant_window(uint64_t meta) noexcept
    uint32_t fgw_grant_spec(uint64_t meta) noexcept
    uint32_t fgw_grant_low(uint64_t meta) noexcept
    uint64_t fgw_grant_read(const fgw_cell *grant, uint64_t *meta) noexcept
    uint64_t fgw_grant_limit(
        const fgw_board *board, const fgw_cell *grant, uint64_t now_ns, uint64_t *meta) noexcept
    int fgw_store_answers(const fgw_board *board, uint64_t now_ns) noexcept
    int fgw_grant_is_low(uint64_t granted, uint64_t value, uint64_t meta) noexcept
    int fgw_grant_ask(
        fgw_board *board, fgw_cell *grant, uint32_t entry, uint32_t spec, uint32_t window,
        uint64_t need) noexcept
    int fgw_board_take(
        fgw_board *board, uint32_t *at, uint32_t *entry, uint64_t *need) noexcept
    int fgw_grant_set(fgw_cell *grant, uint64_t granted, uint64_t meta) noexcept
    void fgw_grant_release(fgw_cell *grant, uint32_t flags) noexcept
    void fgw_board_say(
        fgw_board *board, uint32_t state, uint32_t nodes, uint64_t until_ns) noexcept
    void fgw_board_beat(fgw_board *board, uint64_t now_ns) noexcept
    void fgw_board_read(
        const fgw_board *board, uint32_t *state, uint32_t *nodes, uint64_t *until_ns,
        uint64_t *beat_ns) noexcept
    char *fgw_board_epoch(fgw_board *board) noexcept
