#include "fgw_table.h"

#include <stdatomic.h>
#include <string.h>

#define TAG_FREE 0
#define TAG_LEAVING 1
#define TAG_COMING 2
#define TAGS_FROM 3

/* A key goes home while fewer places than this are in use there; then to the less crowded of its
 * two groups. Simulated with 9 of 14 in use on average and 6 million keys that come and go: 74 %
 * are at home, and of 111,111 groups 34 have 13 in use, none 14. With 12 instead of 10, 89 % are
 * at home, and two keys found no place. */
#define HOME_FIRST 10

/* Only a process that writes the headers all the time could make insert go round so often. */
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
    return (uint8_t)(TAGS_FROM + ((key[1] & 0xffff) * (256 - TAGS_FROM) >> 16));
}

/* Keys are hashes already, but under a key that everybody knows. */
static uint64_t scatter(const struct fgw_table *table, const uint64_t key[2])
{
    fgw_u128 product =
        (fgw_u128)(key[0] ^ table->secret[0]) * (key[1] ^ table->secret[1]);
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint32_t home_of(const struct fgw_table *table, uint64_t scattered)
{
    return (uint32_t)((scattered >> 32) * table->n_groups >> 32);
}

/* Never the home, unless there is but one. */
static uint32_t other_of(const struct fgw_table *table, uint64_t scattered, uint32_t home)
{
    uint32_t others = table->n_groups - 1;
    uint32_t group = home + (uint32_t)((scattered & UINT32_MAX) * others >> 32) + (others > 0);
    return group > others ? group - table->n_groups : group;
}

static struct fgw_table_group *group_at(const struct fgw_table *table, uint64_t entry,
                                        uint32_t *place)
{
    uint64_t group = entry / FGW_TABLE_WAYS;
    *place = (uint32_t)(entry % FGW_TABLE_WAYS);
    return group < table->n_groups ? &table->groups[group] : 0;
}

static int64_t entry_of(uint32_t group, int place)
{
    return (int64_t)group * FGW_TABLE_WAYS + place;
}

/* May be torn, which is enough for plain reading: a tag only says where to look, and a place that
 * stands is in its half whenever that is read. */
static union header read_header(const struct fgw_table_group *group)
{
    union header header;
    header.half[0] = atomic_load_explicit(&group->header[0], memory_order_acquire);
    header.half[1] = atomic_load_explicit(&group->header[1], memory_order_acquire);
    return header;
}

static union header read_whole(struct fgw_table_group *group)
{
    return (union header){.whole = fgw_read16(&group->header)};
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

static inline __attribute__((always_inline)) int
find_place(const struct fgw_table_group *group, const uint64_t key[2])
{
    union header header = read_header(group);
    uint64_t first = matches(header.half[0], tag_of(key));
    for (; first != 0; first &= first - 1) {
        int place = __builtin_ctzll(first) / 8;
        if (is_key(&group->keys[place], key))
            return place;
    }
    /* The version, behind the last tag, is not one. */
    uint64_t second = matches(header.half[1], tag_of(key)) & UINT64_MAX >> 16;
    for (; second != 0; second &= second - 1) {
        int place = 8 + __builtin_ctzll(second) / 8;
        if (is_key(&group->keys[place], key))
            return place;
    }
    return -1;
}

/* Who finds nothing may have missed a key that was evicted from the one group and inserted into
 * the other meanwhile: between the two it was nowhere. */
static __attribute__((noinline)) int64_t find_in_other(const struct fgw_table *table,
                                                       const uint64_t key[2], uint32_t home,
                                                       union fgw_cell **cell)
{
    uint32_t at = other_of(table, scatter(table, key), home);
    int place = find_place(&table->groups[at], key);
    if (place < 0)
        return FGW_TABLE_NONE;
    *cell = &table->groups[at].cells[place];
    return entry_of(at, place);
}

static inline __attribute__((always_inline)) int64_t
find(const struct fgw_table *table, const uint64_t key[2], union fgw_cell **cell)
{
    uint32_t home = home_of(table, scatter(table, key));
    int place = find_place(&table->groups[home], key);
    if (place < 0)
        return find_in_other(table, key, home, cell);
    *cell = &table->groups[home].cells[place];
    return entry_of(home, place);
}

int64_t fgw_table_find(const struct fgw_table *table, const uint64_t key[2])
{
    union fgw_cell *cell;
    return find(table, key, &cell);
}

int64_t fgw_table_find_cell(const struct fgw_table *table, const uint64_t key[2],
                            union fgw_cell **cell)
{
    return find(table, key, cell);
}

/* ---- inserting ---- */

/* One of the two groups, as one look has shown it whole. */
struct side {
    struct fgw_table_group *group;
    uint32_t index;
    union header header;
};

struct inserting {
    struct side home, other;
    fgw_u128 key;
    uint16_t span;
    uint8_t tag, kind;
    int inserted;
};

#define AGAIN (-2) /* something has changed: look anew */

static void look(struct side *side) { side->header = read_whole(side->group); }

/* The key's place among those with this tag, or -1. *empty: one that waits for a key, or -1. */
static int seek(const struct side *side, uint8_t tag, fgw_u128 key, int *empty)
{
    int found = -1;
    *empty = -1;
    for (int at = 0; at < FGW_TABLE_WAYS && found < 0; at++) {
        if (side->header.is.tags[at] != tag)
            continue;
        fgw_u128 there = fgw_read16(&side->group->keys[at]); /* whole: halves may come apart */
        if (there == key)
            found = at;
        else if (there == 0)
            *empty = at;
    }
    return found;
}

/* Sets the tag of a place, if the group is still as it was seen. Returns 1 if it did. */
static int set_tag(struct side *side, int place, uint8_t tag)
{
    union header desired = side->header;
    desired.is.tags[place] = tag;
    return swap_header(side->group, &side->header, desired);
}

static void say_kind(const struct inserting *in, struct fgw_table_group *group, int place)
{
    atomic_store_explicit(&group->spans[place], in->span, memory_order_relaxed);
    atomic_store_explicit(&group->kinds[place], in->kind, memory_order_release);
}

static int64_t found_in(const struct inserting *in, const struct side *side, int place)
{
    /* Who filled it may have died before it said what it is, and then it is never evicted. */
    if (atomic_load_explicit(&side->group->kinds[place], memory_order_relaxed) == 0)
        say_kind(in, side->group, place);
    return entry_of(side->index, place);
}

static int64_t fill_home(struct inserting *in, int place)
{
    fgw_u128 seen = 0;
    if (!fgw_swap16(&in->home.group->keys[place], &seen, in->key))
        return seen == in->key ? entry_of(in->home.index, place) : AGAIN;
    say_kind(in, in->home.group, place);
    in->inserted = 1;
    return entry_of(in->home.index, place);
}

/* What is coming goes live: it was seen to come, home has been looked at since, and the other
 * group is as it was before that. */
static int64_t admit(struct inserting *in, int place)
{
    union header home = in->home.header;
    look(&in->home);
    if (in->home.header.whole != home.whole)
        return AGAIN;
    say_kind(in, in->other.group, place);
    if (!set_tag(&in->other, place, in->tag))
        return AGAIN;
    in->inserted = 1;
    return entry_of(in->other.index, place);
}

static int free_place(const struct side *side)
{
    const uint8_t *tags = side->header.is.tags, *found = memchr(tags, TAG_FREE, FGW_TABLE_WAYS);
    return found != 0 ? (int)(found - tags) : -1;
}

static uint32_t crowd_of(const union header *header)
{
    uint32_t used = 0;
    for (uint32_t place = 0; place < FGW_TABLE_WAYS; place++)
        used += header->is.tags[place] != TAG_FREE;
    return used;
}

/* Claims a place, or puts the key where one waits for any that comes; then look anew. */
static int64_t claim(struct inserting *in, int coming_empty)
{
    uint32_t at_home = crowd_of(&in->home.header);
    uint32_t there = crowd_of(&in->other.header) - (coming_empty >= 0); /* it is free for us */
    if (at_home < HOME_FIRST || at_home <= there) {
        int place = free_place(&in->home);
        if (place < 0)
            return FGW_TABLE_FULL;
        (void)set_tag(&in->home, place, in->tag);
    } else if (coming_empty >= 0) {
        fgw_u128 seen = 0;
        (void)fgw_swap16(&in->other.group->keys[coming_empty], &seen, in->key);
    } else {
        (void)set_tag(&in->other, free_place(&in->other), TAG_COMING);
    }
    return AGAIN;
}

/* One look at both groups, home first, and one step further. */
static int64_t step(struct inserting *in)
{
    int empty, none, coming = -1, coming_empty = -1;
    look(&in->home);
    int place = seek(&in->home, in->tag, in->key, &empty);
    if (place >= 0)
        return found_in(in, &in->home, place);
    if (in->other.group == in->home.group) {
        in->other.header = in->home.header;
    } else {
        look(&in->other);
        place = seek(&in->other, in->tag, in->key, &none);
        if (place >= 0)
            return found_in(in, &in->other, place);
        coming = seek(&in->other, TAG_COMING, in->key, &coming_empty);
    }
    if (empty >= 0 && coming >= 0) {
        (void)set_tag(&in->other, coming, TAG_LEAVING);
        return AGAIN;
    }
    if (empty >= 0)
        return fill_home(in, empty);
    return coming >= 0 ? admit(in, coming) : claim(in, coming_empty);
}

int64_t fgw_table_insert(const struct fgw_table *table, const uint64_t key[2], uint8_t kind,
                         uint16_t span, int *inserted)
{
    uint64_t scattered = scatter(table, key);
    uint32_t home = home_of(table, scattered), other = other_of(table, scattered, home);
    struct inserting in = {
        .home = {.group = &table->groups[home], .index = home},
        .other = {.group = &table->groups[other], .index = other},
        .key = (fgw_u128)key[1] << 64 | key[0],
        .span = span,
        .kind = kind,
        .tag = tag_of(key),
    };
    int64_t entry = in.key == 0 ? FGW_TABLE_FULL : AGAIN;
    for (int tries = 0; tries < TRIES_MAX && entry == AGAIN; tries++)
        entry = step(&in);
    *inserted = in.inserted;
    return entry == AGAIN ? FGW_TABLE_FULL : entry;
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
    uint8_t tag = group != 0 ? read_header(group).is.tags[place] : TAG_FREE;
    if (tag < TAGS_FROM) /* a worker may have died over what is coming: who has not comes again */
        return tag == TAG_LEAVING ||
               (tag == TAG_COMING && retag(group, place, TAG_COMING, TAG_LEAVING));
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
    return crowd_of(&header);
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
