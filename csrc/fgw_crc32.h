/* fgw_crc32.h - the CRC-32 of Ethernet, gzip and AWS's event stream (reflected, 0xEDB88320). */
#ifndef FGW_CRC32_H
#define FGW_CRC32_H

#include <stddef.h>
#include <stdint.h>

/* The sum over what `crc` is the sum of (0: nothing) and `length` more bytes. */
uint32_t fgw_crc32(uint32_t crc, const uint8_t *bytes, size_t length);

#endif
