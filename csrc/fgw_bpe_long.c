/* fgw_bpe_long.c - the states of a piece that is known by the counts of its prefixes only. */
#include "fgw_bpe_long.h"

static void finish(struct fgw_bpe_count *counter, uint64_t tokens)
{
    counter->pieces += tokens;
    counter->state = FGW_BPE_BRIEF;
}

/* What comes from here on may be a piece of its own. */
static void split(struct fgw_bpe_count *counter)
{
    counter->split = fgw_bpe_run_tokens(&counter->whole);
    counter->has_split = 1;
    counter->blanks = 0;
    counter->blank_length = 0;
    fgw_bpe_run_start(&counter->rest);
}

/* One more character of a run of capitals. */
static void capital(struct fgw_bpe_count *counter, const struct fgw_bpe_vocabulary *v,
                    const uint8_t *p, struct fgw_bpe_rune rune)
{
    fgw_bpe_run_feed(&counter->whole, v, p, rune.width);
    if (rune.sort != FGW_BPE_UPPER)
        split(counter);
    else if (counter->has_split)
        fgw_bpe_run_feed(&counter->rest, v, p, rune.width);
}

/* One more character of white space. */
static void blank(struct fgw_bpe_count *counter, const struct fgw_bpe_vocabulary *v,
                  const uint8_t *p, struct fgw_bpe_rune rune)
{
    fgw_bpe_run_feed(&counter->whole, v, p, rune.width);
    if (rune.sort == FGW_BPE_NEWLINE) {
        split(counter);
        return;
    }
    if (counter->has_split)
        fgw_bpe_run_feed(&counter->rest, v, p, rune.width);
    memcpy(counter->blank, p, rune.width);
    counter->blank_length = (uint8_t)rune.width;
    counter->blanks++;
}

/* White space ended before a character that is none: its last one, if no line end, is left to
 * that. */
static void spaces_end(struct fgw_bpe_count *counter)
{
    const struct fgw_bpe_run *run = counter->has_split ? &counter->rest : &counter->whole;
    uint64_t tokens = counter->has_split ? counter->split : 0;
    if (counter->blanks > 1)
        tokens += fgw_bpe_run_before(run, counter->blank_length);
    memcpy(counter->tail, counter->blank, sizeof counter->blank);
    counter->tail_length = counter->blank_length;
    finish(counter, tokens);
}

/* Capitals ended before something that no word goes on with. */
static void capitals_end(struct fgw_bpe_count *counter)
{
    if (counter->has_split && counter->rest.length) {
        counter->pieces += counter->split;
        counter->whole = counter->rest;
    }
    counter->state = FGW_BPE_ENDED;
}

/* Puts one character to the piece. 0 where it does not belong to it. */
static int goes_on(struct fgw_bpe_count *counter, const struct fgw_bpe_vocabulary *v,
                   const uint8_t *p, struct fgw_bpe_rune rune)
{
    const int o200k = v->kind == FGW_BPE_O200K;
    switch ((enum fgw_bpe_state)counter->state) {
    case FGW_BPE_CAPITALS:
        if (rune.sort == FGW_BPE_LOWER) {
            counter->state = FGW_BPE_WORD;
            break;
        }
        if (rune.sort != FGW_BPE_UPPER && !FGW_BPE_IN(rune.sort, FGW_BPE_SMALL))
            return 0;
        capital(counter, v, p, rune);
        return 1;
    case FGW_BPE_SPACES:
        if (!FGW_BPE_IN(rune.sort, FGW_BPE_WHITE))
            return 0;
        blank(counter, v, p, rune);
        return 1;
    case FGW_BPE_WORD:
        if (!FGW_BPE_IN(rune.sort, o200k ? FGW_BPE_SMALL : FGW_BPE_LETTERS))
            return 0;
        break;
    case FGW_BPE_SIGNS:
        if (rune.sort == FGW_BPE_NEWLINE)
            counter->state = FGW_BPE_SIGNS_END;
        else if (!FGW_BPE_IN(rune.sort, FGW_BPE_SIGN))
            return 0;
        break;
    case FGW_BPE_SIGNS_END:
        if (rune.sort != FGW_BPE_NEWLINE && !(p[0] == '/' && o200k))
            return 0;
        break;
    case FGW_BPE_BRIEF:
    case FGW_BPE_ENDED:
        return 0;
    }
    fgw_bpe_run_feed(&counter->whole, v, p, rune.width);
    return 1;
}

/* Behind the last character of the piece stands p[0, n). Returns bytes of it that belong to the
 * piece all the same; 0 and state ENDED where more text must say so. */
