/* fgw_bpe_scan.c - the pieces of a text. */
#include "fgw_bpe_scan.h"

static size_t undecided(struct fgw_bpe_open *open, enum fgw_bpe_state state, size_t body)
{
    open->state = state;
    open->body = body;
    return 0;
}

static inline int is_o200k(unsigned kind)
{
    return kind == FGW_BPE_O200K;
}

/* What a word is made of. In o200k_base marks are; in cl100k_base they are signs. */
static inline unsigned letters(unsigned kind)
{
    return FGW_BPE_LETTERS | (is_o200k(kind) ? 1u << FGW_BPE_MARK : 0);
}

size_t fgw_bpe_contraction(const uint8_t *p, size_t at, size_t n, int final)
{
    if (at == n || p[at] != '\'')
        return at;
    if (at + 1 == n)
        return final ? at : FGW_BPE_UNSURE;
    unsigned first = p[at + 1] | 0x20u, second = 0;
    if (first == 's' || first == 't' || first == 'm' || first == 'd')
        return at + 2;
    /* U+017F, the long s, is an s to whoever ignores case. */
    if (p[at + 1] == 0xc5 && p[at + 2] == 0xbf)
        return at + 3;
    if (first == 'r' || first == 'v')
        second = 'e';
    else if (first == 'l')
        second = 'l';
    else
        return at;
    if (at + 2 == n)
        return final ? at : FGW_BPE_UNSURE;
    return (p[at + 2] | 0x20u) == second ? at + 3 : at;
}

/* The end of a word whose letters end at `at`: o200k_base takes a contraction with it. */
static size_t word_end(unsigned kind, const uint8_t *p, size_t at, size_t n, int final,
                       struct fgw_bpe_open *open)
{
    if (!is_o200k(kind))
        return at;
    size_t end = fgw_bpe_contraction(p, at, n, final);
    return end == FGW_BPE_UNSURE ? undecided(open, FGW_BPE_ENDED, at) : end;
}

/* The letters of a word from `at` on: in o200k_base from the first lower one. */
static inline size_t word(unsigned kind, const uint8_t *p, size_t at, size_t n, int final,
                          struct fgw_bpe_open *open)
{
    const unsigned more = is_o200k(kind) ? FGW_BPE_SMALL : FGW_BPE_LETTERS;
    for (;;) {
        while (at < n && p[at] - (unsigned)'a' < 26u)
            at++;
        if (at == n)
            return final ? n : undecided(open, FGW_BPE_WORD, n);
        struct fgw_bpe_rune rune = fgw_bpe_rune_at(p + at);
        if (!FGW_BPE_IN(rune.sort, more))
            return word_end(kind, p, at, n, final, open);
        at += rune.width;
    }
}

/* o200k_base: a word from `at` on, behind what may stand before it. */
static inline size_t capitals(const uint8_t *p, size_t at, size_t n, int final,
                              struct fgw_bpe_open *open)
{
    size_t split = 0;
    while (at < n) {
        struct fgw_bpe_rune rune = fgw_bpe_rune_at(p + at);
        if (rune.sort == FGW_BPE_LOWER)
            return word(FGW_BPE_O200K, p, at, n, final, open);
        if (rune.sort != FGW_BPE_UPPER) {
            if (!FGW_BPE_IN(rune.sort, FGW_BPE_SMALL))
                break;
            split = at + rune.width;
        }
        at += rune.width;
    }
    if (at == n && !final)
        return undecided(open, FGW_BPE_CAPITALS, n);
    if (split && split != at)
        return split;
    return word_end(FGW_BPE_O200K, p, at, n, final, open);
}

static inline size_t letters_from(unsigned kind, const uint8_t *p, size_t at, size_t n, int final,
                                  struct fgw_bpe_open *open)
{
    return is_o200k(kind) ? capitals(p, at, n, final, open) : word(kind, p, at, n, final, open);
}

