/* What the tests of the scanners call through ctypes: structs stay opaque to Python. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "fgw_crc32.h"
#include "fgw_dialect_anthropic.h"
#include "fgw_dialect_anthropic_answer.h"
#include "fgw_dialect_bedrock.h"
#include "fgw_dialect_bedrock_answer.h"
#include "fgw_dialect_cohere.h"
#include "fgw_dialect_cohere_answer.h"
#include "fgw_dialect_gemini.h"
#include "fgw_dialect_gemini_answer.h"
#include "fgw_dialect_ollama.h"
#include "fgw_dialect_ollama_answer.h"
#include "fgw_dialect_openai.h"
#include "fgw_dialect_openai_answer.h"
#include "fgw_dialect_realtime.h"
#include "fgw_event_stream.h"
#include "fgw_hash.h"
#include "fgw_json.h"
#include "fgw_json_array.h"
#include "fgw_ndjson.h"
#include "fgw_sse.h"

/* A copy of the bytes that ends where a page without access begins: reading one byte too many
 * kills the test. */
static const uint8_t *guarded(const uint8_t *bytes, size_t length)
{
    enum { BLOCK = 1 << 24, PAGE = 4096 };
    static uint8_t *block;

    if (!block) {
        block = mmap(NULL, BLOCK + PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                     -1, 0);
        if (block == MAP_FAILED || mprotect(block + BLOCK, PAGE, PROT_NONE))
            abort();
    }
    if (length > BLOCK)
        abort();
    if (length)
        memcpy(block + BLOCK - length, bytes, length);
    return block + BLOCK - length;
}

/* ---- JSON: a spec that the test describes edge by edge ---- */

struct shim_json {
    struct fgw_json json;
    struct fgw_json_spec spec;
    struct fgw_json_node nodes[64];
    struct fgw_json_edge edges[64][16];
    struct fgw_json_room rooms[FGW_JSON_SLOTS_MAX];
    char keys[64][16][64];
};

struct shim_json *shim_json_new(void)
{
    struct shim_json *shim = calloc(1, sizeof *shim);
    shim->spec.nodes = shim->nodes;
    shim->spec.rooms = shim->rooms;
    shim->spec.node_count = 64;
    shim->spec.slot_count = FGW_JSON_SLOTS_MAX;
    for (unsigned i = 0; i < 64; i++) {
        shim->nodes[i].slot = FGW_JSON_NO_SLOT;
        shim->nodes[i].edges = shim->edges[i];
    }
    return shim;
}

void shim_json_free(struct shim_json *shim) { free(shim); }

void shim_json_node(struct shim_json *shim, unsigned node, int slot, int text, int flags,
                    int other,
                    int element)
{
    shim->nodes[node].slot = (uint8_t)slot;
    shim->nodes[node].text = (uint8_t)text;
    shim->nodes[node].flags = (uint8_t)flags;
    shim->nodes[node].other = (uint8_t)other;
    shim->nodes[node].element = (uint8_t)element;
}

void shim_json_edge(struct shim_json *shim, unsigned from, const char *key, int length,
                    unsigned to)
{
    unsigned index = shim->nodes[from].edge_count++;
    memcpy(shim->keys[from][index], key, (size_t)length);
    shim->edges[from][index].key = shim->keys[from][index];
    shim->edges[from][index].key_length = (uint8_t)length;
    shim->edges[from][index].word = 0;
    for (int i = 0; i < length && i < 8; i++)
        shim->edges[from][index].word |= (uint64_t)(uint8_t)key[i] << 8 * i;
    shim->edges[from][index].node = (uint8_t)to;
}

void shim_json_room(struct shim_json *shim, unsigned slot, unsigned at, unsigned room)
{
    shim->rooms[slot].at = (uint16_t)at;
    shim->rooms[slot].room = (uint16_t)room;
}

void shim_json_lenient(struct shim_json *shim, int lenient)
{
    shim->spec.lenient = (uint8_t)lenient;
}

void shim_json_init(struct shim_json *shim) { fgw_json_init(&shim->json, &shim->spec, 1); }

int shim_json_feed(struct shim_json *shim, const uint8_t *bytes, size_t length)
{
    return fgw_json_feed(&shim->json, guarded(bytes, length), length);
}

int shim_json_end(struct shim_json *shim) { return fgw_json_end(&shim->json); }
int shim_json_error(const struct shim_json *shim) { return shim->json.error; }
int shim_json_type(const struct shim_json *shim, unsigned slot)
{
    return (int)fgw_json_type_of(&shim->json, slot);
}

/* start, end, number, count, copied, inexact */
void shim_json_slot(const struct shim_json *shim, unsigned slot, int64_t out[6])
{
    const struct fgw_json_slot *from = &shim->json.slots[slot];
    out[0] = (int64_t)from->start;
    out[1] = (int64_t)from->end;
    out[2] = from->number;
    out[3] = from->count;
    out[4] = from->copied;
    out[5] = from->inexact;
}

const char *shim_json_text(const struct shim_json *shim, unsigned slot)
{
    return fgw_json_text_of(&shim->json, slot);
}

/* text_bytes, binary_bytes, binaries, remotes, twice */
void shim_json_sums(const struct shim_json *shim, uint64_t out[5])
{
    out[0] = shim->json.text_bytes;
    out[1] = shim->json.binary_bytes;
    out[2] = shim->json.binaries;
    out[3] = shim->json.remotes;
    out[4] = shim->json.twice;
}

