/* fgw_blob.h - a compiled policy as one block: rule index and programs, for all processes.
 *
 *     0                48
 *     | struct fgw_blob | rule index (fgw_index.h) | offsets | program | program | ...
 *
 * Nothing in it is an address, so it lies in one sealed memory file, written once by the process
 * that compiles the policy and mapped read-only, wherever, by all that run it. Equal programs are
 * there once. Who maps a file that came from elsewhere verifies it first.
 */
#ifndef FGW_BLOB_H
#define FGW_BLOB_H

#include <stddef.h>
#include <stdint.h>

#define FGW_BLOB_MAGIC 0x4c505746u /* "FWPL" */
#define FGW_BLOB_LAYOUT 1u         /* rises with every change of what lies in it */

struct fgw_blob {
    uint32_t magic;
    uint32_t layout;
    uint64_t checksum; /* of all that follows */
    uint64_t version;  /* of the policy: fgw_record_request.policy_version */
    uint32_t size;     /* of the whole block, a multiple of 8 */
    uint32_t index_at; /* bytes from the blob's begin, as all offsets; 8-aligned */
    uint32_t index_size;
    uint32_t programs_at; /* uint32_t[n_programs]: where each struct fgw_cel_program begins */
    uint32_t n_programs;
    uint32_t reserved;
};
_Static_assert(sizeof(struct fgw_blob) == 48, "part of a file");

/* Writes the checksum into a block that is otherwise whole. */
void fgw_blob_close(struct fgw_blob *blob);

/* 0 if block[0 .. size), 8-aligned, is a whole blob of this layout, unchanged since it was closed,
 * whose index and programs are sound; else -1. */
int fgw_blob_verify(const void *block, size_t size);

#endif
