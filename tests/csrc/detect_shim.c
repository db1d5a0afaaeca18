/* What tests call through ctypes: whole documents, and streams event by event. */
#include <stdlib.h>
#include <string.h>

#include "fgw_detect_job.h"

struct shim {
    struct fgw_detect_job job;
    struct fgw_detect_report report;
    struct fgw_detect_cuts cuts;
    struct fgw_screen screen;
    struct fgw_detect_cut room[20000];
    struct fgw_screen_channel channels[8];
};

struct shim *shim_new(uint32_t kinds, uint32_t redact);
int64_t shim_document(struct shim *shim, unsigned document, const uint8_t *bytes, size_t length,
                      uint8_t *out, size_t room);
int shim_event(struct shim *shim, const uint8_t *bytes, size_t length, uint32_t base);
uint32_t shim_decided(struct shim *shim, uint32_t base, uint32_t length);
void shim_flush(struct shim *shim);
void shim_let_out(struct shim *shim);
int64_t shim_cut(struct shim *shim, const uint8_t *bytes, size_t length, uint8_t *out,
                 size_t room);
uint32_t shim_cuts(struct shim *shim, struct fgw_detect_cut *out);
uint32_t shim_count(const struct shim *shim, unsigned kind);
size_t shim_path(const struct shim *shim, unsigned kind, uint8_t *out);

struct shim *shim_new(uint32_t kinds, uint32_t redact)
{
    struct shim *shim = malloc(sizeof *shim);

    memset(shim, 0xa5, sizeof *shim); /* nothing may depend on zeroed scratch */
    memset(&shim->report, 0, sizeof shim->report);
    shim->job.report = &shim->report;
    shim->job.cuts = &shim->cuts;
    shim->job.screen = &shim->screen;
    shim->job.kinds = kinds;
    shim->cuts = (struct fgw_detect_cuts){shim->room, 0, 20000, 0, redact, 0, NULL};
    shim->job.n_patterns = 0;
    shim->screen = (struct fgw_screen){shim->channels, 8, 0, 0, 0};
    return shim;
}

int64_t shim_document(struct shim *shim, unsigned document, const uint8_t *bytes, size_t length,
                      uint8_t *out, size_t room)
{
    fgw_detect_document(&shim->job, document, bytes, length);
    return shim_cut(shim, bytes, length, out, room);
}

int64_t shim_cut(struct shim *shim, const uint8_t *bytes, size_t length, uint8_t *out, size_t room)
{
    fgw_cuts_order(&shim->cuts);
    size_t needed = fgw_cuts_length(&shim->cuts, 0, length);
    if (needed > room)
        return -1;
    size_t written = fgw_cuts_copy(&shim->cuts, 0, bytes, length, out);
    return written == needed ? (int64_t)written : -2;
}

int shim_event(struct shim *shim, const uint8_t *bytes, size_t length, uint32_t base)
{
    return fgw_screen_event(&shim->job, bytes, length, base);
}

uint32_t shim_decided(struct shim *shim, uint32_t base, uint32_t length)
{
    return fgw_screen_decided(&shim->screen, base, length);
}

void shim_flush(struct shim *shim) { fgw_screen_flush(&shim->job, 0); }

void shim_let_out(struct shim *shim) { fgw_screen_flush(&shim->job, 1); }

uint32_t shim_cuts(struct shim *shim, struct fgw_detect_cut *out)
{
    fgw_cuts_order(&shim->cuts);
    memcpy(out, shim->room, shim->cuts.count * sizeof *out);
    return shim->cuts.count;
}

uint32_t shim_count(const struct shim *shim, unsigned kind) { return shim->report.count[kind]; }

size_t shim_path(const struct shim *shim, unsigned kind, uint8_t *out)
{
    memcpy(out, shim->report.path[kind], shim->report.path_length[kind]);
    return shim->report.path_length[kind];
}
