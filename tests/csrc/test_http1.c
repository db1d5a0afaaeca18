/* The wire kernels where it hurts: inputs that end at an unmapped page, and mutations of good
 * messages.
 *
 * Built with sanitizers by test_http1.py, once with SSE2 and once without; both print one digest
 * of all that was said, and the digests must be equal. Arguments: rounds, seed, a file of more
 * inputs (each a 4-byte little-endian length and the bytes).
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fgw_chunk.h"
#include "fgw_http1.h"
#include "fgw_http1_lines.h"
#include "fgw_http1_runs.h"
#include "fgw_http1_write.h"

enum { ROOM = 1 << 17, INPUTS = 4096 };

static const char SDK[] =
    "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nAccept-Encoding: gzip\r\n"
    "Connection: keep-alive\r\nAccept: application/json\r\nContent-Type: application/json\r\n"
    "User-Agent: OpenAI/Python 2.54.0\r\nX-Stainless-Lang: python\r\nX-Stainless-OS: Linux \r\n"
    "Authorization: Bearer k\r\nX-Stainless-Async: false\r\nx-stainless-retry-count: 0\r\n"
    "x-stainless-read-timeout: 600\r\nContent-Length: 5\r\n\r\n";

static const char *const SAMPLES[] = {
    SDK,
    "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nAccept-Encoding: gzip\r\n"
    "Connection: keep-alive\r\nX-Stainless-Package-Version: 2.8.1\r\nAuthorization: Bearer k\r\n"
    "Content-Length: 5\r\n\r\nhello",
    "POST http://a.b/c?d=%20 HTTP/1.1\r\nHost: [::1]:80\r\nTransfer-Encoding: chunked\r\n"
    "Connection: close, x-one\r\nX-One:1\r\nExpect: 100-continue\r\n\r\n"
    "5;a=\"b\\\"\"\r\nhello\r\n0010\r\n0123456789abcdef\r\n0\r\nT: v\r\n\r\n",
    "\r\nOPTIONS * HTTP/1.0\r\nConnection: keep-alive\r\nA:\t b \r\nX_Y.z: \x80\xff\r\n\r\n",
    "HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\nTransfer-Encoding: chunked\r\n\r\n"
    "1\r\nx\r\nA\r\n0123456789\r\n0\r\n\r\n",
    "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.0 204 \r\nServer: s\r\n\r\n",
};

static const struct fgw_http1_limits LIMITS = {4096, 512, 100};

static uint8_t *guard_end; /* the page that begins here cannot be touched */
static uint64_t digest = 14695981039346656037u;

static void say(uint64_t value)
{
    for (int i = 0; i < 8; i++, value >>= 8)
        digest = (digest ^ (value & 255)) * 1099511628211u;
}

static void need(int holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "does not hold: %s\n", what);
        abort();
    }
}

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* A copy of the bytes whose last one is the last that may be read. */
static const uint8_t *at_guard(const uint8_t *bytes, uint32_t len)
{
    return memcpy(guard_end - len, bytes, len);
}

static int32_t parse(struct fgw_head *head, const uint8_t *bytes, uint32_t len,
                     struct fgw_lines *lines, int is_request)
{
    const uint8_t *buf = at_guard(bytes, len);
    return is_request ? fgw_http1_request(head, buf, len, &LIMITS, lines)
                      : fgw_http1_response(head, buf, len, &LIMITS, lines, FGW_M_GET);
}

static void say_head(const struct fgw_head *head, int32_t read)
{
    say((uint64_t)(int64_t)read);
    say(head->error);
    say(head->status);
    if (read <= 0)
        return;
    say((uint64_t)head->content_length);
    say((uint64_t)head->framing << 16 | (uint64_t)head->keep_alive << 8 | head->n_nominated);
    say(head->path.off + head->path.len + head->query.off + head->authority.off);
    for (uint32_t i = 0; i < head->n_headers; i++) {
        const struct fgw_header *h = &head->headers[i];
        need(h->value_off + h->value_len + 2 <= (uint32_t)read, "a value lies within the head");
        say(((uint64_t)h->name_off << 32) | ((uint64_t)h->name_len << 16) | h->id);
        say(((uint64_t)h->value_off << 32) | (h->value_len << 1) | h->nominated);
    }
}

