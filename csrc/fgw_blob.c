/* fgw_blob.c - see fgw_blob.h. */
#include "fgw_blob.h"

#include <string.h>

#include "fgw_cel.h"
#include "fgw_index.h"

/* Against accidents, not against forgers: whoever can write the file owns the gateway. */
static uint64_t sum_of(const struct fgw_blob *blob)
{
    const uint8_t *bytes = (const uint8_t *)&blob->version;
    const uint8_t *end = (const uint8_t *)blob + blob->size;
    uint64_t sum = FGW_BLOB_MAGIC;
    for (; bytes < end; bytes += 8) {
        uint64_t word;
        memcpy(&word, bytes, sizeof word);
        sum = (sum ^ word) * 0x9E3779B97F4A7C15u;
        sum ^= sum >> 29;
    }
    return sum;
}

void fgw_blob_close(struct fgw_blob *blob)
{
    blob->checksum = sum_of(blob);
}

int fgw_blob_verify(const void *block, size_t size)
{
    const struct fgw_blob *blob = block;
    const uint8_t *base = block;
    if (size < sizeof *blob || blob->magic != FGW_BLOB_MAGIC || blob->layout != FGW_BLOB_LAYOUT
        || blob->size > size || blob->size % 8 != 0 || blob->size < sizeof *blob
        || blob->checksum != sum_of(blob))
        return -1;
    if (blob->index_at % 8 != 0 || blob->index_at > blob->size
        || blob->index_size > blob->size - blob->index_at
        || fgw_index_verify(base + blob->index_at, blob->index_size) != 0)
        return -1;
    if (blob->programs_at % 8 != 0 || blob->programs_at > blob->size
        || blob->n_programs > (blob->size - blob->programs_at) / 4)
        return -1;
    const uint32_t *offsets = (const uint32_t *)(const void *)(base + blob->programs_at);
    for (uint32_t i = 0; i < blob->n_programs; i++)
        if (offsets[i] % 8 != 0 || offsets[i] > blob->size
            || fgw_cel_verify(base + offsets[i], blob->size - offsets[i]) != 0)
            return -1;
    return 0;
}
