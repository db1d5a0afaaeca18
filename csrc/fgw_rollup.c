#include "fgw_rollup.h"

#include <string.h>

#define DIMS_WORDS (sizeof(struct fgw_dims) / 8)

static uint64_t mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
    return hash ^ (hash >> 29);
}

static uint64_t hash_key(uint64_t minute, const struct fgw_dims *dims)
{
    uint64_t words[DIMS_WORDS];
    uint64_t hash = minute;

    memcpy(words, dims, sizeof(words));
    for (size_t index = 0; index < DIMS_WORDS; index++) {
        hash = mix(hash, words[index]);
    }
    return hash ^ (hash >> 32);
}

/* Word by word: all are looked at, for they are nearly always the same. */
static int same_key(const struct fgw_rollup *row, uint64_t minute, const struct fgw_dims *dims)
{
    uint64_t one[DIMS_WORDS], other[DIMS_WORDS], apart = row->minute ^ minute;

    memcpy(one, &row->dims, sizeof(one));
    memcpy(other, dims, sizeof(other));
    for (size_t index = 0; index < DIMS_WORDS; index++) {
        apart |= one[index] ^ other[index];
    }
    return apart == 0;
}

static struct fgw_rollup *row_of(struct fgw_rollups *rollups, uint64_t minute,
                                 const struct fgw_dims *dims)
{
    uint32_t mask = rollups->slots_count - 1;
    uint32_t slot;
    struct fgw_rollup *row;

    if (rollups->last < rollups->used && same_key(&rollups->rows[rollups->last], minute, dims)) {
        return &rollups->rows[rollups->last];
    }
    slot = (uint32_t)hash_key(minute, dims) & mask;
    while (rollups->slots[slot] != 0) {
        row = &rollups->rows[rollups->slots[slot] - 1];
        if (same_key(row, minute, dims)) {
            rollups->last = rollups->slots[slot] - 1;
            return row;
        }
        slot = (slot + 1) & mask;
    }
    if (rollups->used >= rollups->rows_max) {
        return NULL;
    }
    row = &rollups->rows[rollups->used];
    memset(row, 0, sizeof(*row));
    row->minute = minute;
    row->dims = *dims;
    rollups->last = rollups->used++;
    rollups->slots[slot] = rollups->used;
    return row;
}

void fgw_rollups_reseat(struct fgw_rollups *rollups)
{
    uint32_t mask = rollups->slots_count - 1;

    for (uint32_t index = 0; index < rollups->used; index++) {
        const struct fgw_rollup *row = &rollups->rows[index];
        uint32_t slot = (uint32_t)hash_key(row->minute, &row->dims) & mask;

        while (rollups->slots[slot] != 0) {
            slot = (slot + 1) & mask;
        }
        rollups->slots[slot] = index + 1;
    }
}

/* A number no real request reaches: a provider that reports more must not overflow the sums of
 * others, and a bound beyond it is none. */
#define SANE_MAX ((uint64_t)1 << 48)
/* Of an interval: what a client wrote (max_tokens) is no bound beyond what a provider's report may
 * say (FGW_REPORT_MAX); so a store's signed sums hold two thousand million of them. */
#define BOUND_MAX ((uint64_t)1 << 32)

static uint64_t sane(uint64_t number)
{
    return number < SANE_MAX ? number : SANE_MAX;
}

static void add_units(struct fgw_units *sum, const struct fgw_record_close *close)
{
    struct fgw_units units;

    fgw_close_units(close, &units);
    sum->image_input += sane(units.image_input);
    sum->image_output += sane(units.image_output);
    sum->images += sane(units.images);
    sum->audio_ms += sane(units.audio_ms);
    sum->characters += sane(units.characters);
    sum->searches += sane(units.searches);
}

static void add_close(struct fgw_rollup *row, const struct fgw_record_close *close)
{
    row->attempts++;
    add_units(&row->units, close);
    row->tokens.input += sane(close->tokens.input);
    row->tokens.cached_input += sane(close->tokens.cached_input);
    row->tokens.cache_write += sane(close->tokens.cache_write);
    row->tokens.cache_write_1h += sane(close->tokens.cache_write_1h);
    row->tokens.output += sane(close->tokens.output);
    row->tokens.reasoning += sane(close->tokens.reasoning);
    row->tokens.audio_input += sane(close->tokens.audio_input);
    row->tokens.audio_output += sane(close->tokens.audio_output);
    row->input_low += sane(close->input_low);
    row->output_low += sane(close->output_low);
    /* An unknown bound in a sum would make all of it unknown: counted apart instead. */
    if (close->input_high > BOUND_MAX || close->output_high > BOUND_MAX) {
        row->unbounded++;
    }
    row->input_high += sane(close->input_high > BOUND_MAX ? close->input_low : close->input_high);
    row->output_high +=
        sane(close->output_high > BOUND_MAX ? close->output_low : close->output_high);
    if (close->cost_nano_usd < 0) {
        row->cost_unknown++;
    } else {
        row->cost_nano_usd += sane((uint64_t)close->cost_nano_usd);
    }
}