static size_t numbers(const uint8_t *p, size_t n, int final, struct fgw_bpe_open *open)
{
    size_t at = 0;
    for (unsigned have = 0; have < 3; have++) {
        if (at == n)
            return final ? n : undecided(open, FGW_BPE_BRIEF, n);
        struct fgw_bpe_rune rune = fgw_bpe_rune_at(p + at);
        if (rune.sort != FGW_BPE_NUMBER)
            return at;
        at += rune.width;
    }
    return at;
}

/* Signs from `at` on, where at least one stands. */
static size_t signs(unsigned kind, const uint8_t *p, size_t at, size_t n, int final,
                    struct fgw_bpe_open *open)
{
    while (at < n) {
        struct fgw_bpe_rune rune = fgw_bpe_rune_at(p + at);
        if (!FGW_BPE_IN(rune.sort, FGW_BPE_SIGN))
            break;
        at += rune.width;
    }
    if (at == n)
        return final ? n : undecided(open, FGW_BPE_SIGNS, n);
    while (at < n && (p[at] == '\r' || p[at] == '\n' || (p[at] == '/' && is_o200k(kind))))
        at++;
    if (at == n && !final)
        return undecided(open, FGW_BPE_SIGNS_END, n);
    return at;
}

/* White space, where it does not lead a word or signs. */
static size_t spaces(unsigned kind, const uint8_t *p, size_t n, int final,
                     struct fgw_bpe_open *open)
{
    size_t at = 0, lines = 0, last = 0;
    while (at < n) {
        for (; n - at > 8 && fgw_bpe_word64(p + at) == 0x2020202020202020u; at += 8)
            last = at + 7;
        struct fgw_bpe_rune rune = fgw_bpe_rune_at(p + at);
        if (!FGW_BPE_IN(rune.sort, FGW_BPE_WHITE))
            break;
        last = at;
        at += rune.width;
        if (rune.sort == FGW_BPE_NEWLINE)
            lines = at;
    }
    if (at == n && !final)
        return undecided(open, FGW_BPE_SPACES, n);
    if (at == n && !is_o200k(kind))
        return n;
    if (lines)
        return lines;
    return at == n || last == 0 ? at : last;
}

static inline size_t piece(unsigned kind, const uint8_t *p, size_t n, int final,
                           struct fgw_bpe_open *open)
{
    struct fgw_bpe_rune first = fgw_bpe_rune_at(p), next;
    if (FGW_BPE_IN(first.sort, letters(kind)))
        return letters_from(kind, p, 0, n, final, open);
    if (first.sort == FGW_BPE_NUMBER)
        return numbers(p, n, final, open);
    if (first.sort == FGW_BPE_NEWLINE)
        return spaces(kind, p, n, final, open);
    if (first.width == n)
        return final ? n : undecided(open, FGW_BPE_BRIEF, n);
    if (!is_o200k(kind) && p[0] == '\'') {
        size_t end = fgw_bpe_contraction(p, 0, n, final);
        if (end)
            return end == FGW_BPE_UNSURE ? undecided(open, FGW_BPE_BRIEF, n) : end;
    }
    next = fgw_bpe_rune_at(p + first.width);
    if (FGW_BPE_IN(next.sort, letters(kind)))
        return letters_from(kind, p, first.width, n, final, open);
    if (first.sort == FGW_BPE_BLANK) {
        if (p[0] == ' ' && FGW_BPE_IN(next.sort, FGW_BPE_SIGN))
            return signs(kind, p, 1, n, final, open);
        return FGW_BPE_IN(next.sort, FGW_BPE_WHITE) ? spaces(kind, p, n, final, open)
                                                    : first.width;
    }
    return signs(kind, p, 0, n, final, open);
}

size_t fgw_bpe_piece(unsigned kind, const uint8_t *p, size_t n, int final,
                     struct fgw_bpe_open *open)
{
    /* Twice, so that each has only its own branches. */
    return is_o200k(kind) ? piece(FGW_BPE_O200K, p, n, final, open)
                          : piece(FGW_BPE_CL100K, p, n, final, open);
}
