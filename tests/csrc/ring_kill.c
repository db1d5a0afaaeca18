/* A producer that posts until it is killed: NAME records of 64 to 304 bytes whose text is made of
 * their position, so that a torn, lost or doubled one shows. Goes on where its predecessor was. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "fgw_ring.h"

int main(int argc, char **argv)
{
    struct stat there;
    struct fgw_ring ring;
    uint64_t number = 0;
    int fd = argc > 1 ? open(argv[1], O_RDWR) : -1;
    void *memory;

    if (fd < 0 || fstat(fd, &there) != 0) {
        return 1;
    }
    memory = mmap(NULL, (size_t)there.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED ||
        fgw_ring_open_producer(&ring, memory, (size_t)there.st_size) != 0) {
        return 2;
    }
    for (;;) {
        uint16_t text = (uint16_t)(number * 8 % 248);
        uint32_t size = (uint32_t)sizeof(struct fgw_record_name) + text;
        struct fgw_record_name *name = (void *)fgw_ring_claim(&ring, size, 0);

        if (name == NULL) {
            continue; /* the consumer is behind */
        }
        memset(name, 0, sizeof(*name));
        name->head.kind = FGW_RECORD_NAME;
        name->head.version = FGW_RECORD_VERSION;
        name->length = text;
        name->hash[0] = ring.claimed;
        memset(name->text, (int)(ring.claimed / 8 % 251), text);
        fgw_ring_publish(&ring, 0);
        number++;
    }
}
