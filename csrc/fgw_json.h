/* fgw_json.h - one pass over a JSON document, at any cut, that builds nothing.
 *
 * The scan is fed a document in pieces of any size, checks it as strictly as
 * RFC 8259 (UTF-8 included; a lone surrogate escape is an error, so is a number
 * that no double can hold; but for lenient specs) and notes the values that a
 * *spec* names. It keeps no byte of the document but what a slot asks for,
 * allocates nothing, and its depth is bounded.
 *
 * A spec is a graph of nodes, compiled by hand, that says what to look at:
 *
 *     node 1 (root)  --"usage"-->  node 2  --"prompt_tokens"-->  node 3, slot 5
 *                    --"choices"-> node 4  --[every element]-->  node 6 ...
 *
 * Every value of the document stands at one node (node 0: nobody cares, and
 * nothing below it is looked at). A node may give its value a slot and the
 * strings at it a text class. Nodes may be reached over many edges and may
 * reach themselves (`other`), so "every string below `messages`" is one node.
 */
#ifndef FGW_JSON_H
#define FGW_JSON_H

#include <stddef.h>
#include <stdint.h>

#define FGW_JSON_DEPTH_MAX 128 /* open containers; deeper is refused, or skipped (lenient) */
#define FGW_JSON_KEY_MAX 47    /* longest key that an edge may name */
#define FGW_JSON_HEAD_MAX 16   /* bytes of a string that DATA_URL and WORD look at */
#define FGW_JSON_SLOTS_MAX 32
#define FGW_JSON_COPY_MAX 640 /* bytes of strings kept, all slots together */

enum fgw_json_type {
    FGW_JSON_ABSENT = 0,
    FGW_JSON_NULL,
    FGW_JSON_FALSE,
    FGW_JSON_TRUE,
    FGW_JSON_NUMBER,
    FGW_JSON_STRING,
    FGW_JSON_OBJECT,
    FGW_JSON_ARRAY,
};

/* What a string at a node is, for the estimate of tokens. */
enum fgw_json_text {
    FGW_JSON_IGNORE = 0,
    FGW_JSON_TEXT,     /* decoded bytes go to text_bytes */
    FGW_JSON_BINARY,   /* raw bytes go to binary_bytes, the string to binaries */
    FGW_JSON_DATA_URL, /* BINARY if it begins with `data:`, else a remote reference */
    FGW_JSON_REMOTE,   /* names an input that the provider will fetch: counted in remotes */
    FGW_JSON_WORD,     /* counted in strangers unless it begins with one of the spec's words */
    FGW_JSON_ALIEN,    /* counted there if it begins with one of the spec's aliens, or is null */
    FGW_JSON_SAID,     /* TEXT, whose decoded bytes go to the ear as well */
};

enum fgw_json_error {
    FGW_JSON_OK = 0,
    FGW_JSON_SYNTAX,
    FGW_JSON_UTF8,
    FGW_JSON_ESCAPE,
    FGW_JSON_DEPTH,
    FGW_JSON_NUMBER_RANGE,
};

#define FGW_JSON_NO_SLOT 0xff

struct fgw_json_edge {
    const char *key;
    uint64_t word; /* its first eight bytes, the first one lowest */
    uint8_t key_length;
    uint8_t node;
};
#define FGW_JSON_BYTE(name, i) \
    ((uint64_t)(uint8_t)(name)[(i) < sizeof(name) ? (i) : sizeof(name) - 1] << 8 * (i))
#define FGW_JSON_FIRST_EIGHT(name) \
    (FGW_JSON_BYTE(name, 0) | FGW_JSON_BYTE(name, 1) | FGW_JSON_BYTE(name, 2) | \
     FGW_JSON_BYTE(name, 3) | FGW_JSON_BYTE(name, 4) | FGW_JSON_BYTE(name, 5) | \
     FGW_JSON_BYTE(name, 6) | FGW_JSON_BYTE(name, 7))
#define FGW_JSON_EDGE(name, to) \
    {name, FGW_JSON_FIRST_EIGHT(name), (uint8_t)(sizeof(name) - 1), to}

enum fgw_json_node_flag {
    FGW_JSON_ONCE = 1,     /* a second value in this slot sets its bit in `twice` */
    FGW_JSON_STICKY = 2,   /* a null does not overwrite a value seen before */
    FGW_JSON_KEYS_TEXT = 4, /* member names of an object here count as text too */
    FGW_JSON_PAUSE = 8,    /* fgw_json_feed_some stops after a container that ends here */
    FGW_JSON_CASES = 16,   /* member names that differ from an edge's in case alone are counted */
    FGW_JSON_LONE = 32,    /* (with a slot) an object of one member or none counts as a stranger */
};

struct fgw_json_node {
    const struct fgw_json_edge *edges;
    uint8_t edge_count;
    uint8_t other;   /* node of members that no edge names */
    uint8_t element; /* node of every array element */
    uint8_t slot;    /* or FGW_JSON_NO_SLOT */
    uint8_t text;    /* enum fgw_json_text */
    uint8_t flags;
};

/* Where the decoded bytes of a slot's string go: copy[at .. at + room). */
struct fgw_json_room {
    uint16_t at;
    uint16_t room; /* 0: keep no bytes */
};

struct fgw_json_spec {
    const struct fgw_json_node *nodes; /* nodes[0] is the node of nothing */
    const struct fgw_json_room *rooms; /* one per slot */
    /* for FGW_JSON_WORD, NULL at the end; none longer than FGW_JSON_HEAD_MAX */
    const char *const *words;
    const char *const *aliens; /* the same for FGW_JSON_ALIEN */
    uint8_t node_count;
    uint8_t slot_count;
    /* Nobody is to be protected from this document: what other parsers let pass in values is let
     * pass (a lone surrogate, as U+FFFD; bytes that are no UTF-8; NaN and Infinity, as null;
     * numbers beyond every double). Containers that lie too deep are stepped over: nothing in them
     * is looked at but strings and brackets. */
    uint8_t lenient;
};

