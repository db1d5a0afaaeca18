#include "fgw_detect_job.h"

#include <string.h>

static const char *const NAMES[FGW_DETECT_KINDS] = {
    "api_key", "private_key", "payment_card", "us_ssn", "email", "phone", "iban", "jwt",
};

/* At the joint of two parts so much of either is looked at. */
enum { JOINT = 400 };

const char *fgw_detect_kind_name(unsigned kind)
{
    return kind < FGW_DETECT_KINDS ? NAMES[kind] : NULL;
}

/* ------------------------------------------------------------------ what is found */

static void note_path(struct fgw_detect_job *job, unsigned kind)
{
    uint8_t *path = job->report->path[kind];
    size_t length;

    if (job->ending) {
        length = job->ending->path_length;
        memcpy(path, job->ending->path, length);
    } else {
        length = fgw_walk_path(&job->walk, path);
    }
    job->report->path_length[kind] = (uint8_t)length;
}

static void note_cut(struct fgw_detect_job *job, const struct fgw_detect_cut *cut)
{
    struct fgw_detect_cuts *cuts = job->cuts;
    struct fgw_detect_report *report = job->report;

    if (cut->flags & FGW_CUT_FIRST) {
        if (!report->count[cut->kind]++)
            note_path(job, cut->kind);
        report->found |= 1u << cut->kind;
    }
    if (!(cuts->kinds >> cut->kind & 1))
        return;
    if (cuts->count >= cuts->room)
        cuts->missed++;
    else
        cuts->cuts[cuts->count++] = *cut;
}

static void sink(void *listener, const struct fgw_detect_cut *cut)
{
    struct fgw_detect_job *job = listener;

    if (!job->alone)
        job->alone_start = cut->raw;
    job->alone = 1;
    job->alone_end = cut->raw + cut->length;
    note_cut(job, cut);
}

enum { CROSSING_NOT, CROSSING_FIRST, CROSSING_REST };

/* From the joint: a find that does not cross it was found in its part already, and one that takes
 * from what was found there is none. */
static void sink_joint(void *listener, const struct fgw_detect_cut *cut)
{
    struct fgw_detect_job *job = listener;

    if (cut->flags & FGW_CUT_FIRST) {
        job->first = *cut;
        job->crossing = CROSSING_FIRST;
        return;
    }
    if (job->crossing == CROSSING_FIRST) {
        int taken = (job->before && (int32_t)(job->first.raw - job->before_end) < 0) ||
                    (job->alone && (int32_t)(job->alone_start - cut->raw - cut->length) < 0);
        job->crossing = taken ? CROSSING_NOT : CROSSING_REST;
        if (!taken)
            note_cut(job, &job->first);
    }
    if (job->crossing == CROSSING_REST)
        note_cut(job, cut);
}

/* ------------------------------------------------------------------ texts */

static void begin(struct fgw_detect_job *job, unsigned flags)
{
    fgw_detect_window_begin(&job->window, (flags & FGW_TEXT_NESTED ? FGW_WINDOW_NESTED : 0) |
                                       (flags & FGW_TEXT_NUMBER ? FGW_WINDOW_NUMBER : 0));
}

static uint32_t raw_of(const struct fgw_detect_job *job, const uint8_t *bytes)
{
    return job->base + (uint32_t)(bytes - job->document);
}

static void look_alone(struct fgw_detect_job *job, const struct fgw_text_place *place)
{
    begin(job, place->flags);
    job->alone = 0;
    if (place->name)
        fgw_detect_window_before(&job->window, place->name, place->name_length);
    fgw_detect_window_feed(&job->window, place->bytes, place->length, raw_of(job, place->bytes));
    fgw_detect_window_scan(&job->window, 1);
}

/* Where this part goes on where another has ended, a find may lie in both. */
static void look_at_joint(struct fgw_detect_job *job, const struct fgw_text_place *place)
{
    size_t before = job->part_length > JOINT ? JOINT : job->part_length;
    size_t behind = place->length > JOINT ? JOINT : place->length;
    const uint8_t *tail = job->part + (job->part_length - before);

    if (!(place->flags & FGW_TEXT_PART))
        job->part_channel = 0;
    else if (job->part_channel == place->channel) {
        if (job->joint.length == 0 || job->part_length > JOINT) {
            fgw_detect_window_begin(&job->joint, 0);
            fgw_detect_window_feed(&job->joint, tail, before, raw_of(job, tail));
        }
        fgw_detect_window_feed(&job->joint, place->bytes, behind, raw_of(job, place->bytes));
        job->crossing = CROSSING_NOT;
        fgw_detect_window_scan(&job->joint, 0);
    } else {
        fgw_detect_window_begin(&job->joint, 0);
    }
    if (place->flags & FGW_TEXT_PART)
        job->part_channel = place->channel;
    job->part = place->bytes;
    job->part_length = place->length;
    job->before = job->alone;
    job->before_end = job->alone_end;
}