int fgw_rollups_add(struct fgw_rollups *rollups, const struct fgw_record *record)
{
    const struct fgw_record_request *request = (const void *)record;
    const struct fgw_record_close *close = (const void *)record;
    const struct fgw_record_refused *refused = (const void *)record;
    struct fgw_dims dims = {0};
    struct fgw_rollup *row;

    switch (record->kind) {
    case FGW_RECORD_REQUEST:
        dims = request->dims;
        break;
    case FGW_RECORD_CLOSE:
        dims = close->dims;
        break;
    case FGW_RECORD_REFUSED:
        dims.account = refused->account;
        break;
    default:
        return 0;
    }
    memset(dims.reserved, 0, sizeof(dims.reserved)); /* no key of its own */
    row = row_of(rollups, record->wall_ns / FGW_MINUTE_NS, &dims);
    if (row == NULL) {
        return -2;
    }
    if (record->kind == FGW_RECORD_REQUEST) {
        row->requests++;
        row->denied += request->verdict != 0;
    } else if (record->kind == FGW_RECORD_CLOSE) {
        add_close(row, close);
    } else {
        row->requests += refused->count;
        row->denied += refused->count;
    }
    return 0;
}

static int same_attempt(const struct fgw_attempt *row, const struct fgw_request_id *id,
                        uint8_t attempt)
{
    return row->id.sequence == id->sequence && row->id.generation == id->generation &&
           row->id.worker == id->worker && row->attempt == attempt;
}

static uint32_t *slot_of(const struct fgw_attempts *attempts, const struct fgw_request_id *id,
                         uint8_t attempt)
{
    uint32_t mask = attempts->slots_count - 1;
    uint64_t hash = mix(id->sequence, ((uint64_t)id->generation << 32) |
                                          ((uint64_t)id->worker << 8) | attempt);
    uint32_t slot = (uint32_t)(hash >> 32) & mask;

    while (attempts->slots[slot] != 0 &&
           !same_attempt(&attempts->rows[attempts->slots[slot] - 1], id, attempt)) {
        slot = (slot + 1) & mask;
    }
    return &attempts->slots[slot];
}

int fgw_attempts_note(struct fgw_attempts *attempts, const struct fgw_record *record,
                      uint64_t offset)
{
    int opens = record->kind == FGW_RECORD_OPEN;
    uint8_t state = opens ? FGW_ATTEMPT_OPENED : FGW_ATTEMPT_CLOSED;
    uint8_t attempt = opens ? ((const struct fgw_record_open *)(const void *)record)->attempt
                            : ((const struct fgw_record_close *)(const void *)record)->attempt;
    uint32_t *slot = slot_of(attempts, &record->id, attempt);
    struct fgw_attempt *row;

    if (*slot == 0) {
        if (attempts->used >= attempts->rows_max) {
            return -2;
        }
        row = &attempts->rows[attempts->used++];
        memset(row, 0, sizeof(*row));
        row->id = record->id;
        row->attempt = attempt;
        *slot = attempts->used;
    }
    row = &attempts->rows[*slot - 1];
    if ((row->state & state) != 0) {
        return 1;
    }
    row->state |= state;
    if (opens) {
        row->offset = offset;
    }
    return 0;
}

void fgw_attempts_reseat(struct fgw_attempts *attempts)
{
    for (uint32_t index = 0; index < attempts->used; index++) {
        const struct fgw_attempt *row = &attempts->rows[index];

        *slot_of(attempts, &row->id, row->attempt) = index + 1;
    }
}

const struct fgw_attempt *fgw_attempts_find(const struct fgw_attempts *attempts,
                                            const struct fgw_request_id *id, uint8_t attempt)
{
    uint32_t *slot = slot_of(attempts, id, attempt);

    return *slot == 0 ? NULL : &attempts->rows[*slot - 1];
}

void fgw_tally_one(struct fgw_tally *tally, const struct fgw_record *record)
{
    tally->records++;
    switch (record->kind) {
    case FGW_RECORD_REQUEST:
        tally->requests++;
        tally->denied += ((const struct fgw_record_request *)(const void *)record)->verdict != 0;
        break;
    case FGW_RECORD_OPEN:
        tally->opens++;
        break;
    case FGW_RECORD_CLOSE:
        tally->closes++;
        break;
    case FGW_RECORD_NAME:
        tally->names++;
        break;
    case FGW_RECORD_REFUSED:
        tally->counted += ((const struct fgw_record_refused *)(const void *)record)->count;
        break;
    default:
        break;
    }
    if (tally->wall_first == 0 || record->wall_ns < tally->wall_first) {
        tally->wall_first = record->wall_ns;
    }
    if (record->wall_ns > tally->wall_last) {
        tally->wall_last = record->wall_ns;
    }
}

int fgw_pages_note(struct fgw_pages *pages, const struct fgw_record *record)
{
    const struct fgw_request_id *id = &record->id;
    const uint64_t number = id->sequence >> FGW_PAGE_BITS;
    struct fgw_page *seen = &pages->recent[(number ^ id->worker) & 15];

    if (id->generation == 0 || (seen->generation == id->generation && seen->page == number &&
                                seen->worker == id->worker)) {
        return 0;
    }
    if (pages->used >= pages->max) {
        return -2;
    }
    seen->generation = id->generation;
    seen->worker = id->worker;
    seen->page = number;
    pages->pages[pages->used++] = *seen;
    return 0;
}

int fgw_tally_add(struct fgw_tally *tally, const uint8_t *records, size_t length,
                  struct fgw_pages *pages)
{
    for (size_t at = 0; at < length;) {
        const struct fgw_record *record = (const void *)(records + at);

        if (length - at < sizeof(*record) || record->size < sizeof(*record) ||
            record->size > length - at) {
            return -1;
        }
        fgw_tally_one(tally, record);
        if (fgw_pages_note(pages, record) != 0) {
            return -2;
        }
        at += record->size;
    }
    return 0;
}
