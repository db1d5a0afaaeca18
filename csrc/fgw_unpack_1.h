/* fgw_unpack_1.h - batches of the store as builds before fgw_pack.h's format wrote them.
 *
 * Each record is its difference (xor, word by word) to the one of its kind before it:
 *
 *     | words u16 | kind u8 | 0 | bitmap: word differs | nibbles: its bytes - 1 | bytes ... |
 */
#ifndef FGW_UNPACK_1_H
#define FGW_UNPACK_1_H

#include <stddef.h>
#include <stdint.h>

/* As fgw_unpacked_size. */
int64_t fgw_unpacked_size_1(const uint8_t *packed, size_t length);

/* As fgw_unpack. */
int64_t fgw_unpack_1(const uint8_t *packed, size_t length, uint8_t *out, size_t room);

#endif
