#include "fgw_detect_json.h"

#include <string.h>

#include "fgw_detect_names.h"

enum { IN_TOOL = 1, IN_DELTA = 2 };
enum { AHEAD_TIMES = 1 << 16 }; /* bytes of an event that may be looked ahead 16 times */

/* ------------------------------------------------------------------ lexing */

static int starts(const uint8_t *at, const uint8_t *end, const char *word, size_t length)
{
    return (size_t)(end - at) >= length && !memcmp(at, word, length);
}
#define STARTS(at, end, word) starts(at, end, word, sizeof(word) - 1)

/* Events: from the first byte of a line to the first of its data; other fields are passed. */
static void find_json(struct fgw_walk *walk)
{
    while (walk->line && walk->at < walk->end) {
        if (STARTS(walk->at, walk->end, "\xef\xbb\xbf"))
            walk->at += 3;
        if (STARTS(walk->at, walk->end, "data:")) {
            walk->at += 5;
            walk->line = 0;
            return;
        }
        while (walk->at < walk->end && *walk->at != '\n' && *walk->at != '\r')
            walk->at++;
        while (walk->at < walk->end && (*walk->at == '\n' || *walk->at == '\r'))
            walk->at++;
    }
}

static int skip_blanks(struct fgw_walk *walk)
{
    for (;;) {
        find_json(walk);
        if (walk->at >= walk->end)
            return -1;
        uint8_t byte = *walk->at;
        if (byte == '\n' || byte == '\r')
            walk->line = walk->document == FGW_WALK_EVENT && !walk->bare;
        else if (byte != ' ' && byte != '\t')
            return byte;
        walk->at++;
    }
}

/* The string whose opening quote is at walk->at: its inside. 0, or -1. */
static int read_string(struct fgw_walk *walk, const uint8_t **inside, size_t *length)
{
    const uint8_t *begin = walk->at + 1, *p = begin;

    for (;;) {
        const uint8_t *quote = memchr(p, '"', (size_t)(walk->end - p)), *back;
        if (!quote)
            return -1;
        for (back = quote; back > begin && back[-1] == '\\';)
            back--;
        p = quote + 1;
        if ((quote - back) % 2 == 0) {
            *inside = begin;
            *length = (size_t)(quote - begin);
            walk->at = p;
            return 0;
        }
    }
}

static int is_scalar(uint8_t byte)
{
    /* (NaN and -Infinity are no JSON, but some servers write them.) */
    return (byte >= '0' && byte <= '9') || ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'z') ||
           byte == '-' || byte == '+' || byte == '.';
}

/* ------------------------------------------------------------------ what is looked at */

static int is_name(const struct fgw_walk_frame *frame, const char *name, size_t length)
{
    return frame->name && frame->name_length == length && !memcmp(frame->name, name, length);
}
#define IS(frame, name) is_name(frame, name, sizeof(name) - 1)

static int is_passed(const struct fgw_walk *walk, unsigned inside)
{
    const struct fgw_walk_frame *frame = &walk->frames[walk->depth - 1];

    if (inside & IN_TOOL || !frame->object)
        return 0;
    if (fgw_detect_is_passed(frame->name, frame->name_length))
        return 1;
    if (walk->document == FGW_WALK_REQUEST)
        return walk->depth == 1 &&
               fgw_detect_is_setting(frame->name, frame->name_length);
    int echo = walk->document == FGW_WALK_ANSWER ? walk->depth == 1
                                                 : walk->depth == 2 &&
                                                       IS(&walk->frames[0], "response");
    /* (Of a transcription `text` is what was heard.) */
    return echo && fgw_detect_is_echo(frame->name, frame->name_length) &&
           !(IS(frame, "text") && *walk->at == '"');
}

static int is_base64(const uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        uint8_t byte = bytes[i];
        int slash = byte == '\\' && i + 1 < length && bytes[i + 1] == '/';
        if (!((byte >= '0' && byte <= '9') || ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'z') ||
              byte == '+' || byte == '/' || byte == '=' || slash))
            return 0;
    }
    return 1;
}