/* ---- splitters: pieces as a log (kind, fresh, dispatch, length u32, end u32, bytes) ---- */

enum { SSE = 0, NDJSON, JSON_ARRAY, EVENT_STREAM };

union shim_split {
    struct fgw_sse sse;
    struct fgw_ndjson lines;
    struct fgw_json_array array;
    struct fgw_event_stream frames;
};

static enum fgw_split_kind split_next(int which, union shim_split *split, const uint8_t *bytes,
                                      size_t length, size_t *at, struct fgw_split_piece *piece)
{
    switch (which) {
    case SSE:
        return fgw_sse_next(&split->sse, bytes, length, at, piece);
    case NDJSON:
        return fgw_ndjson_next(&split->lines, bytes, length, at, piece);
    case JSON_ARRAY:
        return fgw_json_array_next(&split->array, bytes, length, at, piece);
    default:
        return fgw_event_stream_next(&split->frames, bytes, length, at, piece);
    }
}

size_t shim_split_feed(int which, union shim_split *split, const uint8_t *bytes, size_t length,
                       uint8_t *log)
{
    struct fgw_split_piece piece;
    size_t at = 0, used = 0;
    const uint8_t *block = guarded(bytes, length);
    while (split_next(which, split, block, length, &at, &piece) != FGW_SPLIT_MORE) {
        uint32_t numbers[2] = {(uint32_t)piece.length, (uint32_t)at};
        if (which == EVENT_STREAM && piece.kind == FGW_SPLIT_END)
            piece.fresh = split->frames.message_type; /* gone when the log is read */
        log[used++] = piece.kind;
        log[used++] = piece.fresh;
        log[used++] = piece.dispatch;
        memcpy(log + used, numbers, sizeof numbers);
        used += sizeof numbers;
        if (piece.length)
            memcpy(log + used, piece.bytes, piece.length);
        used += piece.length;
    }
    return at == length ? used : SIZE_MAX; /* MORE says that all was read */
}

size_t shim_split_size(void) { return sizeof(union shim_split); }

int shim_split_open(int which, const union shim_split *split)
{
    switch (which) {
    case SSE:
        return fgw_sse_open(&split->sse);
    case NDJSON:
        return fgw_ndjson_open(&split->lines);
    default:
        return fgw_json_array_open(&split->array);
    }
}

int shim_array_closed(const union shim_split *split) { return split->array.closed; }
int shim_frames_end(union shim_split *split) { return fgw_event_stream_end(&split->frames); }
int shim_frames_error(const union shim_split *split) { return split->frames.error; }

/* Bytes handed out as data, for timing whole bodies at once. */
uint64_t shim_sse_count(const uint8_t *bytes, size_t length, size_t read)
{
    struct fgw_sse sse;
    struct fgw_split_piece piece;
    uint64_t sum = 0;
    fgw_sse_init(&sse);
    for (size_t from = 0; from < length; from += read) {
        size_t at = 0, now = length - from < read ? length - from : read;
        enum fgw_split_kind kind;
        while ((kind = fgw_sse_next(&sse, bytes + from, now, &at, &piece)) != FGW_SPLIT_MORE)
            sum += kind == FGW_SPLIT_DATA ? piece.length : 0;
    }
    return sum;
}

/* ---- the dialects' own specs, field by field ---- */

static const struct fgw_json_spec *spec_of(unsigned which)
{
    const struct fgw_json_spec *const all[] = {&fgw_openai_ask, &fgw_openai_answer,
                                               &fgw_anthropic_ask, &fgw_anthropic_answer,
                                               &fgw_gemini_ask, &fgw_gemini_answer,
                                               &fgw_ollama_ask, &fgw_ollama_answer,
                                               &fgw_cohere_ask, &fgw_cohere_answer,
                                               &fgw_bedrock_ask, &fgw_bedrock_answer,
                                               &fgw_realtime_answer};
    return all[which];
}

/* nodes, slots */
void shim_spec_sizes(unsigned which, int out[2])
{
    out[0] = spec_of(which)->node_count;
    out[1] = spec_of(which)->slot_count;
}

/* edges, other, element, slot, text, flags */
void shim_spec_node(unsigned which, unsigned node, int out[6])
{
    const struct fgw_json_node *from = &spec_of(which)->nodes[node];
    const int values[6] = {from->edge_count, from->other, from->element,
                           from->slot,       from->text,  from->flags};
    memcpy(out, values, sizeof values);
}

/* The key of an edge; where it leads in `*to`. */
const char *shim_spec_edge(unsigned which, unsigned node, unsigned edge, int *to, int *length)
{
    const struct fgw_json_edge *from = &spec_of(which)->nodes[node].edges[edge];
    *to = from->node;
    *length = from->key_length;
    return from->key;
}

void shim_spec_room(unsigned which, unsigned slot, int out[2])
{
    out[0] = spec_of(which)->rooms[slot].at;
    out[1] = spec_of(which)->rooms[slot].room;
}

/* The longest word of a spec, 0 if it has none. */
int shim_spec_longest_word(unsigned which)
{
    size_t longest = 0;
    for (const char *const *word = spec_of(which)->words; word && *word; word++)
        longest = strlen(*word) > longest ? strlen(*word) : longest;
    return (int)longest;
}
