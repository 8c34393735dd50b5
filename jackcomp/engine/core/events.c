/* The event heap: a binary heap of fixed capacity, ordered by tick, then kind,
   then arrival. A note keeps one slot for its whole life: it waits there as
   EVENT_ON and, once it sounds, as EVENT_OFF, so a note that was accepted always
   has room for its end. */

#include "core.h"

static bool before(const event *a, const event *b)
{
    if (a->tick != b->tick)
        return a->tick < b->tick;
    if (a->kind != b->kind)
        return a->kind < b->kind;
    return (int32_t)(a->sequence - b->sequence) < 0;
}

static void sift_down(event_heap *h, uint32_t i)
{
    event moving = h->slots[i];
    for (;;) {
        uint32_t child = 2 * i + 1;
        if (child >= h->count)
            break;
        if (child + 1 < h->count && before(&h->slots[child + 1], &h->slots[child]))
            child++;
        if (!before(&h->slots[child], &moving))
            break;
        h->slots[i] = h->slots[child];
        i = child;
    }
    h->slots[i] = moving;
}

/* False, and nothing changed, when every slot is taken. */
bool heap_push(event_heap *h, event e)
{
    if (h->count == MAX_EVENTS)
        return false;
    e.sequence = h->next_sequence++;
    uint32_t i = h->count++;
    while (i > 0 && before(&e, &h->slots[(i - 1) / 2])) {
        h->slots[i] = h->slots[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    h->slots[i] = e;
    return true;
}

/* The next event; the heap must not be empty. */
event heap_pop(event_heap *h)
{
    event top = h->slots[0];
    h->slots[0] = h->slots[--h->count];
    if (h->count > 0)
        sift_down(h, 0);
    return top;
}

/* Make a heap again after slots were changed in place. */
void heap_order(event_heap *h)
{
    for (uint32_t i = h->count / 2; i-- > 0;)
        sift_down(h, i);
}
