/* fgw_detect_kind.h - the rules of single kinds; for fgw_detect.c alone.
 *
 * Each looks at one place of the text and says whether a find stands there, with its bounds, or
 * that it cannot know before more has come (find->start then says from where on; it is preset).
 */
#ifndef FGW_DETECT_KIND_H
#define FGW_DETECT_KIND_H

#include <string.h>

#include "fgw_detect.h"

enum look_answer { LOOK_NO = 0, LOOK_YES, LOOK_OPEN };

struct look {
    const uint8_t *text;
    uint32_t from;
    uint32_t end;
    int final;
};

enum {
    UPPER = 1,
    LOWER = 2,
    DIGIT = 4,
    WORD = 8,
    IN_KEY = 16, /* of keys: words and dashes */
    LOCAL = 32,  /* of the local part of an address */
    UNIT = 64,   /* of all that is looked at together */
};
extern const uint8_t fgw_detect_class[256] __attribute__((visibility("hidden")));

static inline int is(uint8_t byte, int classes) { return fgw_detect_class[byte] & classes; }
#define ALNUM (UPPER | LOWER | DIGIT)

static inline int is_at(const struct look *look, uint32_t at, int classes)
{
    return at < look->end && is(look->text[at], classes);
}

/* In code that is quoted in the text, \n and the like end what stands before: the letter at `at`
 * is the second half of an escape. */
static inline int is_escape_letter(const struct look *look, uint32_t at)
{
    if (at == 0 || at >= look->end || look->text[at - 1] != '\\')
        return 0;
    uint8_t letter = look->text[at];
    return letter == 'n' || letter == 'r' || letter == 't' || letter == 'b' || letter == 'f';
}

/* Nothing that could belong to the same word stands just before `at`. */
static inline int begins_word(const struct look *look, uint32_t at)
{
    return at == 0 || !is(look->text[at - 1], ALNUM) || is_escape_letter(look, at - 1);
}

/* The end of the text is not known yet, and `at` is past what is. */
static inline int runs_out(const struct look *look, uint32_t at)
{
    return !look->final && at >= look->end;
}

/* One of the words (lower case, apart by |) stands in the `reach` bytes before `at`, in any
 * case. */
int fgw_look_before(const struct look *look, uint32_t at, uint32_t reach, const char *words);

/* A find that begins at the digit `at`, the first of its group. */
enum look_answer fgw_look_card(const struct look *look, uint32_t at, struct fgw_detect_find *find);
enum look_answer fgw_look_ssn(const struct look *look, uint32_t at, struct fgw_detect_find *find);
enum look_answer fgw_look_phone(const struct look *look, uint32_t at,
                                struct fgw_detect_find *find);
/* ... at the letter `at`, which two digits follow as third and fourth. */
enum look_answer fgw_look_iban(const struct look *look, uint32_t at, struct fgw_detect_find *find);
/* ... around the @ at `at`. */
enum look_answer fgw_look_email(const struct look *look, uint32_t at,
                                struct fgw_detect_find *find);
/* ... at `at`, where a word begins. */
enum look_answer fgw_look_key(const struct look *look, uint32_t at, struct fgw_detect_find *find);
enum look_answer fgw_look_jwt(const struct look *look, uint32_t at, struct fgw_detect_find *find);
/* ... at the first of five dashes. */
enum look_answer fgw_look_pem(const struct look *look, uint32_t at, struct fgw_detect_find *find);

/* The leftmost match of a pattern that begins before `end`. */
enum look_answer fgw_look_patterns(const struct look *look,
                                   const struct fgw_detect_pattern *pattern, uint32_t end,
                                   struct fgw_detect_find *find);

#endif
