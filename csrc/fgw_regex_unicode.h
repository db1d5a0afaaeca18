/* fgw_regex_unicode.h - Unicode's categories, some scripts, and which letters are one letter.
 *
 * Generated from RE2 itself (tools/regex_classes.py). Categories lie one run after the other from
 * code 0 on; a letter's orbit (K, k, the Kelvin sign) is walked by adding deltas, round and round.
 */
#ifndef FGW_REGEX_UNICODE_H
#define FGW_REGEX_UNICODE_H

#include <stdint.h>

#define FGW_REGEX_CATEGORIES 4008
#define FGW_REGEX_FOLDS 421
#define FGW_REGEX_SCRIPTS 12
#define FGW_REGEX_SPANS 219

/* Every step-th of `count` characters from `first` on: the next of its orbit is `delta` away. */
struct fgw_regex_fold {
    uint32_t first;
    uint16_t count;
    uint16_t step;
    int32_t delta;
};

struct fgw_regex_script {
    char name[12];
    uint32_t end; /* of its spans, which begin where the one before ends */
};

/* How many characters << 5 | category: 0 unassigned, else 1 + its place in Lu Ll Lt Lm Lo Mn Mc
 * Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So Zs Zl Zp Cc Cf Co. */
extern const uint32_t fgw_regex_categories[FGW_REGEX_CATEGORIES];
extern const struct fgw_regex_fold fgw_regex_folds[FGW_REGEX_FOLDS];
extern const struct fgw_regex_script fgw_regex_scripts[FGW_REGEX_SCRIPTS];
extern const uint32_t fgw_regex_spans[FGW_REGEX_SPANS][2]; /* first and last */

#endif