static size_t ends(struct fgw_bpe_count *counter, const struct fgw_bpe_vocabulary *v,
                   const uint8_t *p, size_t n, int final)
{
    size_t end = 0;
    if (counter->state == FGW_BPE_SPACES) {
        spaces_end(counter);
        return 0;
    }
    if (counter->state == FGW_BPE_CAPITALS)
        capitals_end(counter);
    else if (counter->state == FGW_BPE_WORD && v->kind == FGW_BPE_O200K)
        counter->state = FGW_BPE_ENDED;
    if (counter->state == FGW_BPE_ENDED) {
        end = fgw_bpe_contraction(p, 0, n, final);
        if (end == FGW_BPE_UNSURE)
            return 0;
        fgw_bpe_run_feed(&counter->whole, v, p, end);
    }
    finish(counter, fgw_bpe_run_tokens(&counter->whole));
    return end;
}

/* Where white space or capitals may yet be cut: behind the last line end, or the last caseless
 * letter or mark. 0: nowhere. Notes what white space ends with. */
static size_t last_split(struct fgw_bpe_count *counter, const uint8_t *p, size_t n)
{
    size_t split = 0;
    for (size_t at = 0; at < n;) {
        struct fgw_bpe_rune rune = fgw_bpe_rune_at(p + at);
        const size_t end = at + rune.width;
        if (counter->state == FGW_BPE_CAPITALS) {
            /* Only at the beginning there may be something else, which leads the word. */
            split = rune.sort == FGW_BPE_CASELESS || rune.sort == FGW_BPE_MARK ? end : split;
        } else if (rune.sort == FGW_BPE_NEWLINE) {
            split = end;
            counter->blanks = 0;
            counter->blank_length = 0;
        } else {
            counter->blanks++;
            counter->blank_length = (uint8_t)rune.width;
            memcpy(counter->blank, p + at, rune.width);
        }
        at = end;
    }
    return split;
}

void fgw_bpe_long_start(struct fgw_bpe_count *counter, const struct fgw_bpe_vocabulary *v,
                        const struct fgw_bpe_open *open, const uint8_t *p)
{
    fgw_bpe_run_start(&counter->whole);
    fgw_bpe_run_start(&counter->rest);
    counter->has_split = 0;
    counter->blanks = 0;
    counter->blank_length = 0;
    counter->state = (uint8_t)open->state;
    fgw_bpe_run_feed(&counter->whole, v, p, open->body);
    if (open->state == FGW_BPE_CAPITALS || open->state == FGW_BPE_SPACES) {
        size_t split = last_split(counter, p, open->body);
        if (split) {
            counter->has_split = 1;
            counter->split = open->body - split < FGW_BPE_TOKEN_MAX
                                 ? fgw_bpe_run_before(&counter->whole,
                                                      (unsigned)(open->body - split))
                                 : (uint32_t)fgw_bpe_piece_tokens(v, p, split);
            fgw_bpe_run_feed(&counter->rest, v, p + split, open->body - split);
        }
    }
}

size_t fgw_bpe_long_feed(struct fgw_bpe_count *counter, const struct fgw_bpe_vocabulary *v,
                         const uint8_t *p, size_t n)
{
    size_t at = 0;
    while (at < n) {
        struct fgw_bpe_rune rune = fgw_bpe_rune_at(p + at);
        if (!goes_on(counter, v, p + at, rune))
            return at + ends(counter, v, p + at, n - at, 0);
        at += rune.width;
    }
    return at;
}

size_t fgw_bpe_long_end(struct fgw_bpe_count *counter, const struct fgw_bpe_vocabulary *v,
                        const uint8_t *p, size_t n)
{
    if (counter->state != FGW_BPE_SPACES)
        return ends(counter, v, p, n, 1);
    uint64_t tokens = fgw_bpe_run_tokens(&counter->whole);
    if (v->kind == FGW_BPE_O200K && counter->has_split)
        tokens = (uint64_t)counter->split + fgw_bpe_run_tokens(&counter->rest);
    finish(counter, tokens);
    return 0;
}

uint32_t fgw_bpe_long_least(const struct fgw_bpe_count *counter)
{
    uint32_t least = fgw_bpe_run_least(&counter->whole);
    if (counter->has_split
        && (counter->state == FGW_BPE_CAPITALS || counter->state == FGW_BPE_SPACES)) {
        uint32_t apart = counter->split + fgw_bpe_run_least(&counter->rest);
        least = apart < least ? apart : least;
    }
    return least;
}
