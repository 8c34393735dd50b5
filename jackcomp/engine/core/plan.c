/* What the worker asks for: notes, cut-offs, tempo. `replace` puts a new plan in
   the place of an old one, whole or not at all. */

#include <string.h>

#include "core.h"

static bool is_note(const event *s, uint8_t parts)
{
    return (s->kind == EVENT_ON || s->kind == EVENT_OFF)
        && (parts & (1u << s->part)) != 0;
}

/* The notes that may continue what sounds: their place in the batch, from 1. */
typedef uint16_t tie_table[PARTS][MIDI_KEYS];

static void find_ties(const engine *e, const order_record *head, tie_table ties)
{
    memset(ties, 0, sizeof(tie_table));
    for (uint32_t i = head->count; i-- > 0;) {
        const order_record *n = &e->batch[i];
        if ((n->flags & FLAG_TIE) && n->tick == head->tick)
            ties[n->part][n->key] = (uint16_t)(i + 1);
    }
}

/* The end of the new note that continues `s` from tick `from` on, or `from`. */
static int64_t tied_end(engine *e, tie_table ties, const event *s, int64_t from)
{
    uint16_t place = ties[s->part][s->key];
    if (place == 0)
        return from;
    order_record *n = &e->batch[place - 1];
    n->count = 1; /* taken over: it is not struck again */
    return from + n->value;
}

/* Copy to `kept` what stays of the old plan; return how many events that is. */
static uint32_t keep_the_rest(engine *e, const order_record *head)
{
    uint32_t kept = 0;
    tie_table ties;
    find_ties(e, head, ties);
    for (uint32_t i = 0; i < e->heap.count; i++) {
        event s = e->heap.slots[i];
        if (is_note(&s, head->part)) {
            if (s.kind == EVENT_ON && s.tick >= head->tick)
                continue;
            int64_t *end = s.kind == EVENT_ON ? &s.value : &s.tick;
            if ((head->flags & FLAG_CUT) && *end > head->tick)
                *end = tied_end(e, ties, &s, head->tick);
        }
        e->kept[kept++] = s;
    }
    return kept;
}

static event note_event(const order_record *n)
{
    return (event){.tick = n->tick, .value = n->tick + n->value,
                   .generation = n->generation, .kind = EVENT_ON, .part = n->part,
                   .key = n->key, .velocity = n->velocity};
}

/* Remember the last bar of the plan, for the day on which the worker is silent. */
static void remember_bar(engine *e, const order_record *head)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < e->bar_count; i++)
        if (!is_note(&e->bar[i], head->part))
            e->bar[kept++] = e->bar[i];
    int64_t start = head->value - e->settings.bar_ticks;
    for (uint32_t i = 0; i < head->count && kept < MAX_BAR_NOTES; i++)
        if (e->batch[i].tick >= start && e->batch[i].tick < head->value) {
            event s = note_event(&e->batch[i]);
            s.tick -= start;
            s.value -= start;
            e->bar[kept++] = s;
        }
    e->bar_count = kept;
    e->plan_end = head->value;
    e->vamp = (head->flags & FLAG_VAMP) != 0;
}

/* Whether somebody else may stop the clock, once it has started. */
static bool can_stop(const engine_settings *s)
{
    return s->leads || s->start_mode == START_TRANSPORT
        || s->start_mode == START_MIDI_CLOCK;
}

/* Why a batch is not applied, or null when it may be. */
static _Atomic uint64_t *objection(engine *e, const order_record *head)
{
    for (uint32_t part = 0; part < PARTS; part++)
        if ((head->part & (1u << part))
            && (int32_t)(head->generation - e->applied[part]) <= 0)
            return &e->stale_batches;
    bool late = e->rolling ? tick_to_frame(&e->anchor, head->tick) < e->cycle_frame
                           : can_stop(&e->settings); /* and has */
    if ((head->flags & FLAG_DEADLINE) && late)
        return &e->dropped_decisions;
    return NULL;
}

static bool replace(engine *e, const order_record *head)
{
    _Atomic uint64_t *counter = objection(e, head);
    if (counter == NULL) {
        uint32_t kept = keep_the_rest(e, head);
        if (kept + head->count > MAX_EVENTS)
            counter = &e->refused_batches;
        else {
            memcpy(e->heap.slots, e->kept, kept * sizeof(event));
            e->heap.count = kept;
            heap_order(&e->heap);
        }
    }
    if (counter != NULL) {
        COUNT(*counter);
        return false;
    }
    for (uint32_t i = 0; i < head->count; i++)
        if (e->batch[i].count == 0)
            heap_push(&e->heap, note_event(&e->batch[i]));
    for (uint32_t part = 0; part < PARTS; part++)
        if (head->part & (1u << part))
            e->applied[part] = head->generation;
    remember_bar(e, head);
    return true;
}

static void push(engine *e, uint8_t kind, const order_record *o)
{
    event s = {.tick = o->tick, .value = o->value, .generation = o->generation,
               .kind = kind};
    if (!heap_push(&e->heap, s))
        COUNT(e->refused_batches);
}

/* A new tempo holds until the next one that is asked for: whatever was to change at
   its tick or after it is forgotten, as in timeline/clock.py. */
static void change_tempo(engine *e, const order_record *o)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < e->heap.count; i++) {
        const event *s = &e->heap.slots[i];
        if (s->kind != EVENT_TEMPO || s->tick < o->tick)
            e->heap.slots[kept++] = *s;
    }
    if (kept < e->heap.count) {
        e->heap.count = kept;
        heap_order(&e->heap);
    }
    push(e, EVENT_TEMPO, o);
}

static void change_program(engine *e, const order_record *o)
{
    int channel = o->part == SOLO_PART ? SOLO_CHANNEL : PART_CHANNEL(o->part);
    if (e->synth != NULL)
        fluid_synth_program_change(e->synth, channel, o->key);
}

/* At the start of a cycle: do what the worker has asked for since the last one. */
void plan_take_orders(engine *e)
{
    order_record o;
    uint32_t batches = 0;
    for (uint32_t i = 0; i < MAX_ORDERS && batches < MAX_BATCHES
                         && ring_read(&e->orders, &o, 1) == 1; i++) {
        switch (o.kind) {
        case ORDER_REPLACE:
            ring_read(&e->orders, e->batch, o.count);
            batches++;
            bool applied = replace(e, &o);
            engine_report(e, applied ? HEARD_APPLIED : HEARD_DROPPED, o.tick,
                          e->cycle_frame, o.generation, (uint8_t[4]){0});
            break;
        case ORDER_CUTOFF:
            push(e, EVENT_CUTOFF, &o);
            break;
        case ORDER_TEMPO:
            change_tempo(e, &o);
            break;
        case ORDER_PROGRAM:
            change_program(e, &o);
            break;
        }
    }
}

/* Repeat the last bar once the plan has run out and the worker is silent. What is
   over already, if the plan came too late for its own end, is not made up for. */
void plan_vamp(engine *e, int64_t frame)
{
    if (!e->vamp || e->bar_count == 0
        || tick_to_frame(&e->anchor, e->plan_end) > frame)
        return;
    int64_t now = frame_to_tick(&e->anchor, frame);
    e->plan_end += (now - e->plan_end) / e->settings.bar_ticks * e->settings.bar_ticks;
    for (uint32_t i = 0; i < e->bar_count; i++) {
        event s = e->bar[i];
        s.tick += e->plan_end;
        s.value += e->plan_end;
        if (s.value > now && !heap_push(&e->heap, s))
            COUNT(e->refused_batches);
    }
    e->plan_end += e->settings.bar_ticks;
    COUNT(e->vamped_bars);
}
