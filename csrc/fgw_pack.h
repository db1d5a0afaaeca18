/* fgw_pack.h - records made small for the store, and back.
 *
 * Records of one kind follow each other with nearly the same words (who, which model, which
 * limits), and most other words are small numbers. So each record is stored as its difference
 * (xor, word by word) to what is expected of it, and of that only the bytes that matter. A batch:
 *
 *     | 2 u16 | record | record | ...
 *
 * and each of its records:
 *
 *     | kind, SIZED u8 | words u16, if SIZED | groups | bitmap | nibbles | bytes ... |
 *
 *     SIZED    it has another number of words than the one of its kind before it
 *     groups   a bit for each eighth word: this byte of the bitmap is there, the others are 0
 *     bitmap   a bit for each word: it is not what was expected
 *     nibbles  of each of those, how many bytes of the difference are stored, less one
 *     bytes    these, the lowest first
 *
 * Expected is the record of its kind before it, zeros beyond its end, with another head:
 *
 *     size, kind   its own
 *     sequence     where the record before it, of whatever kind, ends in its ring
 *     id, wall_ns  of an OPEN, and of a CLOSE behind a NAME of a request: those of the record
 *                  before it; of any other the next request's, where that kind has requests
 *
 * About 1 KB of records a request becomes 40 to 120 bytes. Little-endian.
 *
 * Batches of earlier builds begin with a larger number (fgw_unpack_1.h); they are read as well.
 */
#ifndef FGW_PACK_H
#define FGW_PACK_H

#include <stddef.h>
#include <stdint.h>

/* Room that fgw_pack never exceeds for `length` bytes of records. */
#define FGW_PACK_ROOM(length) ((length) + (length) / 4 + 64)
#define FGW_PACK_FORMAT 2
#define FGW_PACK_KINDS 8

/* A batch that is being packed or unpacked. */
struct fgw_packer {
    const uint8_t *end;                    /* what may be read ends here */
    const uint8_t *before;                 /* the last record, of whatever kind */
    const uint8_t *record[FGW_PACK_KINDS]; /* the last one of each kind, */
    size_t words[FGW_PACK_KINDS];          /* and how long it is; 0: none yet */
};

/* Begins a batch whose records all stand in one piece of memory that ends at `end`, and stay
 * there. Returns bytes written to `out`. */
size_t fgw_pack_begin(struct fgw_packer *packer, const uint8_t *end, uint8_t *out);

/* Packs the record at `record`, of which the caller knows that it is whole, a multiple of 8 bytes,
 * no longer than FGW_RING_RECORD_MAX and of a kind below FGW_PACK_KINDS. Returns bytes written;
 * all of a batch together stay within FGW_PACK_ROOM, of which all beyond may be scribbled on. */
size_t fgw_pack_one(struct fgw_packer *packer, const uint8_t *record, uint8_t *out);

/* Packs `length` bytes of whole records. Returns bytes written to `out`, which has
 * FGW_PACK_ROOM(length), or -1 where the bytes are not whole records. */
int64_t fgw_pack(const uint8_t *records, size_t length, uint8_t *out);

/* Bytes that unpacking will give, or -1 where `packed` is damaged. */
int64_t fgw_unpacked_size(const uint8_t *packed, size_t length);

/* Unpacks to `out`. Returns bytes written, or -1 where `packed` is damaged or `room` too small. */
int64_t fgw_unpack(const uint8_t *packed, size_t length, uint8_t *out, size_t room);

#endif
