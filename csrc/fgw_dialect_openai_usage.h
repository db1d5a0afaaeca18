/* fgw_dialect_openai_usage.h - the openai dialect: what the numbers of a usage object mean.
 *
 * They are many vendors', who differ in what is part of what; the total, and marks that only one
 * of them has, tell them apart.
 */
#ifndef FGW_DIALECT_OPENAI_USAGE_H
#define FGW_DIALECT_OPENAI_USAGE_H

#include "fgw_dialect_meter.h"

/* The usage object in meter->json (slots: enum answer_slot) becomes the meter's report, unless it
 * is filling that knows nothing. */
void fgw_openai_take_report(struct fgw_meter *meter);

/* The report in disjoint classes; sets CLAMPED, no other flag. */
void fgw_openai_classes(const struct fgw_meter *meter, struct fgw_usage *usage);

#endif
