/* fgw_pack.h - records made small for the store, and back.
 *
 * Records of one kind follow each other with nearly the same words (who, which model, which
 * limits), and most other words are small numbers. So each record is stored as its difference
 * (xor, word by word) to the one of its kind before it, and of that only the bytes that matter:
 *
 *     | words u16 | kind u8 | 0 | bitmap: word differs | nibbles: its bytes - 1 | bytes ... |
 *
 * About 1 KB of records a request becomes 150 to 250 bytes, in less time than the store needs
 * to checksum the rest. Little-endian.
 */
#ifndef FGW_PACK_H
#define FGW_PACK_H

#include <stddef.h>
#include <stdint.h>

/* Room that fgw_pack never exceeds for `length` bytes of records. */
#define FGW_PACK_ROOM(length) ((length) + (length) / 4 + 64)

/* Packs `length` bytes of whole records, 8-byte aligned. Returns bytes written to `out`, which has
 * FGW_PACK_ROOM(length), or -1 where the bytes are not whole records. */
int64_t fgw_pack(const uint8_t *records, size_t length, uint8_t *out);

/* Bytes that unpacking will give, or -1 where `packed` is damaged. */
int64_t fgw_unpacked_size(const uint8_t *packed, size_t length);

/* Unpacks to `out`. Returns bytes written, or -1 where `packed` is damaged or `room` too small. */
int64_t fgw_unpack(const uint8_t *packed, size_t length, uint8_t *out, size_t room);

#endif