/* data:image/png;base64,… but no words that only begin so. Of texts the content is looked at. */
static int is_inline_url(const uint8_t *bytes, size_t length)
{
    const uint8_t *end = bytes + length;
    const uint8_t *comma = memchr(bytes, ',', length < 128 ? length : 128);

    if (!STARTS(bytes, end, "data:") || STARTS(bytes, end, "data:text/") || !comma ||
        comma - bytes < 12 || memcmp(comma - 7, ";base64", 7))
        return 0;
    size_t inside = (size_t)(end - comma) - 1;
    return inside >= 64 && is_base64(comma + 1, inside < 256 ? inside : 256);
}

/* base64, and URLs that hold their content: not text. Looks at the first bytes. */
static int is_binary(const struct fgw_walk_frame *frame, const uint8_t *bytes, size_t length)
{
    if (is_inline_url(bytes, length))
        return 1;
    if (!IS(frame, "data") && !IS(frame, "file_data") && !IS(frame, "delta"))
        return 0;
    return length >= 256 && is_base64(bytes, 256);
}

/* ------------------------------------------------------------------ channels */

static uint64_t mix(uint64_t hash, uint64_t value)
{
    hash = (hash ^ value) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 29;
}

static uint64_t mix_bytes(uint64_t hash, const uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        hash = mix(hash, bytes[i]);
    return mix(hash, length);
}

static int skip_value(struct fgw_walk *walk);

static const uint8_t *search(struct fgw_walk *ahead, const char *name, size_t length)
{
    const uint8_t *key;
    size_t key_length;

    for (;;) {
        if (skip_blanks(ahead) != '"' || read_string(ahead, &key, &key_length) ||
            skip_blanks(ahead) != ':')
            return NULL;
        ahead->at++;
        if (skip_blanks(ahead) < 0)
            return NULL;
        if (key_length == length && !memcmp(key, name, length))
            return ahead->at;
        if (skip_value(ahead) || skip_blanks(ahead) != ',')
            return NULL;
        ahead->at++;
    }
}

/* The value of the member `name` of the object that begins at `open`: its first byte, or NULL;
 * also where so much has been looked ahead already that a walk would not stay linear. */
static const uint8_t *member(struct fgw_walk *walk, const uint8_t *open, const char *name,
                             size_t length)
{
    struct fgw_walk ahead;
    const uint8_t *found;

    ahead.at = open + 1;
    ahead.end = (size_t)(walk->end - ahead.at) > walk->ahead ? ahead.at + walk->ahead : walk->end;
    ahead.document = walk->document;
    ahead.bare = walk->bare;
    ahead.line = 0;
    found = search(&ahead, name, length);
    walk->ahead -= (size_t)(ahead.at - open) - 1;
    return found;
}

static int64_t number_of(struct fgw_walk *walk, const uint8_t *open, const char *name,
                         size_t length, int64_t otherwise)
{
    const uint8_t *at = member(walk, open, name, length);
    int64_t number = 0;

    if (!at || *at < '0' || *at > '9')
        return otherwise;
    for (; at < walk->end && *at >= '0' && *at <= '9' && number < INT32_MAX; at++)
        number = number * 10 + (*at - '0');
    return number;
}
#define NUMBER(walk, open, name, otherwise) \
    number_of(walk, open, name, sizeof(name) - 1, otherwise)

/* Whether an event's `type` (of `responses` and of Anthropic) has the word in it. */
static int is_typed(struct fgw_walk *walk, const char *word, size_t length)
{
    struct fgw_walk ahead;
    const uint8_t *inside, *at = walk->frames[0].object
                                     ? member(walk, walk->frames[0].open, "type", 4) : NULL;
    size_t size;

    if (!at || *at != '"')
        return 0;
    ahead.at = at;
    ahead.end = walk->end;
    if (read_string(&ahead, &inside, &size))
        return 0;
    for (size_t i = 0; i + length <= size; i++)
        if (!memcmp(inside + i, word, length))
            return 1;
    return 0;
}
#define TYPED(walk, word) is_typed(walk, word, sizeof(word) - 1)

