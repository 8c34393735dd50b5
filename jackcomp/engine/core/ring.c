/* A ring of 32-byte records between two threads, with C11 atomics: the writer
   publishes with release after the bytes are there, the reader takes with acquire
   before it looks. The counters run freely and wrap; their difference is the
   number of records that wait. */

#include <string.h>

#include "core.h"

_Static_assert(sizeof(report_record) == 32, "a record is 32 bytes");
_Static_assert(sizeof(order_record) == 32, "a record is 32 bytes");
_Static_assert((RING_RECORDS & (RING_RECORDS - 1)) == 0, "a power of two");

static uint32_t slot(uint32_t counter) { return counter & (RING_RECORDS - 1); }

uint32_t ring_waiting(const ring *r)
{
    return atomic_load_explicit(&r->written, memory_order_acquire)
         - atomic_load_explicit(&r->read, memory_order_acquire);
}

/* All or nothing: false, and nothing written, when there is no room for all. */
bool ring_write(ring *r, const void *records, uint32_t count)
{
    const unsigned char *bytes = records;
    uint32_t written = atomic_load_explicit(&r->written, memory_order_relaxed);
    uint32_t read = atomic_load_explicit(&r->read, memory_order_acquire);
    if (count > RING_RECORDS - (written - read))
        return false;
    for (uint32_t i = 0; i < count; i++)
        memcpy(r->records + slot(written + i) * 32u, bytes + i * 32u, 32u);
    atomic_store_explicit(&r->written, written + count, memory_order_release);
    return true;
}

/* Copy up to `count` records after the first `skip`, without taking them. */
uint32_t ring_peek(const ring *r, uint32_t skip, void *records, uint32_t count)
{
    unsigned char *bytes = records;
    uint32_t read = atomic_load_explicit(&r->read, memory_order_relaxed);
    uint32_t waiting =
        atomic_load_explicit(&r->written, memory_order_acquire) - read;
    uint32_t n = 0;
    for (; n < count && skip + n < waiting; n++)
        memcpy(bytes + n * 32u, r->records + slot(read + skip + n) * 32u, 32u);
    return n;
}

void ring_advance(ring *r, uint32_t count)
{
    uint32_t read = atomic_load_explicit(&r->read, memory_order_relaxed);
    atomic_store_explicit(&r->read, read + count, memory_order_release);
}

uint32_t ring_read(ring *r, void *records, uint32_t count)
{
    uint32_t n = ring_peek(r, 0, records, count);
    ring_advance(r, n);
    return n;
}
