#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "core.h"
#include "stage.h"

static ring *new_ring(void) { return calloc(1, sizeof(ring)); }

static order_record numbered(int64_t n)
{
    return (order_record){.tick = n, .value = ~n, .generation = (uint32_t)n};
}

static void what_was_written_is_read_in_order(void)
{
    ring *r = new_ring();
    order_record in[3] = {numbered(1), numbered(2), numbered(3)}, out[4];
    CHECK(ring_write(r, in, 3));
    CHECK(ring_waiting(r) == 3);
    CHECK(ring_read(r, out, 4) == 3);
    CHECK(memcmp(in, out, sizeof in) == 0);
    CHECK(ring_read(r, out, 4) == 0);
    free(r);
}

static void a_batch_goes_in_whole_or_not_at_all(void)
{
    ring *r = new_ring();
    static order_record batch[RING_RECORDS + 1];
    CHECK(!ring_write(r, batch, RING_RECORDS + 1));
    CHECK(ring_write(r, batch, RING_RECORDS - 2));
    CHECK(!ring_write(r, batch, 3));
    CHECK(ring_waiting(r) == RING_RECORDS - 2);
    CHECK(ring_write(r, batch, 2));
    CHECK(!ring_write(r, batch, 1));
    order_record o;
    CHECK(ring_read(r, &o, 1) == 1);
    CHECK(ring_write(r, batch, 1));
    free(r);
}

static void batches_cross_the_end_of_the_memory_and_the_wrap_of_the_counters(void)
{
    ring *r = new_ring();
    uint32_t start = UINT32_MAX - 3 * RING_RECORDS / 2;
    atomic_store(&r->written, start);
    atomic_store(&r->read, start);
    int64_t next_in = 0, next_out = 0;
    bool all_right = true;
    uint64_t random = 1;
    for (int turn = 0; turn < 4000; turn++) {
        order_record batch[64], o;
        uint32_t count = (uint32_t)random_from(&random, 1, 64);
        for (uint32_t i = 0; i < count; i++)
            batch[i] = numbered(next_in + i);
        if (ring_write(r, batch, count))
            next_in += count;
        for (uint32_t i = (uint32_t)random_from(&random, 0, 64); i > 0; i--)
            if (ring_read(r, &o, 1) == 1)
                all_right = all_right && o.tick == next_out && o.value == ~next_out,
                next_out++;
    }
    CHECK(all_right);
    CHECK(next_in - next_out == ring_waiting(r));
    CHECK(atomic_load(&r->written) < start);
    free(r);
}

static void peek_takes_nothing(void)
{
    ring *r = new_ring();
    order_record in[3] = {numbered(1), numbered(2), numbered(3)}, out[3];
    ring_write(r, in, 3);
    CHECK(ring_peek(r, 1, out, 3) == 2);
    CHECK(out[0].tick == 2 && out[1].tick == 3);
    CHECK(ring_peek(r, 3, out, 3) == 0);
    CHECK(ring_waiting(r) == 3);
    ring_advance(r, 2);
    CHECK(ring_read(r, out, 3) == 1 && out[0].tick == 3);
    free(r);
}

#define EXCHANGED 400000

static void *write_batches(void *data)
{
    ring *r = data;
    uint64_t random = 7;
    order_record batch[100];
    for (int64_t next = 0; next < EXCHANGED;) {
        uint32_t count = (uint32_t)random_from(&random, 1, 100);
        if (next + count > EXCHANGED)
            count = (uint32_t)(EXCHANGED - next);
        for (uint32_t i = 0; i < count; i++)
            batch[i] = numbered(next + i);
        batch[0].count = count;
        while (!ring_write(r, batch, count))
            sched_yield();
        next += count;
    }
    return NULL;
}

/* The head of a batch says how many records belong to it; once it is seen, all of
   them must be there. */
static void two_threads_exchange_whole_batches_and_every_byte(void)
{
    ring *r = new_ring();
    pthread_t writer;
    pthread_create(&writer, NULL, write_batches, r);
    order_record head, rest[100];
    bool whole = true, right = true;
    for (int64_t next = 0; next < EXCHANGED;) {
        if (ring_read(r, &head, 1) == 0) {
            sched_yield();
            continue;
        }
        whole = whole && ring_read(r, rest, head.count - 1) == head.count - 1;
        right = right && head.tick == next && head.value == ~next;
        for (uint32_t i = 1; i < head.count; i++)
            right = right && rest[i - 1].tick == next + i
                 && rest[i - 1].value == ~(next + i);
        next += head.count;
        if (!whole || !right)
            break;
    }
    CHECK(whole);
    CHECK(right);
    while (whole && right && ring_waiting(r) > 0)
        ring_read(r, rest, 100);
    if (whole && right)
        pthread_join(writer, NULL);
    CHECK(ring_waiting(r) == 0);
    if (whole && right)
        free(r);
}

int main(void)
{
    RUN(what_was_written_is_read_in_order);
    RUN(a_batch_goes_in_whole_or_not_at_all);
    RUN(batches_cross_the_end_of_the_memory_and_the_wrap_of_the_counters);
    RUN(peek_takes_nothing);
    RUN(two_threads_exchange_whole_batches_and_every_byte);
    return report("ring");
}