static void name_delta(struct fgw_walk *walk, struct fgw_text_place *place)
{
    const uint8_t *root = walk->frames[0].open;
    uint64_t hash = 1;
    int64_t group = -1;

    if (walk->depth > 1 && IS(&walk->frames[0], "delta"))
        hash = mix(hash, (uint64_t)(group = NUMBER(walk, root, "index", -1)));
    if (walk->depth == 1) { /* responses: the type says of what this is the delta */
        group = NUMBER(walk, root, "output_index", -1);
        hash = mix(hash, (uint64_t)group);
        hash = mix(hash, (uint64_t)NUMBER(walk, root, "content_index", -1));
        hash = mix(hash, (uint64_t)NUMBER(walk, root, "summary_index", -1));
        hash = mix(hash, (uint64_t)TYPED(walk, "arguments"));
        hash = mix(hash, (uint64_t)TYPED(walk, "reasoning"));
        hash = mix(hash, (uint64_t)TYPED(walk, "refusal"));
        hash = mix(hash, (uint64_t)TYPED(walk, "input"));
        if (TYPED(walk, "arguments"))
            place->flags |= FGW_TEXT_NESTED;
    }
    for (uint32_t i = 0; i < walk->depth; i++) {
        const struct fgw_walk_frame *frame = &walk->frames[i];
        if (frame->object) {
            hash = mix_bytes(hash, frame->name, frame->name_length);
            continue;
        }
        int64_t index = frame->element;
        if (i + 1 < walk->depth && walk->frames[i + 1].object)
            index = NUMBER(walk, walk->frames[i + 1].open, "index", index);
        if (i == 1)
            group = index;
        hash = mix(hash, (uint64_t)index);
    }
    place->channel = hash;
    place->group = group;
}

/* Parts of one content array, strings in its objects' `text`: one text. */
static void name_part(const struct fgw_walk *walk, struct fgw_text_place *place)
{
    if (walk->depth < 3 || !IS(&walk->frames[walk->depth - 1], "text") ||
        walk->frames[walk->depth - 2].object)
        return;
    place->channel = (uint64_t)(uintptr_t)walk->frames[walk->depth - 2].open;
    place->flags |= FGW_TEXT_PART;
}

/* ------------------------------------------------------------------ the walk */

static void hand_out(struct fgw_walk *walk, const uint8_t *bytes, size_t length, unsigned flags,
                     unsigned inside, int is_value)
{
    struct fgw_walk_frame *frame = walk->depth ? &walk->frames[walk->depth - 1] : NULL;
    struct fgw_text_place place = {bytes, length, NULL, 0, 0, -1, flags};

    if (!length)
        return;
    if (frame && is_value) {
        if (frame->object) {
            place.name = frame->name;
            place.name_length = frame->name_length;
        }
        if (!(flags & FGW_TEXT_NUMBER) && is_binary(frame, bytes, length))
            return;
        if (!(inside & IN_TOOL) && (IS(frame, "arguments") || IS(frame, "partial_json")))
            place.flags |= FGW_TEXT_NESTED;
        if (inside & IN_DELTA && !(inside & IN_TOOL)) {
            place.flags |= FGW_TEXT_DELTA;
            name_delta(walk, &place);
        } else if (!(inside & IN_TOOL)) {
            name_part(walk, &place);
        }
    }
    walk->hear(walk->listener, walk, &place);
}

static int walk_value(struct fgw_walk *walk, unsigned inside);

/* Arguments and results of tools, as objects. */
static int is_of_tool(const struct fgw_walk_frame *frame)
{
    return IS(frame, "input") || IS(frame, "arguments") || IS(frame, "args") ||
           IS(frame, "response");
}

/* Whether the member just named has the next piece of a text, and no name says so. */
static int is_piece(const struct fgw_walk *walk)
{
    const struct fgw_walk_frame *frame = &walk->frames[walk->depth - 1];

    if (walk->depth == 3)
        return IS(frame, "text") && IS(&walk->frames[0], "choices");
    if (walk->depth == 4)
        return IS(frame, "parts") && IS(&walk->frames[0], "candidates");
    return walk->bare && walk->depth == 1 && /* Ollama */
           (IS(frame, "message") || IS(frame, "response") || IS(frame, "thinking"));
}

