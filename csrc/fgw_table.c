#include "fgw_table.h"

#include <stdatomic.h>
#include <string.h>

#define TAG_FREE 0
#define TAG_LEAVING 1
#define TAGS_FROM 2

/* Only a process that writes the header all the time could make insert go round so often. */
#define TRIES_MAX 1000

union header {
    fgw_u128 whole;
    uint64_t half[2];
    struct {
        uint8_t tags[FGW_TABLE_WAYS];
        uint16_t version;
    } is;
};
_Static_assert(sizeof(union header) == 16, "one CAS");

static uint8_t tag_of(const uint64_t key[2])
{
    return (uint8_t)(TAGS_FROM + (key[1] & UINT64_C(0xffff)) % (256 - TAGS_FROM));
}

/* Keys are a keyed hash already: any of its bits are as good as others. */
static struct fgw_table_group *group_of(const struct fgw_table *table, const uint64_t key[2])
{
    return &table->groups[key[0] & (table->n_groups - 1)];
}

static struct fgw_table_group *group_at(const struct fgw_table *table, uint64_t entry,
                                        uint32_t *place)
{
    uint64_t group = entry / FGW_TABLE_WAYS;
    *place = (uint32_t)(entry % FGW_TABLE_WAYS);
    return group < table->n_groups ? &table->groups[group] : 0;
}

static int64_t entry_of(const struct fgw_table *table, const struct fgw_table_group *group,
                        uint32_t place)
{
    return (group - table->groups) * FGW_TABLE_WAYS + place;
}

/* May be torn; then the swap fails and tells the truth. For plain reading that is enough: a tag
 * only says where to look. */
static union header read_header(const struct fgw_table_group *group)
{
    union header header;
    header.half[0] = atomic_load_explicit(&group->header[0], memory_order_acquire);
    header.half[1] = atomic_load_explicit(&group->header[1], memory_order_acquire);
    return header;
}

static int swap_header(struct fgw_table_group *group, union header *seen, union header desired)
{
    desired.is.version = (uint16_t)(seen->is.version + 1);
    return fgw_swap16(&group->header, &seen->whole, desired.whole);
}

/* Both halves equal: a key is written once, whole, so it is this one. */
static int is_key(const struct fgw_key *at, const uint64_t key[2])
{
    return atomic_load_explicit(&at->low, memory_order_acquire) == key[0] &&
           atomic_load_explicit(&at->high, memory_order_acquire) == key[1];
}

/* Tags are bytes in the order of places, so a bit's number in a half tells its place. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "see matches()");
#define BYTES(b) (UINT64_C(0x0101010101010101) * (b))

/* A bit, the highest of its byte, for each of eight tags that equals `tag`; now and then also for
 * one behind it that does not. The key decides. */
static uint64_t matches(uint64_t tags, uint8_t tag)
{
    uint64_t differ = tags ^ BYTES(tag);
    return (differ - BYTES(1)) & ~differ & BYTES(0x80);
}

static int find_place(const struct fgw_table_group *group, const union header *header,
                      const uint64_t key[2])
{
    uint8_t tag = tag_of(key);
    for (int half = 0; half < 2; half++) {
        uint64_t found = matches(header->half[half], tag);
        for (; found != 0; found &= found - 1) {
            int place = half * 8 + __builtin_ctzll(found) / 8;
            if (place < FGW_TABLE_WAYS && is_key(&group->keys[place], key))
                return place;
        }
    }
    return -1;
}

int64_t fgw_table_find(const struct fgw_table *table, const uint64_t key[2])
{
    const struct fgw_table_group *group = group_of(table, key);
    union header header = read_header(group);
    int place = find_place(group, &header, key);
    return place >= 0 ? entry_of(table, group, (uint32_t)place) : FGW_TABLE_NONE;
}

int64_t fgw_table_find_cell(const struct fgw_table *table, const uint64_t key[2],
                            union fgw_cell **cell)
{
    struct fgw_table_group *group = group_of(table, key);
    union header header = read_header(group);
    int place = find_place(group, &header, key);
    if (place < 0)
        return FGW_TABLE_NONE;
    *cell = &group->cells[place];
    return entry_of(table, group, (uint32_t)place);
}

static void say_kind(struct fgw_table_group *group, int place, uint8_t kind, uint16_t span)
{
    atomic_store_explicit(&group->spans[place], span, memory_order_relaxed);
    atomic_store_explicit(&group->kinds[place], kind, memory_order_release);
}

enum { FILLED = 1, FOUND = 2, TAKEN_BY_ANOTHER = 3 };

