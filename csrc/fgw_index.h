/* fgw_index.h - which rules can match a request, out of any number, without asking each.
 *
 * A rule's condition is taken apart when the policy is compiled (fastgw/policy/atoms.py): into
 * terms one of which must hold, and each term into *atoms*, tests of one fact against a constant.
 * Atoms that a hash can answer (equal, begins with, has, inside a network) are *keys*; a rule
 * stands in a table under all keys of a term together:
 *
 *     rule 7   ai.model == 'a' && key.tags.tier in ['x', 'y'] && req.size > 10
 *
 *     part 0   ai.model, equal               probe 0 = parts 0, 1
 *     part 1   key.tags.tier, equal          slot of hash('a', 'x') -> 3, 7, 12
 *                                            slot of hash('a', 'y') -> 7
 *
 * For a request each part is hashed once, each probe (a set of parts that some rules have) looks
 * into the table once, and what it finds are rows of rule numbers. So the work depends on how many
 * *kinds* of conditions there are, and on how many rules may match, not on how many there are.
 * Intervals of integers stand in a tree of their own, where a rule has no better. Rules without
 * any such term are in every walk.
 *
 * A walk gives candidates, in the order of the rules: all that match, and a few that do not (keys
 * are compared by 64-bit hash only; tests that are no key are left to the rule's own program).
 * Rules whose condition has no value, because a fact is absent, do not match; of those that are
 * found under that fact the first FGW_INDEX_ABSENT_MAX are candidates, so that it can be said.
 *
 *     | header | parts | probes | members | trees | absent | slots | rule numbers | borders … |
 *
 * The index is one block without addresses, 8-aligned, never written after it was built.
 */
#ifndef FGW_INDEX_H
#define FGW_INDEX_H

#include <stddef.h>
#include <stdint.h>

#include "fgw_policy.h"

#define FGW_INDEX_MAGIC 0x31584449u /* "IDX1" */
#define FGW_INDEX_PARTS_MAX 128
#define FGW_INDEX_PROBES_MAX 96
#define FGW_INDEX_TREES_MAX 4
#define FGW_INDEX_DEPTH_MAX 20 /* of a tree: 2^19 borders */
#define FGW_INDEX_ABSENT_MAX 8 /* rules for one absent fact */
#define FGW_INDEX_ROWS_MAX                                                                        \
    (FGW_INDEX_PROBES_MAX + FGW_INDEX_TREES_MAX * FGW_INDEX_DEPTH_MAX + FGW_FACTS_MAX + 1)

enum fgw_index_kind {
    FGW_INDEX_TEXT = 1,    /* the fact is a string, equal */
    FGW_INDEX_NUMBER = 2,  /* the fact is an int or a bool, equal */
    FGW_INDEX_PREFIX = 3,  /* the fact is a string; its first `length` bytes are equal */
    FGW_INDEX_HAS = 4,     /* the fact is there */
    FGW_INDEX_NETWORK = 5, /* the fact is the text of an address of 4 or 16 bytes (length & 255),
                              whose first length >> 8 bits are equal */
};

struct fgw_index_part {
    uint16_t fact;
    uint16_t kind;   /* enum fgw_index_kind */
    uint32_t length; /* of PREFIX and NETWORK */
};

/* parts[members[first .. first + count)], all of which must hold. */
struct fgw_index_probe {
    uint16_t first;
    uint16_t count;
};

/* `count` rule numbers, ascending, at rules[at]; where it is one, `at` is the number itself. */
struct fgw_index_row {
    uint32_t at;
    uint32_t count;
};

struct fgw_index_slot {
    uint64_t hash; /* of all keys of one probe */
    struct fgw_index_row row; /* count 0: the slot is empty */
};

/* A segment tree over the intervals between borders[0 .. n_borders): interval i is from
 * borders[i - 1] to borders[i] - 1. rows[1] is the root, rows[leaves + i] interval i; a rule
 * stands in the nodes that make up its interval. */
struct fgw_index_tree {
    uint16_t fact;
    uint16_t reserved;
    uint32_t n_borders;
    uint32_t leaves;     /* a power of two > n_borders */
    uint32_t borders_at; /* int64_t[n_borders], ascending; bytes from the header */
    uint32_t rows_at;    /* struct fgw_index_row[2 * leaves] */
    uint32_t reserved2;
};

struct fgw_index {
    uint32_t magic;
    uint32_t size; /* of the whole block, a multiple of 8 */
    uint32_t n_rules;
    uint32_t n_facts; /* facts[] has at least so many */
    uint16_t n_parts;
    uint16_t n_probes;
    uint16_t n_members;
    uint16_t n_trees;
    uint16_t n_absent; /* of facts: absent[i] is of fact i */
    uint16_t reserved;
    uint32_t n_slots; /* a power of two, at least one of them empty */
    struct fgw_index_row always;
    uint32_t n_numbers;
    uint32_t parts_at; /* bytes from the header, as all that follow */
    uint32_t probes_at;
    uint32_t members_at; /* uint16_t */
    uint32_t trees_at;
    uint32_t absent_at; /* struct fgw_index_row */
    uint32_t slots_at;
    uint32_t rules_at; /* uint32_t[n_numbers]: rows of rule numbers */
};
_Static_assert(sizeof(struct fgw_index) == 72, "part of a file");

/* The candidates of one request: rows that are merged as they are walked. */
struct fgw_index_walk {
    uint32_t n_rows;
    uint32_t reserved;
    uint32_t head[FGW_INDEX_ROWS_MAX]; /* the next number of each row */
    const uint32_t *next[FGW_INDEX_ROWS_MAX];
    const uint32_t *end[FGW_INDEX_ROWS_MAX];
};

#define FGW_INDEX_NO_RULE 0xFFFFFFFFu

/* The key of a constant for a part; of a text: its bytes (of a PREFIX or NETWORK the first
 * `length` bytes, or bits, are taken); of a number: `number`. HAS needs neither. */
uint64_t fgw_index_key(const struct fgw_index_part *part, const uint8_t *bytes, size_t length,
                       int64_t number);

/* The hash that a slot has: of the keys of a probe's parts, in their order. */
uint64_t fgw_index_hash(const uint64_t *keys, size_t count);

/* 0 if block[0 .. size) is an index that can be walked without reading outside it, else -1. */
int fgw_index_verify(const void *block, size_t size);

/* Looks the request up. `walk` need not be zeroed; it points into the index. */
void fgw_index_start(const struct fgw_index *index, const struct fgw_value *facts,
                     struct fgw_index_walk *walk);

/* The next candidate in the order of the rules, each once; FGW_INDEX_NO_RULE behind the last. */
static inline uint32_t fgw_index_next(struct fgw_index_walk *walk)
{
    uint32_t least = FGW_INDEX_NO_RULE;
    for (uint32_t i = 0; i < walk->n_rows; i++)
        least = walk->head[i] < least ? walk->head[i] : least;
    for (uint32_t i = 0; i < walk->n_rows;) {
        if (walk->head[i] == least) {
            if (walk->next[i] == walk->end[i]) { /* done: the last row takes its place */
                uint32_t last = --walk->n_rows;
                walk->head[i] = walk->head[last];
                walk->next[i] = walk->next[last];
                walk->end[i] = walk->end[last];
                continue;
            }
            walk->head[i] = *walk->next[i]++;
        }
        i++;
    }
    return least;
}

#endif