static void end_joint(struct fgw_detect_job *job)
{
    if (job->part_channel && job->joint.length)
        fgw_detect_window_scan(&job->joint, 1);
    job->part_channel = 0;
}

static void hear(void *listener, const struct fgw_walk *walk, const struct fgw_text_place *place)
{
    struct fgw_detect_job *job = listener;

    (void)walk;
    if (job->part_channel && place->channel != job->part_channel)
        end_joint(job);
    look_alone(job, place);
    look_at_joint(job, place);
}

static void prepare(struct fgw_detect_job *job, unsigned document, const uint8_t *bytes,
                    uint32_t base)
{
    job->document = bytes;
    job->base = base;
    job->part_channel = 0;
    job->ending = NULL;
    job->window.rules = (struct fgw_detect_rules){job->kinds, job->n_patterns, job->patterns};
    job->joint.rules = job->window.rules;
    job->window.listener = job->joint.listener = job;
    job->window.sink = sink;
    job->joint.sink = sink_joint;
    job->walk.document = (uint8_t)document;
    job->walk.hear = hear;
    job->walk.ended = NULL;
    job->walk.listener = job;
}

static void look_plain(struct fgw_detect_job *job, const uint8_t *bytes, size_t length)
{
    job->walk.depth = 0;
    fgw_detect_window_begin(&job->window, FGW_WINDOW_PLAIN);
    fgw_detect_window_feed(&job->window, bytes, length, raw_of(job, bytes));
    fgw_detect_window_scan(&job->window, 1);
}

int fgw_detect_document(struct fgw_detect_job *job, unsigned document, const uint8_t *bytes,
                        size_t length)
{
    prepare(job, document, bytes, 0);
    if (!fgw_walk_run(&job->walk, bytes, length)) {
        end_joint(job);
        return 0;
    }
    job->cuts->count = 0;
    memset(job->report, 0, sizeof *job->report);
    look_plain(job, bytes, length);
    return -1;
}

/* ------------------------------------------------------------------ the document with labels */

static int is_before(const struct fgw_detect_cut *one, const struct fgw_detect_cut *other)
{
    return (int32_t)(one->raw - other->raw) < 0;
}

/* Cuts come nearly in order: those of one text do. */
void fgw_cuts_order(struct fgw_detect_cuts *cuts)
{
    struct fgw_detect_cut *row = cuts->cuts;
    uint32_t kept = 0;

    for (uint32_t i = 1; i < cuts->count; i++) {
        struct fgw_detect_cut cut = row[i];
        uint32_t at = i;
        for (; at && is_before(&cut, &row[at - 1]); at--)
            row[at] = row[at - 1];
        row[at] = cut;
    }
    for (uint32_t i = 1; i < cuts->count; i++) {
        uint32_t end = row[kept].raw + row[kept].length, stop = row[i].raw + row[i].length;
        if ((int32_t)(row[i].raw - end) >= 0) {
            row[++kept] = row[i];
            continue;
        }
        if ((int32_t)(stop - end) > 0)
            row[kept].length = stop - row[kept].raw;
        row[kept].flags |= row[i].flags & FGW_CUT_FIRST;
    }
    if (cuts->count)
        cuts->count = kept + 1;
}

static uint8_t *put(uint8_t *out, const void *bytes, size_t length)
{
    memcpy(out, bytes, length);
    return out + length;
}

enum { LABEL_MAX = 96, NAME_MAX = 64 };

static uint8_t *put_own(uint8_t *out, const struct fgw_detect_pattern *own)
{
    return put(out, own->name, own->name_length < NAME_MAX ? own->name_length : NAME_MAX);
}

static size_t label_of(const struct fgw_detect_cuts *cuts, const struct fgw_detect_cut *cut,
                       uint8_t out[LABEL_MAX])
{
    const char *quote = cut->flags & FGW_CUT_NUMBER ? "\"" : "";
    uint8_t *end = out;

    if (cut->flags & FGW_CUT_BARE)
        quote = "\\\"";

    if (!(cut->flags & FGW_CUT_FIRST))
        return 0;
    end = put(end, quote, strlen(quote));
    end = put(end, "[REDACTED:", 10);
    if (cut->kind < FGW_DETECT_KINDS)
        end = put(end, NAMES[cut->kind], strlen(NAMES[cut->kind]));
    else
        end = put_own(end, &cuts->patterns[cut->kind - FGW_DETECT_KINDS]);
    end = put(end, "]", 1);
    end = put(end, quote, strlen(quote));
    return (size_t)(end - out);
}

size_t fgw_cuts_length(const struct fgw_detect_cuts *cuts, uint32_t from, size_t length)
{
    uint8_t label[LABEL_MAX];
    size_t all = length;

    for (uint32_t i = 0; i < cuts->count && cuts->cuts[i].raw - from < length; i++)
        all += label_of(cuts, &cuts->cuts[i], label) - cuts->cuts[i].length;
    return all;
}