static int same_head(const struct fgw_head *one, const struct fgw_head *other, int32_t read)
{
    if (one->error != other->error || one->status != other->status)
        return 0;
    if (read <= 0)
        return 1;
    for (uint32_t id = 0; id < FGW_H_COUNT; id++)
        if (one->seen >> id & 1 && one->first[id] != other->first[id])
            return 0;
    if (memcmp(&one->method_text, &other->method_text, 6 * sizeof(struct fgw_span)) != 0 ||
        one->method != other->method || one->minor != other->minor)
        return 0;
    return one->n_headers == other->n_headers && one->seen == other->seen &&
           one->repeated == other->repeated && one->n_nominated == other->n_nominated &&
           one->content_length == other->content_length && one->framing == other->framing &&
           one->keep_alive == other->keep_alive && one->upgrade == other->upgrade &&
           one->expect_continue == other->expect_continue &&
           !memcmp(one->headers, other->headers, one->n_headers * sizeof one->headers[0]);
}

/* The writer at every capacity near the one it needs; heap memory, so that ASan sees one byte too
 * many. */
static void write_anew(const struct fgw_head *head, const uint8_t *bytes, uint32_t len,
                       int is_request)
{
    const uint8_t *buf = at_guard(bytes, len);
    const uint64_t drop = is_request ? FGW_DROP_REQUEST : FGW_DROP_RESPONSE;
    uint8_t *big = malloc(ROOM);
    const int32_t put = fgw_http1_copy_fields(big, ROOM, head, buf, drop);
    need(put >= 0, "fields fit");
    say((uint64_t)put);
    for (int32_t cap = put > 3 ? put - 3 : 0; cap <= put; cap++) {
        uint8_t *tight = malloc(cap ? (size_t)cap : 1);
        const int32_t again = fgw_http1_copy_fields(tight, (uint32_t)cap, head, buf, drop);
        need(again == (cap == put ? put : -1), "the writer keeps to its room");
        need(again < 0 || memcmp(tight, big, (size_t)again) == 0, "the same bytes");
        free(tight);
    }
    free(big);
}

/* Decodes in reads of `step` bytes, each at the guard, relaying as a relay would; the relayed
 * bytes must decode to the same. Returns the last verdict. */
static int32_t decode(const uint8_t *bytes, uint32_t len, uint32_t step, uint8_t *out,
                      uint32_t *size)
{
    struct fgw_chunk chunk;
    struct fgw_span span;
    int32_t got = -2;
    fgw_chunk_begin(&chunk);
    *size = 0;
    for (uint32_t at = 0; at < len && got == -2; at += step) {
        const uint32_t n = len - at < step ? len - at : step;
        const uint8_t *buf = at_guard(bytes + at, n);
        uint32_t pos = 0;
        fgw_chunk_mark(&chunk, 0);
        struct fgw_chunk outer = chunk;
        while ((got = fgw_chunk_next(&chunk, buf, n, &pos, &span)) == FGW_CHUNK_DATA)
            need(span.len > 0 && span.off + span.len <= n, "data lies within the read");
        if (got == -1)
            break;
        need(chunk.plain_from <= chunk.plain_to && chunk.plain_to <= pos, "the run is in it");
        const uint32_t ends[2][2] = {{0, chunk.plain_from}, {chunk.plain_to, pos}};
        for (int i = 0; i < 2; i++) {
            const uint32_t cap = ends[i][1] - ends[i][0] + FGW_CHUNK_REFRAME_EXTRA;
            uint8_t *tight = malloc(cap);
            const int32_t put =
                fgw_chunk_reframe(&outer, tight, cap, buf, ends[i][0], ends[i][1]);
            need(put >= 0 && *size + (uint32_t)put + n < ROOM, "reframing fits its bound");
            memcpy(out + *size, tight, (size_t)put);
            *size += (uint32_t)put;
            free(tight);
            if (i == 0) {
                memcpy(out + *size, buf + chunk.plain_from, chunk.plain_to - chunk.plain_from);
                *size += chunk.plain_to - chunk.plain_from;
            }
        }
    }
    say((uint64_t)(int64_t)got);
    say(chunk.total);
    say(chunk.error);
    return got;
}

