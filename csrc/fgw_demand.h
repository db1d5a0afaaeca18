/* fgw_demand.h - which bucket a request draws from: the identity of a limit's bucket, and the text
 * under which people see it.
 *
 * Identity is SipHash-128 under FGW_NAME_KEY over a row of fields, so no two rows encode alike:
 *
 *     | prefix: name, unit, algorithm, per, shadow | value | value | ...
 *     value:  | type (1) | length (4, big-endian) | bytes |
 *
 * A value longer than FGW_DEMAND_VALUE_MAX bytes stands as its own hash. An IPv6 address stands as
 * its /64: who has one has all of it.
 */
#ifndef FGW_DEMAND_H
#define FGW_DEMAND_H

#include <stddef.h>
#include <stdint.h>

#include "fgw_policy.h"

#define FGW_DEMAND_PREFIX_MAX 512
#define FGW_DEMAND_VALUES_MAX 8
#define FGW_DEMAND_VALUE_MAX 128 /* bytes of a value in the row */
#define FGW_DEMAND_SHOWN_MAX 96  /* bytes of a value in the text, before escapes */

/* Writes the identity, and the values as a JSON array to text[0 .. capacity): "…" ends a value
 * that is cut, ["…"] stands where the whole does not fit. Absent and failed values, and doubles,
 * are null. Bit i of `addresses`: value i is an IP address. Returns the text's length; 0 where not
 * even ["…"] fits, -1 for a prefix or a number of values beyond the limits above. */
int fgw_demand_key(const uint8_t *prefix, size_t prefix_length, const struct fgw_value *values,
                   uint32_t n_values, uint32_t addresses, uint64_t identity[2], uint8_t *text,
                   size_t capacity);

/* Keys of one text whose identity was computed before, by limit. Zeroed memory is empty; it is of
 * one policy, as a limit is known by its address alone. */
#define FGW_KNOWN_KEYS 64
#define FGW_KNOWN_VALUE_MAX 40
#define FGW_KNOWN_TEXT_MAX 46
struct fgw_known_key {
    const void *limit; /* NULL: nothing is kept here */
    uint64_t identity[2];
    uint8_t value_length, text_length;
    uint8_t value[FGW_KNOWN_VALUE_MAX];
    uint8_t text[FGW_KNOWN_TEXT_MAX];
};
struct fgw_known_keys {
    struct fgw_known_key key[FGW_KNOWN_KEYS];
};

/* Identity and text of a limit's key, as fgw_demand_key told them for the very same value, and the
 * text's length; -1: not known, or no room. */
int fgw_demand_recall(const struct fgw_known_keys *known, const void *limit,
                      const struct fgw_value *value, uint64_t identity[2], uint8_t *text,
                      size_t capacity);

/* Keeps what fgw_demand_key has told of a limit with this one value and that capacity, if it is
 * short and nothing was cut. */
void fgw_demand_keep(struct fgw_known_keys *known, const void *limit,
                     const struct fgw_value *value, const uint64_t identity[2],
                     const uint8_t *text, int text_length, size_t capacity);

/* A string, number or boolean as plain text to out[0 .. capacity), a string cut at a character.
 * Returns its length, 0 for any other value. */
uint32_t fgw_value_text(const struct fgw_value *value, uint8_t *out, uint32_t capacity);

/* SipHash-64 under FGW_NAME_KEY: the hash that stands for a name in records. 0 for no text. */
uint64_t fgw_name_hash(const uint8_t *text, size_t length);

/* The same, remembered: models and users come again and again. Zeroed memory is empty. */
#define FGW_KNOWN_NAMES 64
#define FGW_KNOWN_NAME_MAX 39
struct fgw_known_name {
    uint64_t hash;
    uint8_t length; /* 0: nothing is kept here */
    uint8_t text[FGW_KNOWN_NAME_MAX];
};
struct fgw_known_names {
    struct fgw_known_name name[FGW_KNOWN_NAMES];
};
uint64_t fgw_name_recall(struct fgw_known_names *known, const uint8_t *text, size_t length);

#endif
