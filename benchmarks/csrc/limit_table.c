/* limit_table.c - one limit taken and settled, beside what others do for it; best of many rounds.
 *
 *   limit_table ours ALGORITHM     our take + settle: token_bucket, sliding_window, fixed_window,
 *                                  concurrency, cap; of one key among 1,000 others
 *   limit_table gcra               in the manner of Rust's governor: one compare-and-swap on one
 *                                  word per take; no unit but one, no settling, no table of keys,
 *                                  and what a killed process has taken is gone
 *   limit_table redis PORT WHAT    a round trip on loopback: ping, incr (with its expiry), bucket
 *                                  (a token bucket in Lua, by EVALSHA)
 *
 * Prints nanoseconds per operation.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "../bench.h"
#include "fgw_limit.h"

enum { GROUPS = 1024, OTHERS = 1000, ROUNDS = 40, EACH = 50000, TRIPS = 500 };
static const uint64_t MINUTE = 60000000000u, WALL = 1760000000000000000u;

static uint64_t clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* ---- ours ---- */

static struct fgw_table_group groups[GROUPS];
static struct fgw_worker_slot slot;
static struct fgw_done done[1];
static struct fgw_hold hold;
static struct fgw_limit_spec spec;
static struct fgw_limits limits;
static struct fgw_demand demand;

static uint64_t mixed(uint64_t x) { return (x + 1) * UINT64_C(0x9e3779b97f4a7c15); }

static void ours_setup(const char *name)
{
    static const char *const NAMES[] = {[FGW_ALGORITHM_TOKEN_BUCKET] = "token_bucket",
                                        [FGW_ALGORITHM_CONCURRENCY] = "concurrency",
                                        [FGW_ALGORITHM_CAP] = "cap",
                                        [FGW_ALGORITHM_FIXED_WINDOW] = "fixed_window",
                                        [FGW_ALGORITHM_SLIDING_WINDOW] = "sliding_window"};
    for (uint8_t i = 1; i < sizeof NAMES / sizeof *NAMES; i++)
        if (!strcmp(name, NAMES[i]))
            spec.algorithm = i;
    bench_expect(spec.algorithm != 0);
    limits = (struct fgw_limits){.specs = &spec, .n_specs = 1, .table = {groups, {41, 43}, GROUPS},
                                 .dones = {done, 1}, .slot = &slot};
    for (uint64_t i = 0; i < OTHERS; i++) {
        uint64_t key[2] = {mixed(i), mixed(mixed(i))};
        int inserted = 0;
        fgw_table_insert(&limits.table, key, FGW_CELL_PACE << 4, 0, &inserted);
        bench_expect(inserted);
    }
    bench_expect(fgw_quota_init(&spec.quota, 1000000000u, MINUTE) == 0);
    spec.unit = spec.algorithm == FGW_ALGORITHM_CONCURRENCY ? FGW_UNIT_SLOTS : FGW_UNIT_TOKENS;
    spec.holds = spec.algorithm == FGW_ALGORITHM_CAP;
    spec.enforced = 1;
    demand = (struct fgw_demand){.identity = {mixed(5000), mixed(6000)}, .enforced = 1};
}

/* Taken for what is expected, settled to what was used. */
static void ours_run(size_t n)
{
    const struct fgw_request_id id = {0};
    const struct fgw_amounts held = {.by_unit = {1, 700, 200, 500, 0, 1}};
    const struct fgw_amounts used = {.by_unit = {1, 150, 100, 50, 0, 1}};
    static uint64_t now = 1000000000;
    struct fgw_limit_trace trace;
    uint32_t inserted;
    while (n--) {
        fgw_hold_begin(&hold, &id, now);
        bench_expect(fgw_limits_take(&limits, &demand, 1, &held, &held, now, WALL + now, &hold,
                                     &trace, &inserted) == 0);
        fgw_limits_settle(&limits, &hold, &used, now + 100000);
        fgw_hold_end(&hold);
        now += 1000000;
    }
}

/* ---- one compare-and-swap ---- */

