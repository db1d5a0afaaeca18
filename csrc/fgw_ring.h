/* fgw_ring.h - one producer, one consumer, one file: the way of a record out of a worker.
 *
 * A ring is a file on tmpfs that both sides map. The producer (a worker, the supervisor) writes
 * whole records of fgw_record.h; the consumer (the recorder) copies spans of them, stores these,
 * and only then gives the room back.
 *
 *     0       64         128        192         256                4096          4096 + size
 *     | fixed | producer | consumer | counters  | refusal counts.. | records ...       |
 *
 *     positions only grow; the byte of position p stands at 4096 + p % size
 *
 *            tail              head
 *     --------|===== whole ====|------ room, of it `reserved` ------|
 *
 * head is stored with release after the record is whole: who is killed at any instant leaves
 * only whole records. A record's `sequence` is the position it stands at. So numbers grow without
 * a counter that could be lost, continue when a worker is respawned, and a gap shows: the next
 * record stands at sequence + size, or at the next lap with a padding record (kind 0) between.
 *
 * Reserving: opening an attempt sets room aside for its close, so that a close never fails.
 * At all times  used + reserved + FGW_RING_SLACK <= size  for whoever posts without reservation;
 * the slack pays for the one padding a lap can need.
 *
 * No allocation, no clock, no file: the caller maps the memory. Not for two producers.
 */
#ifndef FGW_RING_H
#define FGW_RING_H

#include <stddef.h>
#include <stdint.h>

#include "fgw_record.h"

#define FGW_RING_MAGIC 0x676e697277676676u /* "vfgwring" */
#define FGW_RING_LAYOUT 1
#define FGW_RING_HEADER 4096
#define FGW_RING_SIZE_MIN 16384
#define FGW_RING_RECORD_MAX 4096 /* no record is larger; also bounds text of NAME */
#define FGW_RING_SLACK FGW_RING_RECORD_MAX

struct fgw_ring_file; /* the mapping; its fields belong to fgw_ring.c */

/* One side's view of the mapping. */
struct fgw_ring {
    struct fgw_ring_file *file;
    uint8_t *area;
    uint64_t size;
    uint64_t head; /* producer: own; consumer: as last read */
    uint64_t tail; /* consumer: own; producer: as last read */
    uint64_t reserved;
    uint64_t claimed; /* position of the record being written */
    uint64_t claimed_bytes;
};

/* Fixed facts of a ring. */
struct fgw_ring_facts {
    uint64_t ring;     /* random at creation: a recreated file is another ring */
    uint64_t size;     /* bytes of the record area, a power of two */
    uint32_t slot;     /* worker slot; FGW_RING_SUPERVISOR for the supervisor's */
    uint32_t lane;     /* enum fgw_ring_lane */
    uint8_t boot[16];  /* boot id of the kernel */
};

enum fgw_ring_lane { FGW_RING_MAIN = 0, FGW_RING_REFUSALS = 1 };
#define FGW_RING_SUPERVISOR 0xffffu

/* Makes a ring of zeroed memory of FGW_RING_HEADER + facts->size bytes. -1: size is no power
 * of two or below FGW_RING_SIZE_MIN. The magic is stored last. */
int fgw_ring_format(void *memory, const struct fgw_ring_facts *facts);

/* Opens a mapping of `length` bytes. Returns 0, or -1 where it is no ring of this layout or its
 * numbers contradict each other. For a producer nothing is reserved afterwards. */
int fgw_ring_open_producer(struct fgw_ring *ring, void *memory, size_t length);
int fgw_ring_open_consumer(struct fgw_ring *ring, void *memory, size_t length);
void fgw_ring_read_facts(const struct fgw_ring *ring, struct fgw_ring_facts *facts);

/* Producer. Sets `bytes` (a multiple of 8) aside beside `also` bytes that follow at once.
 * 0, or -1: no room. */
int fgw_ring_reserve(struct fgw_ring *ring, uint64_t bytes, uint64_t also);
void fgw_ring_unreserve(struct fgw_ring *ring, uint64_t bytes);

/* Producer. Where a record of `bytes` (multiple of 8, <= FGW_RING_RECORD_MAX) may be written, its
 * old bytes undefined; NULL: no room. `reserved`: 0, or an earlier reservation (>= bytes), which
 * makes this never fail and which publish uses up whole. Nothing is visible before
 * fgw_ring_publish; claiming again forgets an unpublished claim. */
struct fgw_record *fgw_ring_claim(struct fgw_ring *ring, uint32_t bytes, uint32_t reserved);

/* Producer. Makes the claimed record visible; its size (as claimed) and sequence are set here. */
void fgw_ring_publish(struct fgw_ring *ring, uint32_t reserved);

/* Consumer. Takes a fresh look at head. Returns bytes between tail and head, or -1 where head
 * makes no sense (the producer's memory is damaged). */
int64_t fgw_ring_look(struct fgw_ring *ring);

/* Consumer. Copies the whole records from position `from` (tail <= from) up to head as last looked
 * at into `out`, paddings left out, and stops before one that does not fit in `room`. Each is
 * checked: size, kind, version, lengths inside, sequence. Returns bytes written; *next is the
 * position after the last one taken. Where a damaged record follows good ones these are returned
 * first; -1: the very first one, at *next, is damaged. */
int64_t fgw_ring_copy(const struct fgw_ring *ring, uint64_t from, uint8_t *out, size_t room,
                      uint64_t *next);

/* Consumer. Gives the room before `position` back. Refuses (-1) to go backwards or past head. */
int fgw_ring_release(struct fgw_ring *ring, uint64_t position);

/* 0 if `record`, of which `available` bytes can be read, is a whole and possible record. */
int fgw_record_check(const struct fgw_record *record, size_t available);

/* Counters of the producer, shown in metrics; read by anyone. */
enum fgw_ring_counter_id {
    FGW_RING_DROPPED_OPEN = 0, /* attempts not recorded: on_ledger_full: drop */
    FGW_RING_REFUSED_OPEN = 1, /* requests refused because the ring was full */
    FGW_RING_DROPPED_CLOSE = 2,
    FGW_RING_DROPPED_REQUEST = 3,
    FGW_RING_DROPPED_NAME = 4, /* posted again with their next use */
    FGW_RING_REFUSALS_SEEN = 5, /* refusals seen, posted or counted */
    FGW_RING_REFUSALS_MERGED = 6, /* counted without rule and key: the table was full */
    FGW_RING_COUNTERS = 8,
};
void fgw_ring_count(struct fgw_ring *ring, int counter);
uint64_t fgw_ring_counter(const struct fgw_ring *ring, int counter);

/* Room inside the header for the refusal counts (fgw_refusals.h). */
void *fgw_ring_refusals(const struct fgw_ring *ring);

#endif
