#include "fgw_segment.h"

#include <stdatomic.h>
#include <string.h>

#define PAGE UINT64_C(4096)
#define ENTRIES_PER_GROUP 9 /* of FGW_TABLE_WAYS */

uint32_t fgw_segment_groups(uint32_t entries)
{
    uint32_t groups = entries / ENTRIES_PER_GROUP + (entries % ENTRIES_PER_GROUP != 0);
    return groups == 0 ? 1 : groups > FGW_GROUPS_MAX ? FGW_GROUPS_MAX : groups;
}

static uint64_t part(uint64_t *end, uint64_t n, uint64_t size)
{
    uint64_t start = *end;
    *end += (n * size + PAGE - 1) / PAGE * PAGE;
    return start;
}

int fgw_segment_plan(struct fgw_segment *plan, uint32_t workers, uint32_t holds_per_worker,
                     uint32_t groups)
{
    memset(plan, 0, sizeof *plan);
    if (workers == 0 || workers > FGW_WORKERS_MAX || holds_per_worker == 0 ||
        holds_per_worker > FGW_HOLDS_MAX)
        return -1;
    if (groups == 0 || groups > FGW_GROUPS_MAX)
        return -1;
    uint64_t end = PAGE;
    plan->workers = workers;
    plan->holds_per_worker = holds_per_worker;
    plan->groups = groups;
    plan->slots_at = part(&end, workers + FGW_OWNERS_SPARE, sizeof(struct fgw_worker_slot));
    plan->dones_at = part(&end, workers + FGW_OWNERS_SPARE, sizeof(struct fgw_done));
    plan->counters_at = part(&end, workers, sizeof(struct fgw_counters));
    plan->holds_at = part(&end, (uint64_t)workers * holds_per_worker, sizeof(struct fgw_hold));
    plan->table_at = part(&end, groups, sizeof(struct fgw_table_group));
    plan->size = end;
    return 0;
}

/* FNV-1a: against damage, not against malice. */
static uint64_t checksum_of(const struct fgw_segment_header *header)
{
    const uint8_t *bytes = (const uint8_t *)header;
    uint64_t sum = UINT64_C(0xcbf29ce484222325);
    for (size_t at = 0; at < offsetof(struct fgw_segment_header, checksum); at++)
        sum = (sum ^ bytes[at]) * UINT64_C(0x100000001b3);
    return sum;
}

void fgw_segment_make(const struct fgw_segment *plan, const uint8_t boot[16],
                      const uint8_t secret[16], uint32_t uid, uint64_t wall_ns)
{
    struct fgw_segment_header header;
    memset(&header, 0, sizeof header);
    header.magic = FGW_SEGMENT_MAGIC;
    header.layout = FGW_SEGMENT_LAYOUT;
    header.header_size = (uint32_t)PAGE;
    header.size = plan->size;
    header.workers = plan->workers;
    header.holds_per_worker = plan->holds_per_worker;
    header.groups = plan->groups;
    header.uid = uid;
    memcpy(header.boot, boot, sizeof header.boot);
    memcpy(header.secret, secret, sizeof header.secret);
    header.made_ns = wall_ns;
    header.slot_size = sizeof(struct fgw_worker_slot);
    header.counters_size = sizeof(struct fgw_counters);
    header.hold_size = sizeof(struct fgw_hold);
    header.group_size = sizeof(struct fgw_table_group);
    header.checksum = checksum_of(&header);
    memcpy(plan->base, &header, sizeof header);
}

static int check_header(const struct fgw_segment_header *header, const uint8_t *boot,
                        uint32_t uid)
{
    if (header->magic != FGW_SEGMENT_MAGIC)
        return FGW_SEGMENT_FOREIGN;
    if (header->layout != FGW_SEGMENT_LAYOUT)
        return FGW_SEGMENT_OTHER_LAYOUT;
    if (header->checksum != checksum_of(header))
        return FGW_SEGMENT_DAMAGED;
    if (header->header_size != PAGE || header->slot_size != sizeof(struct fgw_worker_slot) ||
        header->counters_size != sizeof(struct fgw_counters) ||
        header->hold_size != sizeof(struct fgw_hold) ||
        header->group_size != sizeof(struct fgw_table_group))
        return FGW_SEGMENT_OTHER_LAYOUT;
    if (header->uid != uid)
        return FGW_SEGMENT_OTHER_USER;
    if (boot != 0 && memcmp(header->boot, boot, sizeof header->boot) != 0)
        return FGW_SEGMENT_OTHER_BOOT;
    return 0;
}

int fgw_segment_check(struct fgw_segment *segment, uint8_t *base, uint64_t size,
                      const uint8_t *boot, uint32_t uid)
{
    struct fgw_segment_header header;
    memset(segment, 0, sizeof *segment);
    if (size < PAGE)
        return FGW_SEGMENT_SHORT;
    memcpy(&header, base, sizeof header); /* once: what is checked is what is used */
    int fault = check_header(&header, boot, uid);
    if (fault != 0)
        return fault;
    struct fgw_segment plan;
    if (fgw_segment_plan(&plan, header.workers, header.holds_per_worker, header.groups) != 0 ||
        plan.size != header.size)
        return FGW_SEGMENT_DAMAGED;
    if (plan.size > size)
        return FGW_SEGMENT_SHORT;
    plan.base = base;
    memcpy(plan.secret, header.secret, sizeof plan.secret);
    *segment = plan;
    return 0;
}