static void chunked_body(const uint8_t *bytes, uint32_t len, uint64_t *random)
{
    static uint8_t relayed[ROOM], again[ROOM];
    uint32_t size, size_again;
    const int32_t whole = decode(bytes, len, len ? len : 1, relayed, &size);
    if (whole == 0)
        need(decode(relayed, size, size, again, &size_again) == 0, "what is relayed decodes");
    const uint32_t step = 1 + (uint32_t)(next_random(random) % 9);
    const uint32_t size_whole = size;
    need(decode(bytes, len, step, relayed, &size) == whole, "the cut changes no verdict");
    if (whole == 0 && size_whole)
        need(decode(relayed, size, size, again, &size_again) == 0, "what is relayed decodes");
}

static void one_input(const uint8_t *bytes, uint32_t len, uint64_t *random)
{
    for (int is_request = 0; is_request < 2; is_request++) {
        static struct fgw_head head, cut, again;
        static struct fgw_lines lines; /* of all inputs so far */
        fgw_http1_begin(&head);
        const int32_t whole = parse(&head, bytes, len, NULL, is_request);
        say_head(&head, whole);
        fgw_http1_begin(&again);
        need(parse(&again, bytes, len, &lines, is_request) == whole, "lines change no verdict");
        need(same_head(&head, &again, whole), "nor what is said of a head");

        fgw_http1_begin(&cut);
        int32_t got = -2;
        for (uint32_t at = 0; at < len && got == -2;) {
            at += 1 + (uint32_t)(next_random(random) % (next_random(random) % 2 ? 3 : 40));
            got = parse(&cut, bytes, at < len ? at : len, &lines, is_request);
        }
        need(len == 0 || (got == whole && cut.error == head.error), "the cut changes no verdict");
        need(whole <= 0 || same_head(&head, &cut, whole), "nor what is said of a head");
        fgw_http1_begin(&again); /* now that its runs are known, too */
        need(parse(&again, bytes, len, &lines, is_request) == whole &&
             same_head(&head, &again, whole), "runs change nothing");
        if (whole > 0) {
            write_anew(&head, bytes, (uint32_t)whole, is_request);
            chunked_body(bytes + whole, len - (uint32_t)whole, random);
        }
    }
}

static uint32_t runs_take(const struct fgw_lines *lines, struct fgw_head *head,
                          const uint8_t *buf, uint32_t off, const uint8_t *end, uint32_t room)
{
    return fgw_runs_take(lines, fgw_lines_place(buf + off), head, buf, off, end, room);
}

/* The third time a head comes, its first line and two runs are taken as a whole; and of a run as
 * many lines as agree, or as there is room for. */
static void runs_are_taken(void)
{
    static struct fgw_head head, other;
    static struct fgw_lines lines;
    const uint32_t len = sizeof SDK - 1;
    char changed[sizeof SDK];
    for (int time = 0; time < 2; time++) {
        fgw_http1_begin(&head);
        need(parse(&head, (const uint8_t *)SDK, len, &lines, 1) == (int32_t)len, "it is a head");
    }
    const uint8_t *buf = at_guard((const uint8_t *)SDK, len), *end = buf + len;
    const uint32_t host = (uint32_t)(strstr(SDK, "Host") - SDK);
    const uint32_t key = (uint32_t)(strstr(SDK, "Authorization") - SDK);
    const uint32_t async = (uint32_t)(strstr(SDK, "X-Stainless-Async") - SDK);
    const uint32_t length = (uint32_t)(strstr(SDK, "Content-Length") - SDK);
    fgw_http1_begin(&other);
    need(fgw_starts_take(&lines, &other, buf, 0, end, 512) == host, "the first line");
    need(fgw_starts_take(&lines, &other, buf, 0, end, 19) == 0, "a target of its length or less");
    need(runs_take(&lines, &other, buf, host, end, 100) == key - host, "the first run");
    need(runs_take(&lines, &other, buf, key, end, 100) == 0, "never a credential");
    need(runs_take(&lines, &other, buf, async, end, 100) == length - async, "the second run");
    need(other.n_headers == 11 && other.repeated == FGW_H_BIT(FGW_H_X_STAINLESS), "all lines");
    need(runs_take(&lines, &other, buf, host, end, 100) == 0, "a second Host is judged");

    fgw_http1_begin(&other);
    need(runs_take(&lines, &other, buf, host, end, 2) && other.n_headers == 2, "no more");
    memcpy(changed, SDK, sizeof SDK);
    *strstr(changed, "2.54.0") = '3';
    buf = at_guard((const uint8_t *)changed, len);
    fgw_http1_begin(&other);
    need(runs_take(&lines, &other, buf, host, end, 100) ==
             (uint32_t)(strstr(SDK, "User-Agent") - SDK) - host, "the lines that agree");
    need(other.n_headers == 5 && other.keep_alive_seen, "and what they say");
}

