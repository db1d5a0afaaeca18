/* Counts refusals and flushes them, again and again, until it is killed. Around each count it
 * stores, in the page given, how many it began and ended; a successor first recovers. */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "fgw_refusals.h"
#include "fgw_ring.h"

static void *map(const char *path, size_t *length)
{
    struct stat there;
    int fd = open(path, O_RDWR);

    if (fd < 0 || fstat(fd, &there) != 0) {
        return MAP_FAILED;
    }
    *length = (size_t)there.st_size;
    return mmap(NULL, *length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
}

int main(int argc, char **argv)
{
    size_t length = 0, page = 0;
    void *memory = argc > 2 ? map(argv[1], &length) : MAP_FAILED;
    volatile uint64_t *counted = argc > 2 ? map(argv[2], &page) : MAP_FAILED;
    struct fgw_record_request refused;
    struct fgw_ring ring;

    if (memory == MAP_FAILED || (void *)counted == MAP_FAILED ||
        fgw_ring_open_producer(&ring, memory, length) != 0) {
        return 1;
    }
    memset(&refused, 0, sizeof(refused));
    fgw_refusals_recover(fgw_ring_refusals(&ring), &ring);
    for (uint64_t turn = 0;; turn++) {
        refused.rule = turn % 5;
        refused.code = 301;
        refused.head.id.sequence = turn;
        counted[0]++;
        fgw_refusals_add(fgw_ring_refusals(&ring), &refused);
        counted[1]++;
        if (turn % 3 == 0) {
            fgw_refusals_flush(fgw_ring_refusals(&ring), &ring, 1);
        }
    }
}
