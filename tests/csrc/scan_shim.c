/* What the tests of the scanners call through ctypes: structs stay opaque to Python. */
#include <stdlib.h>
#include <string.h>

#include "fgw_hash.h"
#include "fgw_json.h"
#include "fgw_sse.h"

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
    shim->edges[from][index].node = (uint8_t)to;
}

void shim_json_room(struct shim_json *shim, unsigned slot, unsigned at, unsigned room)
{
    shim->rooms[slot].at = (uint16_t)at;
    shim->rooms[slot].room = (uint16_t)room;
}

void shim_json_init(struct shim_json *shim) { fgw_json_init(&shim->json, &shim->spec, 1); }

/* Feeds `length` bytes from a block that ends with them, so that a sanitizer sees over-reads. */
int shim_json_feed(struct shim_json *shim, const uint8_t *bytes, size_t length)
{
    uint8_t *block = malloc(length ? length : 1);
    if (length)
        memcpy(block, bytes, length);
    int code = fgw_json_feed(&shim->json, block, length);
    free(block);
    return code;
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

/* ---- SSE: pieces written as a log (kind, fresh, dispatch, length u32, end u32, bytes) ---- */

size_t shim_sse_feed(struct fgw_sse *sse, const uint8_t *bytes, size_t length, uint8_t *log)
{
    struct fgw_sse_piece piece;
    size_t at = 0, used = 0;
    uint8_t *block = malloc(length ? length : 1);
    if (length)
        memcpy(block, bytes, length);
    while (fgw_sse_next(sse, block, length, &at, &piece) != FGW_SSE_MORE) {
        uint32_t numbers[2] = {(uint32_t)piece.length, (uint32_t)at};
        log[used++] = piece.kind;
        log[used++] = piece.fresh;
        log[used++] = piece.dispatch;
        memcpy(log + used, numbers, sizeof numbers);
        used += sizeof numbers;
        if (piece.length)
            memcpy(log + used, piece.bytes, piece.length);
        used += piece.length;
    }
    free(block);
    return used;
}

size_t shim_sse_size(void) { return sizeof(struct fgw_sse); }

/* Bytes handed out as data, for timing whole bodies at once. */
uint64_t shim_sse_count(const uint8_t *bytes, size_t length, size_t read)
{
    struct fgw_sse sse;
    struct fgw_sse_piece piece;
    uint64_t sum = 0;
    fgw_sse_init(&sse);
    for (size_t from = 0; from < length; from += read) {
        size_t at = 0, now = length - from < read ? length - from : read;
        enum fgw_sse_kind kind;
        while ((kind = fgw_sse_next(&sse, bytes + from, now, &at, &piece)) != FGW_SSE_MORE)
            sum += kind == FGW_SSE_DATA ? piece.length : 0;
    }
    return sum;
}