/* What the value of the member just named stands in. */
static unsigned inside_of(const struct fgw_walk *walk, unsigned inside)
{
    const struct fgw_walk_frame *frame = &walk->frames[walk->depth - 1];

    if (walk->depth > 1 && *walk->at == '{' && is_of_tool(frame))
        inside |= IN_TOOL;
    if (walk->document != FGW_WALK_EVENT || inside & IN_DELTA)
        return inside;
    if (IS(frame, "delta") || is_piece(walk))
        inside |= IN_DELTA;
    return inside;
}

/* Blocks, items of `responses`, choices, candidates: where one has ended, so have its texts. */
static void notice_end(struct fgw_walk *walk)
{
    const struct fgw_walk_frame *frame = &walk->frames[walk->depth - 1];
    int text = *walk->at == '"';

    if (walk->document != FGW_WALK_EVENT || !walk->ended)
        return;
    if (walk->bare && walk->depth == 1 && IS(frame, "done") && *walk->at == 't')
        walk->ended(walk->listener, INT64_MIN);
    if (!text)
        return;
    if (walk->depth == 3 &&
        ((IS(frame, "finish_reason") && IS(&walk->frames[0], "choices")) ||
         (IS(frame, "finishReason") && IS(&walk->frames[0], "candidates")))) {
        int64_t index = walk->frames[1].element;
        walk->ended(walk->listener, NUMBER(walk, frame->open, "index", index));
    } else if (IS(frame, "type") && walk->depth == 1) {
        const uint8_t *root = walk->frames[0].open;
        if (TYPED(walk, "content_block_stop") || TYPED(walk, "content-end") ||
            TYPED(walk, "tool-call-end"))
            walk->ended(walk->listener, NUMBER(walk, root, "index", INT64_MIN));
        else if (TYPED(walk, ".done"))
            walk->ended(walk->listener, NUMBER(walk, root, "output_index", INT64_MIN));
        else if (TYPED(walk, "message_stop") || TYPED(walk, "message_delta") ||
                 TYPED(walk, "message-end") ||
                 TYPED(walk, "response.completed") || TYPED(walk, "response.incomplete") ||
                 TYPED(walk, "response.failed") || TYPED(walk, "error"))
            walk->ended(walk->listener, INT64_MIN);
    }
}

static int walk_member(struct fgw_walk *walk, unsigned inside)
{
    struct fgw_walk_frame *frame = &walk->frames[walk->depth - 1];

    if (skip_blanks(walk) != '"' || read_string(walk, &frame->name, &frame->name_length))
        return -1;
    if (inside & IN_TOOL)
        hand_out(walk, frame->name, frame->name_length, 0, inside, 0);
    if (skip_blanks(walk) != ':')
        return -1;
    walk->at++;
    if (skip_blanks(walk) < 0)
        return -1;
    notice_end(walk);
    return is_passed(walk, inside) ? skip_value(walk) : walk_value(walk, inside_of(walk, inside));
}

static int walk_container(struct fgw_walk *walk, unsigned inside)
{
    uint8_t open = *walk->at, close = open == '{' ? '}' : ']';
    struct fgw_walk_frame *frame = &walk->frames[walk->depth];

    if (walk->depth >= FGW_WALK_DEPTH_MAX)
        return -1;
    *frame = (struct fgw_walk_frame){walk->at, NULL, 0, 0, open == '{', {0}};
    walk->depth++;
    walk->at++;
    if (skip_blanks(walk) != close) {
        for (;;) {
            if (frame->object ? walk_member(walk, inside) : walk_value(walk, inside))
                return -1;
            int next = skip_blanks(walk);
            if (next == close)
                break;
            if (next != ',')
                return -1;
            walk->at++;
            frame->element++;
        }
    }
    walk->at++;
    walk->depth--;
    return 0;
}

static int walk_value(struct fgw_walk *walk, unsigned inside)
{
    int byte = skip_blanks(walk);
    const uint8_t *begin = walk->at;
    size_t length;

    if (byte == '{' || byte == '[')
        return walk_container(walk, inside);
    if (byte == '"') {
        if (read_string(walk, &begin, &length))
            return -1;
        hand_out(walk, begin, length, 0, inside, 1);
        return 0;
    }
    if (byte < 0 || !is_scalar((uint8_t)byte))
        return -1;
    while (walk->at < walk->end && is_scalar(*walk->at))
        walk->at++;
    if (inside & IN_TOOL && byte <= '9')
        hand_out(walk, begin, (size_t)(walk->at - begin), FGW_TEXT_NUMBER, inside, 1);
    return 0;
}

