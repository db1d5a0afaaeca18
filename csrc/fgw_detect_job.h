/* fgw_detect_job.h - one document, or one answer event by event: what is found, where, and how it
 * reads with labels in place of it.
 *
 * A job holds what one scan needs (one per worker will do); a screen what one stream needs between
 * its events. What is found goes to *cuts*, memory of the caller, in the order of the document
 * after fgw_cuts_order; and to a *report*: how many of each kind, and where the first one stood.
 */
#ifndef FGW_DETECT_JOB_H
#define FGW_DETECT_JOB_H

#include "fgw_detect_json.h"
#include "fgw_detect_window.h"

struct fgw_detect_report {
    uint32_t found; /* bit per kind */
    uint32_t count[FGW_DETECT_ALL_MAX];
    uint8_t path_length[FGW_DETECT_ALL_MAX]; /* 0: no JSON, or no place in it */
    uint8_t path[FGW_DETECT_ALL_MAX][FGW_WALK_PATH_MAX];
};

struct fgw_detect_cuts {
    struct fgw_detect_cut *cuts;
    uint32_t count;
    uint32_t room;
    uint32_t missed; /* cuts that there was no room for: scan again with more */
    uint32_t kinds;  /* only these are noted */
    uint32_t reserved;
    const struct fgw_detect_pattern *patterns; /* for their names */
};

struct fgw_screen;

struct fgw_detect_job {
    struct fgw_detect_report *report; /* the caller's, where a scan begins; not cleared */
    struct fgw_detect_cuts *cuts;
    struct fgw_screen *screen;        /* of an event */
    uint32_t kinds;
    uint32_t n_patterns;
    const struct fgw_detect_pattern *patterns;
    /* What follows is the job's own. */
    uint32_t base; /* raw offset of the document's first byte */
    const uint8_t *document;
    int crossing;  /* in the joint of two parts: `first` waits; or its rest is being noted */
    int alone;     /* something was found in this part by itself, */
    uint32_t alone_start; /* from here */
    uint32_t alone_end;   /* to here */
    int before;           /* and in the part before, */
    uint32_t before_end;  /* up to here */
    const struct fgw_screen_channel *ending; /* what is found belongs to it: the walk has left */
    struct fgw_detect_cut first; /* of such a find: in doubt until it goes on behind the joint */
    const uint8_t *part;         /* the part before, and */
    size_t part_length;
    uint64_t part_channel;       /* whose it is; 0: none */
    struct fgw_walk walk;
    struct fgw_detect_window window;
    struct fgw_detect_window joint;
};

/* A request's body or a whole answer (enum fgw_walk_document). 0, or -1 where it is no JSON: then
 * it is scanned as plain text. */
int fgw_detect_document(struct fgw_detect_job *job, unsigned document, const uint8_t *bytes,
                        size_t length);

/* Sorts, and joins cuts that overlap. */
void fgw_cuts_order(struct fgw_detect_cuts *cuts);

/* Bytes that [from, to) of the document has with labels in place of cuts, which are in order and
 * begin with the first one at or behind `from`. */
size_t fgw_cuts_length(const struct fgw_detect_cuts *cuts, uint32_t from, size_t length);

/* The same copied; `bytes` is the document at offset `from`. Returns the bytes written. */
size_t fgw_cuts_copy(const struct fgw_detect_cuts *cuts, uint32_t from, const uint8_t *bytes,
                     size_t length, uint8_t *out);

/* `api_key`, …; NULL beyond the last. */
const char *fgw_detect_kind_name(unsigned kind);

/* ------------------------------------------------------------------ streams */

#define FGW_SCREEN_CHANNELS_MAX 512

struct fgw_screen_channel {
    uint64_t channel; /* 0: free */
    int64_t group;
    uint32_t ending; /* this event says that the text is over */
    uint32_t path_length; /* of the delta that it began with */
    uint8_t path[FGW_WALK_PATH_MAX];
    struct fgw_detect_kept kept;
};

/* Zeroed memory is a screen without channels. Memory of the channels is the caller's, and need not
 * be zeroed. */
struct fgw_screen {
    struct fgw_screen_channel *channels;
    uint32_t room;
    uint32_t used;   /* the first so many have been used */
    uint32_t missed; /* texts that no channel was free for: looked at by themselves */
    uint32_t reserved;
};

/* Scans one whole SSE block (its lines with the blank one) that stands at raw offset `base` of the
 * stream; comments and [DONE] too. -1: its data are no JSON. */
int fgw_screen_event(struct fgw_detect_job *job, const uint8_t *bytes, size_t length,
                     uint32_t base);

/* All texts have ended (or must be let go, `out`: they may go on, but what was held is sent, as
 * fgw_detect_window_let_out has it). */
void fgw_screen_flush(struct fgw_detect_job *job, int out);

/* How much of the stream, from `base` on, is decided: bytes before the first that is not; `length`
 * if all of it is. */
uint32_t fgw_screen_decided(const struct fgw_screen *screen, uint32_t base, uint32_t length);

#endif
