#include "fgw_wheel.h"

static void unhang(struct fgw_timer *timer)
{
    timer->prev->next = timer->next;
    timer->next->prev = timer->prev;
    timer->next = 0;
    timer->prev = 0;
}

static void hang(struct fgw_timer *head, struct fgw_timer *timer)
{
    timer->prev = head->prev;
    timer->next = head;
    head->prev->next = timer;
    head->prev = timer;
}

#define HUNG_DUE UINT32_MAX

static void hang_by_deadline(struct fgw_wheel *wheel, struct fgw_timer *timer)
{
    timer->hung = (uint32_t)(timer->deadline_tick % FGW_WHEEL_SLOTS);
    hang(&wheel->slots[timer->hung], timer);
}

void fgw_wheel_init(struct fgw_wheel *wheel, uint64_t now_ns)
{
    wheel->tick = now_ns / FGW_WHEEL_TICK_NS;
    wheel->armed = 0;
    wheel->due.next = wheel->due.prev = &wheel->due;
    for (uint32_t slot = 0; slot < FGW_WHEEL_SLOTS; slot++)
        wheel->slots[slot].next = wheel->slots[slot].prev = &wheel->slots[slot];
}

void fgw_wheel_arm(struct fgw_wheel *wheel, struct fgw_timer *timer, uint64_t deadline_ns)
{
    uint64_t tick = deadline_ns / FGW_WHEEL_TICK_NS + (deadline_ns % FGW_WHEEL_TICK_NS != 0);
    if (tick <= wheel->tick)
        tick = wheel->tick + 1; /* its own slot has been visited: else it would wait a round */
    if (timer->next != 0) {
        uint64_t before = timer->deadline_tick;
        timer->deadline_tick = tick;
        if (timer->hung != HUNG_DUE && tick >= before)
            return; /* it moves when its old slot comes round */
        unhang(timer);
    } else {
        timer->deadline_tick = tick;
        wheel->armed++;
    }
    hang_by_deadline(wheel, timer);
}

void fgw_wheel_disarm(struct fgw_wheel *wheel, struct fgw_timer *timer)
{
    if (timer->next == 0)
        return;
    unhang(timer);
    wheel->armed--;
}

/* Takes what is due out of one slot; what was re-armed meanwhile moves to where it belongs. */
static void visit(struct fgw_wheel *wheel, uint32_t slot, uint64_t upto_tick)
{
    struct fgw_timer *head = &wheel->slots[slot], *next;
    for (struct fgw_timer *timer = head->next; timer != head; timer = next) {
        next = timer->next;
        if (timer->deadline_tick <= upto_tick) {
            unhang(timer);
            timer->hung = HUNG_DUE;
            hang(&wheel->due, timer);
        } else if (timer->deadline_tick % FGW_WHEEL_SLOTS != slot) {
            unhang(timer);
            hang_by_deadline(wheel, timer);
        }
    }
}

void fgw_wheel_advance(struct fgw_wheel *wheel, uint64_t now_ns)
{
    uint64_t now_tick = now_ns / FGW_WHEEL_TICK_NS;
    if (now_tick <= wheel->tick)
        return;
    uint64_t turns = now_tick - wheel->tick;
    if (turns > FGW_WHEEL_SLOTS)
        turns = FGW_WHEEL_SLOTS; /* after a long sleep: each slot once */
    uint64_t first = wheel->tick + 1;
    wheel->tick = now_tick;
    for (uint64_t turn = 0; turn < turns; turn++)
        visit(wheel, (uint32_t)((first + turn) % FGW_WHEEL_SLOTS), now_tick);
}

struct fgw_timer *fgw_wheel_pop(struct fgw_wheel *wheel)
{
    struct fgw_timer *timer = wheel->due.next;
    if (timer == &wheel->due)
        return 0;
    unhang(timer);
    wheel->armed--;
    return timer;
}