static uint32_t mutate(uint8_t *into, const uint8_t *bytes, uint32_t len, uint64_t *random)
{
    static const char ODD[] = "\r\n\0:\t ,;_0f%[\x7f\x80\"=A";
    memcpy(into, bytes, len);
    for (uint64_t n = 1 + next_random(random) % 4; n && len; n--) {
        const uint32_t at = (uint32_t)(next_random(random) % len);
        const uint8_t odd = (uint8_t)ODD[next_random(random) % (sizeof ODD - 1)];
        switch (next_random(random) % 4) {
        case 0:
            into[at] = odd;
            break;
        case 1:
            memmove(into + at + 1, into + at, len++ - at);
            into[at] = odd;
            break;
        case 2:
            memmove(into + at, into + at + 1, --len - at);
            break;
        default:
            into[at] = (uint8_t)(into[at] ^ (1u << next_random(random) % 8));
        }
    }
    return len;
}

static uint8_t *pages(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    need(memory != MAP_FAILED, "memory");
    return memory;
}

/* A long line in steps of a page: whole pages behind the last step are taken away, so that a
 * parser which looks at them again before the line ends dies. */
static void looks_once(size_t page)
{
    enum { PAGES = 15 };
    const struct fgw_http1_limits limits = {FGW_HEAD_BYTES_MAX, 512, 100};
    static struct fgw_head head;
    uint8_t *buf = pages(page * PAGES);
    const uint32_t len = (uint32_t)(page * PAGES) - 1;
    static const char START[] = "GET / HTTP/1.1\r\nHost: a\r\nA: ";
    memset(buf, 'x', len);
    memcpy(buf, START, sizeof START - 1);
    memcpy(buf + len - 4, "\r\n\r\n", 4);

    fgw_http1_begin(&head);
    for (uint32_t n = 1; n < PAGES; n++) {
        need(fgw_http1_request(&head, buf, (uint32_t)(n * page), &limits, NULL) == -2,
             "more to come");
        need(mprotect(buf, n * page, PROT_NONE) == 0, "pages of the past");
    }
    need(mprotect(buf, page * PAGES, PROT_READ) == 0, "pages come back");
    need(fgw_http1_request(&head, buf, len, &limits, NULL) == (int32_t)len, "the head is whole");
    munmap(buf, page * PAGES);
}

static uint32_t load(const char *path, uint8_t **inputs, uint32_t *sizes)
{
    uint32_t count = 0, size;
    FILE *file = fopen(path, "rb");
    need(file != NULL, "the file of inputs opens");
    while (count < INPUTS && fread(&size, 1, 4, file) == 4) {
        inputs[count] = malloc(size ? size : 1);
        need(fread(inputs[count], 1, size, file) == size, "an input is whole");
        sizes[count++] = size;
    }
    fclose(file);
    return count;
}

int main(int argc, char **argv)
{
    static uint8_t *inputs[INPUTS];
    static uint32_t sizes[INPUTS];
    static uint8_t mutant[ROOM];
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    uint64_t random = strtoull(argv[2], NULL, 10) | 1;
    uint32_t count = 0;

    uint8_t *room = pages(ROOM + page);
    need(mprotect(room + ROOM, page, PROT_NONE) == 0, "a guard page");
    guard_end = room + ROOM;

    if (argc > 3)
        count = load(argv[3], inputs, sizes);
    for (size_t i = 0; i < sizeof SAMPLES / sizeof SAMPLES[0]; i++) {
        sizes[count] = (uint32_t)strlen(SAMPLES[i]);
        inputs[count] = malloc(sizes[count]);
        memcpy(inputs[count], SAMPLES[i], sizes[count]);
        count++;
    }
    looks_once(page);
    runs_are_taken();
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t len = 0; len <= sizes[i]; len += sizes[i] > 4000 ? 97 : 1)
            one_input(inputs[i], len, &random);
    for (long rounds = strtol(argv[1], NULL, 10); rounds; rounds--) {
        const uint32_t i = (uint32_t)(next_random(&random) % count);
        one_input(mutant, mutate(mutant, inputs[i], sizes[i], &random), &random);
    }
    for (uint32_t i = 0; i < count; i++)
        free(inputs[i]);
    printf("%016llx\n", (unsigned long long)digest);
    return 0;
}