struct fgw_json_slot {
    uint64_t start;   /* offset of the value's first byte in the document */
    uint64_t end;     /* one past its last byte (strings: past the quote) */
    int64_t number;   /* numbers: truncated towards zero, saturated */
    uint32_t count;   /* members or elements; strings: decoded bytes, saturated */
    uint16_t copied;  /* decoded bytes in copy[] */
    uint8_t type;     /* enum fgw_json_type */
    uint8_t inexact;  /* number: it had a fraction, or did not fit */
};

/* Hears the bytes of SAID strings, in pieces as they come. */
typedef void fgw_json_ear(void *listener, const uint8_t *bytes, size_t length);

struct fgw_json_names;

struct fgw_json {
    const struct fgw_json_spec *spec;
    uint64_t offset; /* bytes of the document fed before this piece */
    uint64_t seen;   /* bit per slot: a value began there */
    uint64_t twice;  /* bit per ONCE slot that came more than once */
    uint64_t text_bytes;
    uint64_t binary_bytes;
    uint32_t binaries;
    uint32_t remotes;
    uint32_t strangers;
    uint32_t variants; /* names at CASES nodes that some servers take for another name */
    uint8_t error; /* enum fgw_json_error, once feed returned -1 */
    uint8_t depth; /* open containers */
    /* What follows is the scan's own. */
    uint8_t state;
    uint8_t node;        /* of the value being read, or about to be */
    uint8_t sink;        /* where the decoded bytes of this string go besides being counted; of a
                            word: whether it is noted */
    uint8_t utf8_left;   /* continuation bytes still due, */
    uint8_t utf8_low;    /* and the bounds of the next one */
    uint8_t utf8_high;
    uint8_t literal_at;  /* bytes of true, false, null matched so far */
    uint8_t key_length;  /* in key[]; FGW_JSON_KEY_MAX + 1: too long to match any edge */
    uint8_t head_length; /* in head[] */
    uint8_t paused;
    uint8_t hex_left;    /* hex digits of a \u still due */
    uint8_t negative;
    uint8_t exponent_negative;
    uint8_t inexact;
    uint16_t unit; /* the \u being read */
    uint16_t high; /* high surrogate that waits for its low one, or 0 */
    int32_t scale; /* the number is mantissa * 10^(scale + exponent) */
    int32_t exponent;
    uint64_t mantissa;
    uint64_t skipping;     /* open containers inside of one that lies too deep, itself included */
    uint64_t string_bytes; /* decoded bytes of this string */
    uint64_t origin;       /* offset of a byte = origin + its address */
    /* The caller's, for one document: set after init. Hears all that is text, TEXT and SAID. */
    fgw_json_ear *text_ear;
    void *text_listener;
    uint8_t objects[FGW_JSON_DEPTH_MAX]; /* 1: the container at that depth is an object */
    uint32_t counts[FGW_JSON_DEPTH_MAX]; /* its members or elements so far */
    uint8_t nodes[FGW_JSON_DEPTH_MAX];   /* its node */
    char key[FGW_JSON_KEY_MAX + 1];
    char head[FGW_JSON_HEAD_MAX];
    struct fgw_json_slot slots[FGW_JSON_SLOTS_MAX];
    char copy[FGW_JSON_COPY_MAX];
    struct fgw_json_names *names; /* set by the caller after init: names read before, or NULL */
    /* The caller's, where the spec has SAID nodes, and left as they are by init. NULL: nobody. */
    fgw_json_ear *ear;
    void *listener;
};

/* Makes the scan ready for a document whose outermost value stands at node `root`. Touches a
 * few words only: slots are valid where their bit in `seen` is set. */
void fgw_json_init(struct fgw_json *json, const struct fgw_json_spec *spec, uint8_t root);

/* Feeds the next `length` bytes. Returns 0 if the document is valid as far as it goes, -1 if it
 * is not (then for good; `error` says why). */
int fgw_json_feed(struct fgw_json *json, const uint8_t *bytes, size_t length);

/* The same, but returns 1 with the bytes taken in `*used` after a container at a PAUSE node has
 * ended (its slots are what they were at its end); call again with the rest. */
int fgw_json_feed_some(struct fgw_json *json, const uint8_t *bytes, size_t length, size_t *used);

/* Says that the document has ended: 0 if it was whole, -1 if invalid, -2 if something
 * is missing. */
int fgw_json_end(struct fgw_json *json);

/* The type in slot `slot`: FGW_JSON_ABSENT if it was not seen. */
static inline enum fgw_json_type fgw_json_type_of(const struct fgw_json *json, unsigned slot)
{
    return (json->seen >> slot & 1) ? (enum fgw_json_type)json->slots[slot].type : FGW_JSON_ABSENT;
}

/* The number in slot `slot`, or `otherwise` where there is none. */
static inline int64_t fgw_json_number(const struct fgw_json *json, unsigned slot,
                                      int64_t otherwise)
{
    return fgw_json_type_of(json, slot) == FGW_JSON_NUMBER ? json->slots[slot].number : otherwise;
}

/* The kept bytes of the string in slot `slot` (valid for slots[slot].copied bytes). */
static inline const char *fgw_json_text_of(const struct fgw_json *json, unsigned slot)
{
    return json->copy + json->spec->rooms[slot].at;
}

#endif
