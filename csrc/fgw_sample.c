#include "fgw_sample.h"

#include <string.h>

/* The window is full: no half of a character at its end, and the next one is twice as far. */
static void close_window(struct fgw_sample *sample, uint64_t at)
{
    unsigned back = 0;

    while (back < 3 && back < sample->length &&
           (sample->bytes[sample->length - back - 1u] & 0xc0) == 0x80)
        back++;
    if (back < sample->length) {
        uint8_t lead = sample->bytes[sample->length - back - 1u];
        unsigned width = lead < 0xc0 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
        if (width > back + 1)
            sample->length = (uint16_t)(sample->length - back - 1u);
    }
    if (sample->length + FGW_SAMPLE_WINDOW > FGW_SAMPLE_MAX) {
        sample->next = UINT64_MAX;
        return;
    }
    sample->next = 2 * FGW_SAMPLE_FIRST;
    while (sample->next < at)
        sample->next *= 2;
}

/* A piece at the edge of a window, or over some of them. */
__attribute__((noinline))
static void hear_edge(struct fgw_sample *sample, const uint8_t *bytes, size_t length)
{
    uint64_t from = sample->at;
    size_t p = 0;

    sample->at += length;
    while (p < length) {
        if (!sample->left) {
            if (sample->next >= sample->at)
                return;
            if (sample->next > from + p)
                p = (size_t)(sample->next - from);
            sample->left = FGW_SAMPLE_WINDOW;
            sample->next = 0;
            sample->fresh = 1;
        }
        if (sample->fresh && (bytes[p] & 0xc0) == 0x80) {
            p++; /* the rest of a character that began before the window */
            continue;
        }
        sample->fresh = 0;
        size_t now = length - p < sample->left ? length - p : sample->left;
        memcpy(sample->bytes + sample->length, bytes + p, now);
        sample->length = (uint16_t)(sample->length + now);
        sample->left = (uint16_t)(sample->left - now);
        p += now;
        if (!sample->left)
            close_window(sample, from + p);
    }
}

void fgw_sample_hear(struct fgw_sample *sample, const uint8_t *bytes, size_t length)
{
    if (!sample->left && sample->next >= sample->at + length) { /* most of a long text */
        sample->at += length;
        return;
    }
    if (length >= sample->left || sample->fresh) {
        hear_edge(sample, bytes, length);
        return;
    }
    memcpy(sample->bytes + sample->length, bytes, length); /* most words of a stream */
    sample->length = (uint16_t)(sample->length + length);
    sample->left = (uint16_t)(sample->left - length);
    sample->at += length;
}