struct fgw_board *fgw_segment_board(const struct fgw_segment *segment)
{
    return (struct fgw_board *)(void *)(segment->base + FGW_BOARD_AT);
}

struct fgw_segment_header *fgw_segment_header(const struct fgw_segment *segment)
{
    return (struct fgw_segment_header *)(void *)segment->base;
}

static void *view(const struct fgw_segment *segment, uint64_t at, uint64_t index, uint64_t n,
                  uint64_t size)
{
    return index < n ? segment->base + at + index * size : 0;
}

struct fgw_worker_slot *fgw_segment_slot(const struct fgw_segment *segment, uint32_t owner)
{
    return view(segment, segment->slots_at, owner, segment->workers + FGW_OWNERS_SPARE,
                sizeof(struct fgw_worker_slot));
}

struct fgw_counters *fgw_segment_counters(const struct fgw_segment *segment, uint32_t worker)
{
    return view(segment, segment->counters_at, worker, segment->workers,
                sizeof(struct fgw_counters));
}

struct fgw_hold *fgw_segment_hold(const struct fgw_segment *segment, uint32_t worker,
                                  uint32_t index)
{
    if (worker >= segment->workers)
        return 0;
    uint64_t arena = (uint64_t)worker * segment->holds_per_worker * sizeof(struct fgw_hold);
    return view(segment, segment->holds_at + arena, index, segment->holds_per_worker,
                sizeof(struct fgw_hold));
}

struct fgw_dones fgw_segment_dones(const struct fgw_segment *segment)
{
    return (struct fgw_dones){view(segment, segment->dones_at, 0, 1, 0),
                              segment->workers + FGW_OWNERS_SPARE};
}

struct fgw_table fgw_segment_table(const struct fgw_segment *segment)
{
    return (struct fgw_table){view(segment, segment->table_at, 0, 1, 0),
                              {segment->secret[0], segment->secret[1]},
                              segment->groups};
}

uint32_t fgw_segment_adopt(const struct fgw_segment *segment, uint32_t pid, uint64_t start_time)
{
    struct fgw_segment_header *header = fgw_segment_header(segment);
    atomic_store(&header->supervisor_pid, pid);
    atomic_store(&header->supervisor_start_time, start_time);
    return atomic_fetch_add(&header->generation, 1) + 1;
}

uint32_t fgw_segment_generation(const struct fgw_segment *segment)
{
    return atomic_load(&fgw_segment_header(segment)->generation);
}

void fgw_worker_read(const struct fgw_worker_slot *slot, struct fgw_worker_seen *seen)
{
    seen->pid = atomic_load(&slot->pid);
    seen->state = atomic_load(&slot->state);
    seen->generation = atomic_load(&slot->generation);
    seen->start_time = atomic_load(&slot->start_time);
    seen->heartbeat_ns = atomic_load(&slot->heartbeat_ns);
    seen->turns = atomic_load(&slot->turns);
    seen->policy_version = atomic_load(&slot->policy_version);
}

void fgw_worker_claim(struct fgw_worker_slot *slot, uint32_t pid, uint64_t start_time,
                      uint32_t generation)
{
    /* turns and word_seq go on from the last owner: turns only has to move, and a change number
     * must never come twice. */
    atomic_store(&slot->start_time, start_time);
    atomic_store(&slot->generation, generation);
    atomic_store(&slot->heartbeat_ns, 0);
    atomic_store(&slot->policy_version, 0);
    fgw_worker_show_queue(slot, 0, 0);
    atomic_store(&slot->pid, pid);
    atomic_store(&slot->state, FGW_WORKER_STARTING);
}

void fgw_worker_set_state(struct fgw_worker_slot *slot, uint32_t state)
{
    atomic_store(&slot->state, state);
}

void fgw_worker_set_policy(struct fgw_worker_slot *slot, uint64_t version)
{
    atomic_store(&slot->policy_version, version);
}

void fgw_worker_show_queue(struct fgw_worker_slot *slot, uint64_t oldest_ns, uint64_t keys)
{
    atomic_store(&slot->queue_keys, keys);
    atomic_store(&slot->queue_oldest_ns, oldest_ns);
}

uint64_t fgw_worker_queue(const struct fgw_worker_slot *slot, uint64_t *keys)
{
    /* A change of a word is a release; without this its reader could still have looked earlier. */
    atomic_thread_fence(memory_order_seq_cst);
    uint64_t oldest_ns = atomic_load(&slot->queue_oldest_ns);
    *keys = atomic_load(&slot->queue_keys);
    return oldest_ns;
}
