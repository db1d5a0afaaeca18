/* fgw_http1_runs.h - lines that followed each other before, taken in one step; and first lines of
 * requests.
 *
 * A client's head is a request line, a few fields that differ, and between them runs of lines that
 * are always the same. A run that was read line by line, each line a kept one (fgw_http1_lines.h),
 * is kept as a whole:
 *
 *     hash of its first 24 bytes --> one of 64 places: bytes | where each line ends | its cuts
 *
 * Of a run the lines are taken that agree byte for byte, from its first on. In a run are only
 * lines that were judged sound and whose judgement asks for nothing but the line itself: a Host of
 * a request, a Connection that says keep-alive, and fields that nobody judges. A Host in a message
 * that has one already is left to who reads line by line.
 *
 * Private to fgw_http1.c.
 */
#ifndef FGW_HTTP1_RUNS_H
#define FGW_HTTP1_RUNS_H

#include "fgw_http1_lines.h"

/* Lines of a kept run at buf + off, which ends at `end` at the latest, as fields of `head` behind
 * those it has, `room` at most. `place` is that of buf + off. Returns their bytes, 0: none. */
uint32_t fgw_runs_take(const struct fgw_lines *lines, uint32_t place, struct fgw_head *head,
                       const uint8_t *buf, uint32_t off, const uint8_t *end, uint32_t room);

/* Whether a kept line that was read and found sound may stand in a run. */
int fgw_runs_fit(const struct fgw_header *header, const uint8_t *buf, int is_request);

/* Keeps `count` fields of `head` from `first` on, which stand behind each other in buf and fit. */
void fgw_runs_keep(struct fgw_lines *lines, const struct fgw_head *head, const uint8_t *buf,
                   uint32_t first, uint32_t count);

/* The same for a request's first line, where it asks for HTTP/1.1 and its target is a path alone
 * (a query may hold a key): take fills method, minor, method_text, target and path. Offset behind
 * the line, 0: not known. */
uint32_t fgw_starts_take(const struct fgw_lines *lines, struct fgw_head *head, const uint8_t *buf,
                         uint32_t off, const uint8_t *end, uint32_t target_max);
void fgw_starts_keep(struct fgw_lines *lines, const struct fgw_head *head, const uint8_t *buf,
                     uint32_t off, uint32_t next, const uint8_t *end);

#endif
