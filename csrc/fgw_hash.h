/* fgw_hash.h - the hashes of the gateway.
 *
 * SHA-256 (FIPS 180-4) names access keys: only the hash of a key is kept.
 * SipHash-2-4 (Aumasson, Bernstein) spreads limit keys over the shared table under a secret key,
 * so that no client can choose keys that collide.
 */
#ifndef FGW_HASH_H
#define FGW_HASH_H

#include <stddef.h>
#include <stdint.h>

#define FGW_SHA256_BYTES 32

/* Writes the 32 bytes of SHA-256 over `bytes` to `digest`. */
void fgw_sha256(const uint8_t *bytes, size_t length, uint8_t digest[FGW_SHA256_BYTES]);

/* 1 if this processor has instructions for it. Ask once: in a virtual machine the question costs
 * microseconds. The same digest, four times as fast; only where is_fast said 1. */
int fgw_sha256_is_fast(void);
void fgw_sha256_fast(const uint8_t *bytes, size_t length, uint8_t digest[FGW_SHA256_BYTES]);

/* SipHash-2-4 under a 16-byte key: 64 bits (as the little-endian number of the paper). */
uint64_t fgw_siphash64(const uint8_t key[16], const uint8_t *bytes, size_t length);

/* SipHash-2-4-128: out[0] holds the first 8 bytes of the digest, little-endian, out[1]
 * the rest. */
void fgw_siphash128(const uint8_t key[16], const uint8_t *bytes, size_t length, uint64_t out[2]);

/* 1 if the `length` bytes are equal, in a time that does not depend on where they differ. */
int fgw_equal_constant_time(const uint8_t *left, const uint8_t *right, size_t length);

#endif
