/* fgw_wheel.h - the timer wheel: all time-outs of one worker on one loop timer.
 *
 *     slot   0    1    2  ...  1023
 *            |    |    '-> timer <-> timer <-> (back to the slot)
 *
 * Ticks of 100 ms; a timer hangs in the slot of its tick modulo 1024 (102 s), later ones stay for
 * another round. Timers are nodes inside their owners' objects; nothing is allocated.
 * Arming, disarming and re-arming cost O(1); re-arming to a later instant, which every byte of a
 * busy connection does, is one store: the timer moves when its old slot comes round.
 * A timer never fires before its deadline, and at most one tick (plus the loop's delay) after.
 */
#ifndef FGW_WHEEL_H
#define FGW_WHEEL_H

#include <stdint.h>

#define FGW_WHEEL_SLOTS 1024
#define FGW_WHEEL_TICK_NS UINT64_C(100000000)

/* Zeroed memory is a disarmed timer. It must not move while armed. */
struct fgw_timer {
    struct fgw_timer *next; /* NULL: disarmed */
    struct fgw_timer *prev;
    uint64_t deadline_tick;
    void *owner;   /* the caller's, untouched */
    uint32_t kind; /* the caller's, untouched */
    uint32_t hung; /* slot it hangs in */
};

struct fgw_wheel {
    uint64_t tick;  /* all timers due at or before it have been handed over */
    uint64_t armed; /* number of timers, those due but not yet popped included */
    struct fgw_timer due;
    struct fgw_timer slots[FGW_WHEEL_SLOTS];
};

void fgw_wheel_init(struct fgw_wheel *wheel, uint64_t now_ns);

/* (Re-)arms for the first tick at or after `deadline_ns`; also a timer due but not yet popped. */
void fgw_wheel_arm(struct fgw_wheel *wheel, struct fgw_timer *timer, uint64_t deadline_ns);

/* No effect on a disarmed timer. */
void fgw_wheel_disarm(struct fgw_wheel *wheel, struct fgw_timer *timer);

static inline int fgw_timer_is_armed(const struct fgw_timer *timer) { return timer->next != 0; }

/* Collects what is due at now_ns. Then pop each: the timer comes back disarmed, NULL when none is
 * left. Between two pops any timer may be armed or disarmed, due ones too. */
void fgw_wheel_advance(struct fgw_wheel *wheel, uint64_t now_ns);
struct fgw_timer *fgw_wheel_pop(struct fgw_wheel *wheel);

#endif