size_t fgw_cuts_copy(const struct fgw_detect_cuts *cuts, uint32_t from, const uint8_t *bytes,
                     size_t length, uint8_t *out)
{
    uint8_t *end = out, label[LABEL_MAX];
    size_t at = 0;

    for (uint32_t i = 0; i < cuts->count && cuts->cuts[i].raw - from < length; i++) {
        const struct fgw_detect_cut *cut = &cuts->cuts[i];
        size_t place = cut->raw - from;
        end = put(end, bytes + at, place - at);
        end = put(end, label, label_of(cuts, cut, label));
        at = place + cut->length;
    }
    end = put(end, bytes + at, length - at);
    return (size_t)(end - out);
}

/* ------------------------------------------------------------------ streams */

static struct fgw_screen_channel *channel_of(struct fgw_screen *screen, uint64_t channel)
{
    struct fgw_screen_channel *unused = NULL;

    for (uint32_t i = 0; i < screen->used; i++) {
        if (screen->channels[i].channel == channel)
            return &screen->channels[i];
        if (!screen->channels[i].channel && !unused)
            unused = &screen->channels[i];
    }
    if (!unused && screen->used < screen->room)
        unused = &screen->channels[screen->used++];
    if (unused)
        unused->channel = unused->ending = 0;
    return unused;
}

static void hear_event(void *listener, const struct fgw_walk *walk,
                       const struct fgw_text_place *place)
{
    struct fgw_detect_job *job = listener;
    struct fgw_screen_channel *channel;

    if (!(place->flags & FGW_TEXT_DELTA)) {
        hear(listener, walk, place);
        return;
    }
    channel = channel_of(job->screen, place->channel | 1);
    if (!channel) {
        job->screen->missed++;
        look_alone(job, place);
        return;
    }
    if (channel->channel) {
        fgw_detect_window_restore(&job->window, &channel->kept);
    } else {
        begin(job, place->flags);
        channel->channel = place->channel | 1;
        channel->group = place->group;
        channel->path_length = (uint32_t)fgw_walk_path(&job->walk, channel->path);
    }
    fgw_detect_window_feed(&job->window, place->bytes, place->length, raw_of(job, place->bytes));
    fgw_detect_window_scan(&job->window, 0);
    fgw_detect_window_keep(&job->window, &channel->kept);
}

static void end_channel(struct fgw_detect_job *job, struct fgw_screen_channel *channel)
{
    job->ending = channel;
    fgw_detect_window_restore(&job->window, &channel->kept);
    fgw_detect_window_scan(&job->window, 1);
    channel->channel = 0;
    job->ending = NULL;
}

static void let_out(struct fgw_detect_job *job, struct fgw_screen_channel *channel)
{
    job->ending = channel;
    fgw_detect_window_restore(&job->window, &channel->kept);
    fgw_detect_window_let_out(&job->window);
    fgw_detect_window_keep(&job->window, &channel->kept);
    job->ending = NULL;
}

/* The texts end behind the event that says so, for it may bear some itself: noted until then. */
static void note_end(void *listener, int64_t group)
{
    struct fgw_detect_job *job = listener;

    for (uint32_t i = 0; i < job->screen->used; i++)
        if (group == INT64_MIN || job->screen->channels[i].group == group)
            job->screen->channels[i].ending = 1;
}

static void end_noted(struct fgw_detect_job *job)
{
    struct fgw_screen *screen = job->screen;

    for (uint32_t i = 0; i < screen->used; i++) {
        if (screen->channels[i].channel && screen->channels[i].ending)
            end_channel(job, &screen->channels[i]);
        screen->channels[i].ending = 0;
    }
}

int fgw_screen_event(struct fgw_detect_job *job, const uint8_t *bytes, size_t length,
                     uint32_t base)
{
    int code;

    prepare(job, FGW_WALK_EVENT, bytes, base);
    job->walk.hear = hear_event;
    job->walk.ended = note_end;
    code = fgw_walk_run(&job->walk, bytes, length);
    end_joint(job);
    if (code && fgw_walk_is_text(&job->walk))
        look_plain(job, bytes, length);
    if (code)
        note_end(job, fgw_walk_is_done(&job->walk) ? INT64_MIN : INT64_MAX);
    end_noted(job);
    return code;
}

void fgw_screen_flush(struct fgw_detect_job *job, int out)
{
    struct fgw_screen *screen = job->screen;

    prepare(job, FGW_WALK_EVENT, NULL, 0);
    for (uint32_t i = 0; i < screen->used; i++) {
        if (!screen->channels[i].channel)
            continue;
        if (out)
            let_out(job, &screen->channels[i]);
        else
            end_channel(job, &screen->channels[i]);
    }
}

uint32_t fgw_screen_decided(const struct fgw_screen *screen, uint32_t base, uint32_t length)
{
    uint32_t least = length, raw;

    for (uint32_t i = 0; i < screen->used; i++)
        if (screen->channels[i].channel && fgw_kept_undecided(&screen->channels[i].kept, &raw) &&
            raw - base < least)
            least = raw - base;
    return least;
}