static int fill(struct fgw_table_group *group, int place, const uint64_t key[2], uint8_t kind,
                uint16_t span)
{
    union {
        uint64_t half[2];
        fgw_u128 whole;
    } wanted = {{key[0], key[1]}}, seen = {{0, 0}};
    if (!fgw_swap16(&group->keys[place], &seen.whole, wanted.whole))
        return seen.whole == wanted.whole ? FOUND : TAKEN_BY_ANOTHER;
    say_kind(group, place, kind, span);
    return FILLED;
}

/* One look at the group as `header` shows it: finds the key, or fills the one empty place of its
 * tag. Returns the place, or -1: neither, so that a tag must be claimed. */
static int look(struct fgw_table_group *group, const union header *header, const uint64_t key[2],
                uint8_t kind, uint16_t span, int *inserted)
{
    int place = find_place(group, header, key);
    uint8_t tag = tag_of(key);
    /* Who filled it may have died before it said what it is, and then it is never evicted. */
    if (place >= 0 && atomic_load_explicit(&group->kinds[place], memory_order_relaxed) == 0)
        say_kind(group, place, kind, span);
    for (int at = 0; place < 0 && at < FGW_TABLE_WAYS; at++) {
        if (header->is.tags[at] != tag)
            continue;
        /* The swap is also the one whole reading of the key: halves may have come apart above. */
        int outcome = fill(group, at, key, kind, span);
        if (outcome != TAKEN_BY_ANOTHER)
            place = at;
        if (outcome == FILLED)
            *inserted = 1;
    }
    return place;
}

int64_t fgw_table_insert(const struct fgw_table *table, const uint64_t key[2], uint8_t kind,
                         uint16_t span, int *inserted)
{
    struct fgw_table_group *group = group_of(table, key);
    *inserted = 0;
    if (key[0] == 0 && key[1] == 0)
        return FGW_TABLE_FULL;
    for (int tries = 0; tries < TRIES_MAX; tries++) {
        union header header = read_header(group);
        int place = look(group, &header, key, kind, span, inserted);
        if (place >= 0)
            return entry_of(table, group, (uint32_t)place);
        const uint8_t *free_tag = memchr(header.is.tags, TAG_FREE, FGW_TABLE_WAYS);
        union header claimed = header;
        if (free_tag == 0) {
            /* Full, if that was a true reading. */
            if (swap_header(group, &header, claimed))
                return FGW_TABLE_FULL;
            continue;
        }
        /* Claim, then look again rather than fill: another may fill this place first. */
        claimed.is.tags[free_tag - header.is.tags] = tag_of(key);
        (void)swap_header(group, &header, claimed);
    }
    return FGW_TABLE_FULL;
}

union fgw_cell *fgw_table_cell(const struct fgw_table *table, uint64_t entry)
{
    uint32_t place;
    struct fgw_table_group *group = group_at(table, entry, &place);
    return group != 0 ? &group->cells[place] : 0;
}

int fgw_table_read(const struct fgw_table *table, uint64_t entry, uint64_t key[2], uint8_t *kind,
                   uint16_t *span)
{
    uint32_t place;
    const struct fgw_table_group *group = group_at(table, entry, &place);
    if (group == 0 || read_header(group).is.tags[place] < TAGS_FROM)
        return 0;
    key[0] = atomic_load_explicit(&group->keys[place].low, memory_order_acquire);
    key[1] = atomic_load_explicit(&group->keys[place].high, memory_order_acquire);
    *kind = atomic_load_explicit(&group->kinds[place], memory_order_acquire);
    *span = atomic_load_explicit(&group->spans[place], memory_order_relaxed);
    return (key[0] | key[1]) != 0;
}

union fgw_cell *fgw_table_cell_of(const struct fgw_table *table, uint64_t entry,
                                  const uint64_t key[2])
{
    uint32_t place;
    struct fgw_table_group *group = group_at(table, entry, &place);
    return group != 0 && read_header(group).is.tags[place] == tag_of(key) &&
                   is_key(&group->keys[place], key)
               ? &group->cells[place]
               : 0;
}

/* Sets a place's tag from `from` (any, if 0) to `to`. Returns 1 if it did. */
static int retag(struct fgw_table_group *group, uint32_t place, uint8_t from, uint8_t to)
{
    union header header = read_header(group);
    for (;;) {
        uint8_t now = header.is.tags[place];
        if (now == to || now == TAG_FREE || (from != 0 && now != from))
            return 0;
        union header desired = header;
        desired.is.tags[place] = to;
        if (swap_header(group, &header, desired))
            return 1;
    }
}

static int is_buried(const struct fgw_table_group *group, uint32_t place)
{
    const union fgw_cell *cell = &group->cells[place];
    uint8_t kind = atomic_load_explicit(&group->kinds[place], memory_order_acquire) >> 4;
    if (kind == FGW_CELL_PACE)
        return atomic_load(&cell->bucket.full_at_ns) == FGW_BUCKET_DEAD;
    if (kind == FGW_CELL_WINDOW)
        return atomic_load(&cell->window.low) == FGW_WINDOW_DEAD;
    return atomic_load(&cell->word.tag) == FGW_WORD_DEAD;
}

