/* Random and mutated documents and streams, each in a block that ends at a guard page, under ASan
 * and UBSan: detect_fuzz SEED ROUNDS. A stream is looked at event by event and must be cut as the
 * same text in one event is. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "fgw_detect_job.h"

enum { ROOM = 1 << 16, CUTS = 4096, CHANNELS = 16 };

static uint64_t state;

static uint32_t draw(uint32_t below)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 11) % below;
}

static const char *const PIECES[] = {
    "4111 1111 1111 1111", "378282246310005", "john.doe@example.com", "123-45-6789",
    "+1 415 555 2671", "GB29 NWBK 6016 1331 9268 19", "AKIAIOSFODNN7EXAMPLE",
    "sk-ant-api03-Ab3dEf9hIj2kLm4nOp6qRs8tUv0wX", "078051120", "-", "phone ",
    "-----BEGIN RSA PRIVATE KEY-----\\n"
    "MIICXQIBAAKBgQDLexampleexampleexampleexampleexampleexample\\n"
    "-----END RSA PRIVATE KEY-----",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.abc", "\\u0040", "\\ud83d\\ude00",
    "\\\"", "\\\\", " ", ", ", ".", "-", "@", "+", "(", "7", "words of people", "\\n",
    "\xc3\xa9", "\xe6\x97\xa5", "ssn ", "order ", "data:", "xx",
};

static size_t put(uint8_t *out, size_t at, const char *text)
{
    size_t length = strlen(text);
    if (at + length > ROOM)
        return at;
    memcpy(out + at, text, length);
    return at + length;
}

static size_t random_text(uint8_t *out, size_t at, uint32_t pieces)
{
    while (pieces--)
        at = put(out, at, PIECES[draw(sizeof PIECES / sizeof *PIECES)]);
    return at;
}

/* `length` bytes that end where the next page cannot be read. */
static uint8_t *guarded(const uint8_t *bytes, size_t length)
{
    static uint8_t *pages;
    if (!pages) {
        pages = mmap(NULL, 2 * ROOM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        mprotect(pages + ROOM, ROOM, PROT_NONE);
    }
    memcpy(pages + ROOM - length, bytes, length);
    return pages + ROOM - length;
}

struct look {
    struct fgw_detect_job job;
    struct fgw_detect_report report;
    struct fgw_detect_cuts cuts;
    struct fgw_screen screen;
    struct fgw_detect_cut row[CUTS];
    struct fgw_screen_channel channels[CHANNELS];
};

static void begin(struct look *look)
{
    memset(look, 0xa5, offsetof(struct look, report));
    memset(&look->report, 0, sizeof look->report);
    look->job.report = &look->report;
    look->job.cuts = &look->cuts;
    look->job.screen = &look->screen;
    look->job.n_patterns = 0;
    look->job.kinds = 0xff;
    look->cuts = (struct fgw_detect_cuts){look->row, 0, CUTS, 0, 0xff, 0, NULL};
    look->screen = (struct fgw_screen){look->channels, CHANNELS, 0, 0, 0};
}

static const char *const OPENS[] = {
    "{\"messages\":[{\"role\":\"user\",\"content\":\"", "{\"input\":{\"a\":\"", "{\"text\":\"",
    "{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"", "{\"delta\":\"",
    "{\"type\":\"x.done\",\"text\":\"",
    "{\"messages\":[{\"content\":[{\"text\":\"a\"},{\"text\":\"",
    "{\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,"
    "\"function\":{\"arguments\":\"{\\\"a\\\":\\\"",
};
static const char *const CLOSES[] = {"\"}]}", "\"}}", "\"}", "\"}}]}", "\"}", "\"}", "\"}]}]}",
                                     "\"}}]}}]}"};

static void document(struct look *look)
{
    static uint8_t text[ROOM], out[4 * ROOM];
    uint32_t which = draw(8), kind = draw(3);
    size_t length = kind == 2 ? put(text, 0, "data: ") : 0;
    length = put(text, length, OPENS[which]);
    length = random_text(text, length, draw(60));
    length = put(text, length, CLOSES[which]);
    for (uint32_t i = draw(2) * draw(6); i && length; i--)
        text[draw((uint32_t)length)] = (uint8_t)draw(256);
    if (draw(4) == 0)
        length = draw((uint32_t)length + 1);
    begin(look);
    uint8_t *bytes = guarded(text, length);
    if (kind == 2) {
        fgw_screen_event(&look->job, bytes, length, draw(2) ? 0 : 0xfffffff0u);
        if (draw(2))
            fgw_screen_flush(&look->job, 1);
        fgw_screen_flush(&look->job, 0);
        return;
    }
    fgw_detect_document(&look->job, kind, bytes, length);
    fgw_cuts_order(&look->cuts);
    size_t wanted = fgw_cuts_length(&look->cuts, 0, length);
    if (wanted > sizeof out || fgw_cuts_copy(&look->cuts, 0, bytes, length, out) != wanted)
        abort();
}

/* The text of all deltas as the client reads it, labels in place of finds. */
static size_t shown(struct look *look, uint8_t *stream, size_t length, uint8_t *out)
{
    static uint8_t cut[4 * ROOM];
    static const char MARK[] = "\"content\":\"";
    size_t used = 0, size;
    fgw_cuts_order(&look->cuts);
    size = fgw_cuts_copy(&look->cuts, 0, stream, length, cut);
    for (size_t at = 0; at + sizeof MARK - 1 < size; at++) {
        if (memcmp(cut + at, MARK, sizeof MARK - 1))
            continue;
        for (at += sizeof MARK - 1; at < size && cut[at] != '"'; at++) {
            out[used++] = cut[at];
            if (cut[at] == '\\')
                out[used++] = cut[++at];
        }
    }
    return used;
}

static size_t event(uint8_t *out, size_t at, const uint8_t *text, size_t length)
{
    at = put(out, at, "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"");
    memcpy(out + at, text, length);
    return put(out, at + length, "\"}}]}\r\n\r\n");
}

static void stream(struct look *look)
{
    static uint8_t text[ROOM], wire[ROOM], whole[4 * ROOM], cut[4 * ROOM];
    size_t length = random_text(text, 0, 1 + draw(24)), at = 0, used = 0, other;
    begin(look);
    used = event(wire, 0, text, length);
    fgw_screen_event(&look->job, wire, used, 0);
    fgw_screen_flush(&look->job, 0);
    other = shown(look, wire, used, whole);
    begin(look);
    used = 0;
    while (at < length) {
        size_t step = 1 + draw(draw(2) ? 4 : 40), begun = used;
        if (step > length - at)
            step = length - at;
        /* No escape is cut in two, nor a pair of surrogates. */
        for (size_t i = at; i < at + step; i++)
            if (text[i] == '\\') {
                size_t size = text[i + 1] != 'u' ? 2 : text[i + 2] == 'd' ? 12 : 6;
                if (i + size > at + step && i + size <= length)
                    step = i + size - at;
                i += size - 1;
            }
        while (at + step < length && (text[at + step] & 0xc0) == 0x80)
            step++;
        if (used + step + 100 > ROOM)
            return;
        used = event(wire, used, text + at, step);
        fgw_screen_event(&look->job, guarded(wire + begun, used - begun), used - begun,
                         (uint32_t)begun);
        at += step;
    }
    fgw_screen_flush(&look->job, 0);
    if (shown(look, wire, used, cut) == other && !memcmp(cut, whole, other))
        return;
    printf("text: %.*s\nwhole: %.*s\ncut: %s\n", (int)length, text, (int)other, whole, cut);
    exit(1);
}

int main(int argc, char **argv)
{
    static struct look look;
    int rounds = argc > 2 ? atoi(argv[2]) : 100;
    state = 0x9e3779b97f4a7c15u ^ (argc > 1 ? strtoull(argv[1], NULL, 10) : 1);
    while (rounds--)
        for (int i = 0; i < 100; i++) {
            document(&look);
            stream(&look);
        }
    return 0;
}
