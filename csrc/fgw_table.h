/* fgw_table.h - the limit table: 128-bit keys to 16-byte cells, lock-free, shared by all workers.
 *
 * Every key has two groups of 14 places, its home and another, and lives in one place of the two.
 * Which they are depends on a secret of the segment: who chooses keys cannot aim at a group. Home
 * is taken while fewer than 10 of its places are, else whichever is less crowded: so most keys are
 * found with the first look, and with 9 of 14 places in use on average no key finds both full.
 * A group is 512 bytes, 8 cache lines:
 *
 *     0         14        16                240                464          478         506
 *     | tags[14]| version | keys[14] (16 B) | cells[14] (16 B) | kinds[14]  | spans[14] | 0
 *     '-- header (16) ----'
 *
 * A tag is 0 (free), 1 (leaving), 2 (coming) or 3..255 from the key. While any process is in the
 * middle of an insertion no place is freed, so places go one way only:
 *
 *     at home:    free --> tag, no key --> tag, key: live ----------------> leaving --> free
 *     the other:  free --> coming, no key --> coming, key --> tag, key: live --> leaving
 *                                                  '-------------------------------^
 *
 * At home: CAS the header (claim a tag), then CAS the key from zero. Who finds its own tag with an
 * empty key fills that place: so a worker that dies in between leaves nothing behind, and two that
 * insert one key meet in one place. (A tag is claimed only when every place with that tag has its
 * key, under an unchanged header: hence no two empty places of one tag, hence no key twice.) In
 * the other group the same goes for the tag "coming", which nobody finds.
 *
 * Two that insert one key may see different crowds and choose different groups. So each announces
 * before it looks: a key is put into an empty place at home only after a look at the other group
 * that came later than the claim, and if it is coming there, it is sent away first (its tag
 * becomes "leaving"); what is coming goes live, by a CAS of its header, only after a look at home
 * that came later than its announcement and showed neither the key nor an empty place of its tag.
 * Of two such looks one sees the other's announcement, and home wins. Whoever inserts a key that
 * is coming goes on with it, so again a death leaves nothing behind. All orders are stepped
 * through in tests/csrc/test_table_model.py.
 *
 * Only the supervisor evicts: bury the cell, tag "leaving", wait until every worker has passed a
 * loop turn, zero, free. A worker that meets a buried cell sets the tag itself and looks again.
 * An entry is named by its index, group * 14 + place.
 */
#ifndef FGW_TABLE_H
#define FGW_TABLE_H

#include <stdint.h>

#include "fgw_bucket.h"
#include "fgw_window.h"
#include "fgw_word.h"

#define FGW_TABLE_WAYS 14
#define FGW_TABLE_FULL (-1) /* neither of the key's groups has a free place */
#define FGW_TABLE_NONE (-1)

/* Decides what a cell is, for eviction and for readers without a configuration. */
enum fgw_cell_kind {
    FGW_CELL_UNKNOWN = 0, /* never evicted */
    FGW_CELL_PACE = 1,    /* struct fgw_bucket; goes when full */
    FGW_CELL_SLOTS = 2,   /* struct fgw_word; goes when 0 */
    FGW_CELL_CAP = 3,     /* struct fgw_word; goes when its window is over, by its span */
    FGW_CELL_WINDOW = 4,  /* struct fgw_window; goes when nothing in it counts, by its span */
    FGW_CELL_WALLET = 8,  /* struct fgw_word spent from slices (fgw_cluster.h); goes when 0 */
    FGW_CELL_GRANT = 9,   /* what is granted of it; goes when forgotten: all 0 */
};

struct fgw_key {
    _Alignas(16) _Atomic uint64_t low;
    _Atomic uint64_t high;
};

union fgw_cell {
    struct fgw_bucket bucket; /* the second half stays 0 */
    struct fgw_word word;
    struct fgw_window window;
};
_Static_assert(sizeof(union fgw_cell) == 16, "layout is shared between processes");

struct fgw_table_group {
    _Alignas(512) _Atomic uint64_t header[2];
    struct fgw_key keys[FGW_TABLE_WAYS];
    union fgw_cell cells[FGW_TABLE_WAYS];
    _Atomic uint8_t kinds[FGW_TABLE_WAYS]; /* enum fgw_cell_kind << 4 | enum fgw_unit */
    _Atomic uint16_t spans[FGW_TABLE_WAYS]; /* CAP: fgw_table_span; WINDOW: fgw_window_span */
    uint8_t reserved[6];
};
_Static_assert(sizeof(struct fgw_table_group) == 512, "layout is shared between processes");

struct fgw_table {
    struct fgw_table_group *groups;
    uint64_t secret[2]; /* of the segment, random: places keys */
    uint32_t n_groups;  /* 1: then it is every key's only one */
};

/* The key's entry, or FGW_TABLE_NONE. Writes nothing: works on a read-only mapping. One cache line
 * more where the key is not in its home. */
int64_t fgw_table_find(const struct fgw_table *table, const uint64_t key[2]);

/* The same, and its cell; untouched where there is none. */
int64_t fgw_table_find_cell(const struct fgw_table *table, const uint64_t key[2],
                            union fgw_cell **cell);

/* The key's entry, inserted (zeroed: full, or nothing used) if it was not there, in which case
 * *inserted becomes 1, for one process only. FGW_TABLE_FULL: no room. The key (0, 0) is invalid
 * and finds no room. */
int64_t fgw_table_insert(const struct fgw_table *table, const uint64_t key[2], uint8_t kind,
                         uint16_t span, int *inserted);

/* When a cap's window is over, for its entry, in minutes: 0 for a window that does not end, or not
 * within 33 days. Whoever inserts must do so before the end. */
uint16_t fgw_table_span(uint64_t window_end_ns, uint64_t wall_ns);

/* Notes another span of an entry: a window's capacity may have changed since. */
void fgw_table_set_span(const struct fgw_table *table, uint64_t entry, uint16_t span);

/* The cell of an entry; NULL out of bounds. */
union fgw_cell *fgw_table_cell(const struct fgw_table *table, uint64_t entry);

/* Copies key, kind and span of an entry. Returns 1; 0 if it is empty, leaving, out of bounds. */
int fgw_table_read(const struct fgw_table *table, uint64_t entry, uint64_t key[2], uint8_t *kind,
                   uint16_t *span);

/* The cell of an entry if it is (still) this key's, else NULL. */
union fgw_cell *fgw_table_cell_of(const struct fgw_table *table, uint64_t entry,
                                  const uint64_t key[2]);

/* Eviction, supervisor only. bury: 1 if the entry was as zeroed, or its window is over, or it was
 * coming, and is now on its way out, or was already; 0 if it is in use or free. A cap's window
 * counts as over one to three minutes late: no worker that has not noticed yet may find it new.
 * free_buried: only what bury said 1 of, and after every worker has passed a loop turn since. */
int fgw_table_bury(const struct fgw_table *table, struct fgw_dones dones, uint64_t entry,
                   uint64_t now_ns, uint64_t wall_ns);
void fgw_table_free_buried(const struct fgw_table *table, uint64_t entry);

/* How many places of a group are in use, leaving ones included; FGW_TABLE_WAYS out of bounds. */
uint32_t fgw_table_crowd(const struct fgw_table *table, uint32_t group);

/* Marks a buried entry as leaving, so that its key gets a new place. */
void fgw_table_leave(const struct fgw_table *table, uint64_t entry);

/* 1 if the entry is buried or leaving: a supervisor that starts anew frees what the last left. */
int fgw_table_is_leaving(const struct fgw_table *table, uint64_t entry);

#endif