/* A span counts minutes up to SPAN_CIRCLE and round again, from 1 on. What lies less than OVER_MAX
 * behind now is over; the rest of the circle, 33 days, lies ahead. */
#define MINUTE UINT64_C(60000000000)
#define SPAN_CIRCLE 65535u
#define OVER_MAX 18000u
#define LATE 2u /* the end rounded up, and a whole minute more */

uint16_t fgw_table_span(uint64_t window_end_ns, uint64_t wall_ns)
{
    uint64_t end = window_end_ns / MINUTE + LATE;
    if (window_end_ns == 0 || end > wall_ns / MINUTE + SPAN_CIRCLE - OVER_MAX - 1)
        return 0;
    return (uint16_t)(1 + end % SPAN_CIRCLE);
}

static int is_over(uint16_t span, uint64_t wall_ns)
{
    uint32_t now = (uint32_t)(wall_ns / MINUTE % SPAN_CIRCLE);
    return span != 0 && (now + SPAN_CIRCLE - (span - 1u)) % SPAN_CIRCLE < OVER_MAX;
}

void fgw_table_set_span(const struct fgw_table *table, uint64_t entry, uint16_t span)
{
    uint32_t place;
    struct fgw_table_group *group = group_at(table, entry, &place);
    if (group != 0 && atomic_load_explicit(&group->spans[place], memory_order_relaxed) != span)
        atomic_store_explicit(&group->spans[place], span, memory_order_relaxed);
}

void fgw_table_leave(const struct fgw_table *table, uint64_t entry)
{
    uint32_t place;
    struct fgw_table_group *group = group_at(table, entry, &place);
    if (group != 0 && is_buried(group, place))
        (void)retag(group, place, 0, TAG_LEAVING);
}

int fgw_table_bury(const struct fgw_table *table, struct fgw_dones dones, uint64_t entry,
                   uint64_t now_ns, uint64_t wall_ns)
{
    uint32_t place;
    struct fgw_table_group *group = group_at(table, entry, &place);
    if (group == 0 || read_header(group).is.tags[place] < TAGS_FROM)
        return 0;
    union fgw_cell *cell = &group->cells[place];
    uint8_t kind = atomic_load_explicit(&group->kinds[place], memory_order_acquire) >> 4;
    uint16_t span = atomic_load_explicit(&group->spans[place], memory_order_relaxed);
    int buried = kind == FGW_CELL_PACE     ? fgw_bucket_bury(&cell->bucket, now_ns)
                 : kind == FGW_CELL_SLOTS || kind == FGW_CELL_WALLET
                     ? fgw_word_bury(&cell->word, dones)
                 : kind == FGW_CELL_GRANT && span == 0 ? fgw_word_forget(&cell->word)
                 : kind == FGW_CELL_WINDOW ? fgw_window_bury(&cell->window, span, wall_ns)
                 : (kind == FGW_CELL_CAP || kind == FGW_CELL_GRANT) && is_over(span, wall_ns)
                     ? fgw_word_end(&cell->word, dones)
                     : 0;
    if (buried)
        (void)retag(group, place, 0, TAG_LEAVING);
    return buried;
}

void fgw_table_free_buried(const struct fgw_table *table, uint64_t entry)
{
    uint32_t place;
    struct fgw_table_group *group = group_at(table, entry, &place);
    if (group == 0 || read_header(group).is.tags[place] != TAG_LEAVING)
        return;
    atomic_store(&group->cells[place].word.value, 0);
    atomic_store(&group->cells[place].word.tag, 0);
    atomic_store(&group->kinds[place], FGW_CELL_UNKNOWN);
    atomic_store(&group->spans[place], 0);
    atomic_store(&group->keys[place].low, 0);
    atomic_store(&group->keys[place].high, 0);
    (void)retag(group, place, TAG_LEAVING, TAG_FREE);
}

uint32_t fgw_table_crowd(const struct fgw_table *table, uint32_t group)
{
    if (group >= table->n_groups)
        return FGW_TABLE_WAYS;
    union header header = read_header(&table->groups[group]);
    uint32_t used = 0;
    for (uint32_t place = 0; place < FGW_TABLE_WAYS; place++)
        used += header.is.tags[place] != TAG_FREE;
    return used;
}

int fgw_table_is_leaving(const struct fgw_table *table, uint64_t entry)
{
    uint32_t place;
    const struct fgw_table_group *group = group_at(table, entry, &place);
    if (group == 0)
        return 0;
    uint8_t tag = read_header(group).is.tags[place];
    return tag == TAG_LEAVING || (tag >= TAGS_FROM && is_buried(group, place));
}
