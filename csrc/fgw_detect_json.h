/* fgw_detect_json.h - which strings of a request, an answer or an event are looked at, and where
 * they stand.
 *
 * One walk over a whole JSON document, which hands out each string (and, in the arguments of
 * tools, each number and each member's name) that people or models wrote. What no person wrote is
 * passed over: names of models and roles, ids, signatures, base64. What is not known is looked at.
 *
 * Of events the walk also says what continues what: a delta belongs to a *channel*, which is named
 * by the members on the way to it, with `index` (or output_index, content_index, summary_index) in
 * place of positions: choices[index 1].delta.content is one text over all events.
 */
#ifndef FGW_DETECT_JSON_H
#define FGW_DETECT_JSON_H

#include <stddef.h>
#include <stdint.h>

#define FGW_WALK_DEPTH_MAX 128
#define FGW_WALK_PATH_MAX 96

enum fgw_walk_document {
    FGW_WALK_REQUEST = 0,
    FGW_WALK_ANSWER,
    FGW_WALK_EVENT, /* an SSE block: the JSON is what its data lines have; or the JSON itself: a
                       line of NDJSON, an element of an array with what stands before it */
};

enum fgw_text_flag {
    FGW_TEXT_NESTED = 1, /* JSON as text: the arguments of a tool */
    FGW_TEXT_NUMBER = 2, /* no string */
    FGW_TEXT_DELTA = 4,  /* of an event: goes on where `channel` ended */
    FGW_TEXT_PART = 8,   /* goes on where the text before in the same `channel` ended: a part of
                            a message's content */
};

struct fgw_text_place {
    const uint8_t *bytes; /* inside the quotes */
    size_t length;
    const uint8_t *name; /* of the member that it is the value of; NULL */
    size_t name_length;
    uint64_t channel;
    int64_t group;       /* of a delta: index of its choice, block or output item */
    unsigned flags;
};

struct fgw_walk;
typedef void fgw_walk_hear(void *listener, const struct fgw_walk *walk,
                           const struct fgw_text_place *place);
/* An event ends the texts of a group (INT64_MIN: of all). */
typedef void fgw_walk_end(void *listener, int64_t group);

struct fgw_walk_frame {
    const uint8_t *open; /* the bracket */
    const uint8_t *name; /* objects: of the member being read; arrays: NULL */
    size_t name_length;
    uint32_t element; /* arrays: which */
    uint8_t object;
    uint8_t reserved[3];
};

struct fgw_walk {
    const uint8_t *at;
    const uint8_t *end;
    size_t ahead; /* bytes that may still be looked ahead */
    fgw_walk_hear *hear;
    fgw_walk_end *ended;
    void *listener;
    uint8_t document;
    uint8_t line; /* SSE blocks: at the first byte of a line */
    uint8_t bare; /* events: no SSE block */
    uint32_t depth;
    struct fgw_walk_frame frames[FGW_WALK_DEPTH_MAX];
};

/* Walks over bytes[0 .. length). 0; -1: it is no JSON (what was handed out before stands). */
int fgw_walk_run(struct fgw_walk *walk, const uint8_t *bytes, size_t length);

/* Of a walk that failed: the data were [DONE]; or anything else but nothing. */
int fgw_walk_is_done(const struct fgw_walk *walk);
int fgw_walk_is_text(const struct fgw_walk *walk);

/* Where the walk stands, as messages[2].content[0].text: at most FGW_WALK_PATH_MAX bytes. Below
 * the arguments of tools, where names are the client's own, it ends. Returns the length. */
size_t fgw_walk_path(const struct fgw_walk *walk, uint8_t *out);

#endif