/* Past a value that nobody looks at: brackets are counted, strings passed. */
static int skip_value(struct fgw_walk *walk)
{
    const uint8_t *inside;
    uint32_t depth = 0;
    size_t length;

    do {
        int byte = skip_blanks(walk);
        if (byte < 0)
            return -1;
        if (byte == '"') {
            if (read_string(walk, &inside, &length))
                return -1;
            continue;
        }
        if (byte == '{' || byte == '[')
            depth++;
        else if (depth && (byte == '}' || byte == ']'))
            depth--;
        else if (!depth || !(byte == ',' || byte == ':')) {
            if (!is_scalar((uint8_t)byte))
                return -1;
            while (walk->at < walk->end && is_scalar(*walk->at))
                walk->at++;
            continue;
        }
        walk->at++;
    } while (depth);
    return 0;
}

/* Where the JSON of an event begins that is no SSE block, whose lines begin with names; NULL: it
 * is one, or has no JSON. */
static const uint8_t *find_bare(const uint8_t *at, const uint8_t *end)
{
    while (at < end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t' || *at == ',' ||
                        *at == '['))
        at++;
    return at < end && *at == '{' ? at : NULL;
}

int fgw_walk_run(struct fgw_walk *walk, const uint8_t *bytes, size_t length)
{
    const uint8_t *bare = NULL;

    if (walk->document == FGW_WALK_EVENT)
        bare = find_bare(bytes, bytes + length);
    walk->bare = bare != NULL;
    walk->at = bare ? bare : bytes;
    walk->end = bytes + length;
    walk->ahead = 2 * length + 16 * (length < AHEAD_TIMES ? length : AHEAD_TIMES);
    walk->line = walk->document == FGW_WALK_EVENT && !walk->bare;
    walk->depth = 0;
    if (walk_value(walk, 0))
        return -1;
    return skip_blanks(walk) < 0 ? 0 : -1;
}

int fgw_walk_is_done(const struct fgw_walk *walk)
{
    return walk->depth == 1 && STARTS(walk->frames[0].open, walk->end, "[DONE]");
}

int fgw_walk_is_text(const struct fgw_walk *walk)
{
    return (walk->at < walk->end || walk->depth) && !fgw_walk_is_done(walk);
}

/* ------------------------------------------------------------------ where */

static size_t put_name(const struct fgw_walk_frame *frame, uint8_t *out, int dot)
{
    size_t used = 0;

    for (size_t i = 0; i < frame->name_length; i++) {
        uint8_t byte = frame->name[i], letter = (uint8_t)(byte | 0x20);
        if (i >= 32 || !((letter >= 'a' && letter <= 'z') || (byte >= '0' && byte <= '9') ||
                         byte == '_' || byte == '-'))
            return 0; /* no name that an API has: it may be anything */
    }
    if (dot)
        out[used++] = '.';
    memcpy(out + used, frame->name, frame->name_length);
    return used + frame->name_length;
}

static size_t put_index(uint32_t index, uint8_t *out)
{
    uint8_t digits[12];
    size_t at = sizeof digits, used = 0;

    do {
        digits[--at] = (uint8_t)('0' + index % 10);
        index /= 10;
    } while (index);
    out[used++] = '[';
    memcpy(out + used, digits + at, sizeof digits - at);
    used += sizeof digits - at;
    out[used++] = ']';
    return used;
}

size_t fgw_walk_path(const struct fgw_walk *walk, uint8_t *out)
{
    size_t used = 0;

    for (uint32_t i = 0; i < walk->depth && used + 48 <= FGW_WALK_PATH_MAX; i++) {
        const struct fgw_walk_frame *frame = &walk->frames[i];
        if (!frame->object) {
            used += put_index(frame->element, out + used);
            continue;
        }
        if (!frame->name)
            break;
        size_t name = put_name(frame, out + used, used != 0);
        used += name;
        if (!name || (i > 0 && is_of_tool(frame)))
            break;
    }
    return used;
}
