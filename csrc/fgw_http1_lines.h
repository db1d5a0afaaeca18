/* fgw_http1_lines.h - field lines that were read before.
 *
 * A client's heads are nearly the same from request to request, and those of one SDK from client
 * to client. A line that is, byte for byte, one that was kept is cut as that was:
 *
 *     hash of its first 24 bytes --> one of 128 pairs: line with its CR LF | where its parts lie
 *
 * What a field means in its message (a second Host, how long a body is) is no part of that and is
 * judged each time. Only fields that hold nothing secret are kept, for how long a comparison takes
 * tells how far two clients' lines agree.
 *
 * Zeroed memory is empty. The caller owns it; one worker's connections may share it.
 */
#ifndef FGW_HTTP1_LINES_H
#define FGW_HTTP1_LINES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "fgw_http1.h"

enum {
    FGW_LINES = 256,
    FGW_LINE_HASHED = 24, /* bytes that the hash looks at; others may follow the line's own */
    FGW_LINE_MIN = 8,     /* a kept line's bytes, */
    FGW_LINE_MAX = 58     /* so that its place is one cache line */
};

struct fgw_line {
    uint8_t bytes[FGW_LINE_MAX];
    uint8_t len;       /* 0: nothing is kept here */
    uint8_t name_len;  /* the name begins the line */
    uint8_t value_off; /* from the line's first byte */
    uint8_t value_len;
    uint8_t id;        /* enum fgw_field, never FGW_H_OTHER */
    uint8_t plain;     /* as fgw_header has it */
};
_Static_assert(sizeof(struct fgw_line) == 64, "one cache line");

/* What fgw_http1_runs.h tells of. */
enum {
    FGW_RUNS = 64,
    FGW_RUN_LINES = 16,
    FGW_RUN_BYTES = 448, /* the twelve lines that the OpenAI SDK begins with are 360 */
    FGW_STARTS = 16,
    FGW_START_MAX = 88,  /* bytes of a request's first line */
    FGW_NAMES = 256,
    FGW_NAME_MAX = 45    /* bytes of a field's name with what stands before its value */
};

struct fgw_run {
    uint8_t bytes[FGW_RUN_BYTES];
    uint16_t ends[FGW_RUN_LINES];             /* behind each line */
    struct fgw_header headers[FGW_RUN_LINES]; /* offsets are from the run's first byte */
    uint64_t seen;                            /* FGW_H_BIT of each */
    uint64_t again;                           /* of those that are there more than once */
    struct {
        uint8_t line, id;
    } firsts[FGW_RUN_LINES]; /* of each field that is there, its first line */
    uint8_t n_firsts;
    uint8_t n_lines;                          /* 0: nothing is kept here */
};

struct fgw_start {
    uint8_t bytes[FGW_START_MAX];
    uint8_t len; /* 0: nothing is kept here */
    uint8_t method, method_len, target_len;
};

struct fgw_name {
    uint8_t bytes[FGW_NAME_MAX]; /* `Name: ` */
    uint8_t len;                 /* 0: nothing is kept here */
    uint8_t id;
    uint8_t kept;                /* lines of this field may be kept as a whole */
};

struct fgw_lines {
    struct fgw_name name[FGW_NAMES];
    struct fgw_line line[FGW_LINES];
    struct fgw_run run[FGW_RUNS];
    struct fgw_start start[FGW_STARTS];
};

/* Where to look for what begins with p[0, FGW_LINE_HASHED): 16 bits. */
static inline uint32_t fgw_lines_place(const uint8_t *p)
{
    uint64_t word[3];
    memcpy(word, p, sizeof word);
    const uint64_t second = word[1] << 21 | word[1] >> 43, third = word[2] << 42 | word[2] >> 22;
    const uint64_t all = word[0] ^ second ^ third;
    return (uint32_t)(all * 0x9e3779b97f4a7c15u >> 48);
}
_Static_assert(FGW_LINE_HASHED == 24, "as fgw_lines_place has it");

/* The kept name that [p, end), FGW_LINE_HASHED bytes or more, begins with, or NULL. p is field
 * `index` of its head: names mostly stand where they stood before. */
const struct fgw_name *fgw_names_find(struct fgw_lines *lines, uint32_t index, const uint8_t *p,
                                      const uint8_t *end);

/* Keeps the name at p, which was cut into `header`, if one space alone follows it. Not for one
 * that is nobody's and may be another's in disguise. */
void fgw_names_keep(struct fgw_lines *lines, uint32_t index, const uint8_t *p,
                    const struct fgw_header *header);

/* The kept line that [p, end) begins with, or NULL. `place` is that of p. */
const struct fgw_line *fgw_lines_find(const struct fgw_lines *lines, uint32_t place,
                                      const uint8_t *p, const uint8_t *end);

/* Keeps the line at p, which ends at `next` and was cut into `header` (offsets are from `buf`), if
 * its field is one that may be kept. */
void fgw_lines_keep(struct fgw_lines *lines, uint32_t place, const uint8_t *p,
                    const uint8_t *next, const struct fgw_header *header, const uint8_t *buf);

#endif