static _Atomic uint64_t arrival; /* theoretical arrival time of the next unit */

static void gcra_run(size_t n)
{
    const uint64_t interval = 60, burst = MINUTE;
    static uint64_t now = 1000000000;
    while (n--) {
        uint64_t then = atomic_load_explicit(&arrival, memory_order_acquire), next;
        do {
            next = (then > now ? then : now) + interval;
            bench_expect(next - now <= burst);
        } while (!atomic_compare_exchange_weak_explicit(&arrival, &then, next,
                                                        memory_order_release,
                                                        memory_order_relaxed));
        now += 1000000;
    }
}

/* ---- Redis ---- */

static int server;
static char command[1024];
static size_t command_bytes;

static const char BUCKET[] =
    "local now = redis.call('TIME') "
    "local at = now[1] * 1000 + math.floor(now[2] / 1000) "
    "local old = redis.call('HMGET', KEYS[1], 'level', 'at') "
    "local size, per_ms, need = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]) "
    "local level = tonumber(old[1] or size) + (at - tonumber(old[2] or at)) * per_ms "
    "if level > size then level = size end "
    "local passes = level >= need and 1 or 0 "
    "if passes == 1 then level = level - need end "
    "redis.call('HMSET', KEYS[1], 'level', level, 'at', at) "
    "redis.call('PEXPIRE', KEYS[1], 60000) "
    "return passes";

static size_t trip(char *answer, size_t room)
{
    bench_expect(write(server, command, command_bytes) == (ssize_t)command_bytes);
    ssize_t got = read(server, answer, room - 1);
    bench_expect(got > 0);
    answer[got] = 0;
    if (answer[0] == '-')
        fputs(answer, stderr);
    bench_expect(answer[0] != '-');
    return (size_t)got;
}

static void redis_setup(const char *port, const char *what)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
    char answer[256];
    int on = 1;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bench_expect(connect(server, (struct sockaddr *)&to, sizeof to) == 0);
    setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    int bytes = 0;
    if (!strcmp(what, "ping")) {
        bytes = snprintf(command, sizeof command, "*1\r\n$4\r\nPING\r\n");
    } else if (!strcmp(what, "incr")) {
        bytes = snprintf(command, sizeof command, "*2\r\n$4\r\nINCR\r\n$3\r\nkey\r\n");
    } else {
        command_bytes = (size_t)snprintf(
            command, sizeof command, "*3\r\n$6\r\nSCRIPT\r\n$4\r\nLOAD\r\n$%zu\r\n%s\r\n",
            sizeof BUCKET - 1, BUCKET);
        bench_expect(command_bytes < sizeof command && trip(answer, sizeof answer) >= 46);
        bytes = snprintf(command, sizeof command,
                         "*7\r\n$7\r\nEVALSHA\r\n$40\r\n%.40s\r\n$1\r\n1\r\n$3\r\nbkt\r\n"
                         "$10\r\n1000000000\r\n$7\r\n1000000\r\n$3\r\n700\r\n", answer + 5);
    }
    bench_expect(bytes > 0 && (size_t)bytes < sizeof command);
    command_bytes = (size_t)bytes;
}

static void redis_run(size_t n)
{
    char answer[256];
    while (n--)
        trip(answer, sizeof answer);
}

int main(int argc, char **argv)
{
    void (*run)(size_t) = NULL;
    size_t each = EACH;
    if (argc == 3 && !strcmp(argv[1], "ours")) {
        ours_setup(argv[2]);
        run = ours_run;
    } else if (argc == 2 && !strcmp(argv[1], "gcra")) {
        run = gcra_run;
    } else if (argc == 4 && !strcmp(argv[1], "redis")) {
        redis_setup(argv[2], argv[3]);
        run = redis_run;
        each = TRIPS;
    }
    bench_expect(run != NULL);
    uint64_t best = UINT64_MAX;
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t began = clock_ns();
        run(each);
        uint64_t took = clock_ns() - began;
        best = took < best ? took : best;
    }
    printf("%.1f\n", (double)best / (double)each);
    return 0;
}
