#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "fake_synth.h"
#include "stage.h"

#define NOTE(tick, duration, key) {(tick), (duration), PART_CHORDS, (key), 0}
#define TIED(tick, duration, key) {(tick), (duration), PART_CHORDS, (key), FLAG_TIE}
#define BASS_NOTE(tick, duration, key) {(tick), (duration), PART_BASS, (key), 0}
#define SEND(s, from, end, parts, flags, ...)                                        \
    stage_replace((s), (from), (end), (parts), (flags), (plan_note[]){__VA_ARGS__},  \
                  sizeof((plan_note[]){__VA_ARGS__}) / sizeof(plan_note))

static stage *new_stage(void)
{
    engine_settings settings = plain_settings();
    return stage_new(&settings, 48000, fake_synth_new());
}

/* ---- the heap ---- */

static bool in_order(const event *a, const event *b)
{
    if (a->tick != b->tick)
        return a->tick < b->tick;
    return a->kind != b->kind ? a->kind < b->kind : a->sequence < b->sequence;
}

static void the_heap_gives_events_by_tick_then_kind_then_arrival(void)
{
    event_heap *h = calloc(1, sizeof *h);
    uint64_t random = 11;
    for (uint32_t i = 0; i < MAX_EVENTS; i++)
        heap_push(h, (event){.tick = random_from(&random, -50, 50),
                             .kind = (uint8_t)random_from(&random, 0, EVENT_ON)});
    CHECK(h->count == MAX_EVENTS);
    CHECK(!heap_push(h, (event){.tick = -1000}));
    CHECK(h->slots[0].tick == -50);
    bool ordered = true;
    event last = heap_pop(h);
    while (h->count > 0) {
        event next = heap_pop(h);
        ordered = ordered && in_order(&last, &next);
        last = next;
    }
    CHECK(ordered);
    free(h);
}

static void the_order_of_arrival_survives_the_wrap_of_its_number(void)
{
    event_heap *h = calloc(1, sizeof *h);
    h->next_sequence = UINT32_MAX - 1;
    for (uint8_t key = 0; key < 5; key++)
        heap_push(h, (event){.kind = EVENT_ON, .key = key});
    for (uint8_t key = 0; key < 5; key++)
        CHECK(heap_pop(h).key == key);
    free(h);
}

static void slots_changed_in_place_are_put_in_order_again(void)
{
    event_heap *h = calloc(1, sizeof *h);
    for (int64_t tick = 0; tick < 100; tick++)
        heap_push(h, (event){.tick = tick});
    for (uint32_t i = 0; i < h->count; i++)
        h->slots[i].tick = -h->slots[i].tick;
    heap_order(h);
    bool ordered = true;
    for (int64_t tick = -99; tick <= 0; tick++)
        ordered = ordered && heap_pop(h).tick == tick;
    CHECK(ordered);
    free(h);
}

/* ---- notes ---- */

static void a_note_lasts_as_long_as_it_says(void)
{
    stage *s = new_stage();
    SEND(s, 0, BAR, CHORDS | BASS, 0, NOTE(100, 50, 60), BASS_NOTE(100, 70, 40));
    stage_until(s, 256, 64);
    CHECK_TEXT(stage_text(s), "100 +60, 100 2:+40, 150 -60, 170 2:-40");
    CHECK(fake.strikes == 2 && fake.releases == 2);
    CHECK(nothing_sounds(s));
    stage_free(s);
}

static void what_ends_comes_before_what_begins_at_a_tick(void)
{
    stage *s = new_stage();
    SEND(s, 0, BAR, CHORDS, 0, NOTE(200, 50, 64), NOTE(100, 100, 60),
         NOTE(200, 50, 60));
    stage_until(s, 256, 64);
    CHECK_TEXT(stage_text(s), "100 +60, 200 -60, 200 +64, 200 +60, 250 -64, 250 -60");
    stage_free(s);
}

static void a_key_struck_again_is_released_first(void)
{
    stage *s = new_stage();
    SEND(s, 0, BAR, CHORDS, 0, NOTE(0, 300, 60), NOTE(100, 300, 60));
    stage_until(s, 512, 64);
    CHECK_TEXT(stage_text(s), "0 +60, 100 -60, 100 +60, 400 -60");
    CHECK(fake.strikes == 2 && !fake.sounding[1][60]);
    stage_free(s);
}

static void an_early_end_never_cuts_a_later_note(void)
{
    stage *s = new_stage();
    SEND(s, 0, BAR, CHORDS, 0, NOTE(0, 150, 60), NOTE(100, 300, 60), NOTE(120, 20, 60));
    stage_until(s, 512, 64);
    CHECK_TEXT(stage_text(s),
               "0 +60, 100 -60, 100 +60, 120 -60, 120 +60, 400 -60");
    CHECK(nothing_sounds(s));
    stage_free(s);
}

static void the_same_key_on_two_channels_is_two_keys(void)
{
    stage *s = new_stage();
    SEND(s, 0, BAR, CHORDS | BASS, 0, NOTE(0, 100, 48), BASS_NOTE(50, 100, 48));
    stage_until(s, 256, 64);
    CHECK_TEXT(stage_text(s), "0 +48, 50 2:+48, 100 -48, 150 2:-48");
    stage_free(s);
}

static void a_note_shorter_than_a_frame_is_struck_and_released(void)
{
    engine_settings settings = plain_settings();
    settings.ns_per_quarter = FRAME_IS_TICK / 4;
    stage *s = stage_new(&settings, 48000, fake_synth_new());
    SEND(s, 0, BAR, CHORDS, 0, NOTE(40, 1, 60), NOTE(41, 1, 62), NOTE(41, 1, 60));
    stage_until(s, 64, 64);
    CHECK_TEXT(stage_text(s), "10 +60, 10 -60, 10 +62, 10 +60, 10 -62, 10 -60");
    stage_free(s);
}

static void a_late_note_sounds_at_once_keeps_its_end_and_is_counted(void)
{
    stage *s = new_stage();
    stage_until(s, 256, 64);
    SEND(s, 0, BAR, CHORDS, 0, NOTE(100, 400, 60), NOTE(120, 10, 62),
         NOTE(256, 10, 64));
    stage_until(s, 640, 64);
    CHECK_TEXT(stage_text(s), "256 +60, 256 +62, 256 -62, 256 +64, 266 -64, 500 -60");
    CHECK(stage_counters(s).late_events == 3);
    stage_free(s);
}

static void what_the_server_skipped_sounds_at_once_and_is_not_late(void)
{
    stage *s = new_stage();
    SEND(s, 0, BAR, CHORDS, 0, NOTE(300, 400, 60));
    stage_until(s, 256, 64);
    s->io.frame += 256;
    stage_until(s, 768, 64);
    CHECK_TEXT(stage_text(s), "512 +60, 700 -60");
    CHECK(stage_counters(s).late_events == 0);
    stage_free(s);
}

/* ---- replace ---- */

static void replace_drops_the_later_notes_of_its_parts_and_no_others(void)
{
    stage *s = new_stage();
    SEND(s, 0, BAR, CHORDS | BASS, 0, NOTE(100, 50, 60), NOTE(200, 50, 62),
         NOTE(300, 50, 64), BASS_NOTE(300, 50, 40));
    SEND(s, 200, BAR, CHORDS, 0, NOTE(220, 50, 72));
    stage_until(s, 512, 64);
    CHECK_TEXT(stage_text(s),
               "100 +60, 150 -60, 220 +72, 270 -72, 300 2:+40, 350 2:-40");
    stage_free(s);
}

static void sounding_notes_keep_their_own_end(void)
{
    stage *s = new_stage();
    SEND(s, 0, BAR, CHORDS, 0, NOTE(0, 400, 60), NOTE(130, 200, 62));
    stage_until(s, 128, 64);
    SEND(s, 192, BAR, CHORDS, 0, NOTE(200, 100, 72));
    stage_until(s, 512, 64);
    CHECK_TEXT(stage_text(s), "0 +60, 130 +62, 200 +72, 300 -72, 330 -62, 400 -60");
    stage_free(s);
}

static void cut_ends_what_sounds_at_its_first_tick(void)
{
    stage *s = new_stage();
    SEND(s, 0, BAR, CHORDS | BASS, 0, NOTE(0, 400, 60), NOTE(150, 200, 62),
         BASS_NOTE(0, 400, 40), NOTE(20, 30, 65));
    stage_until(s, 128, 64);
    SEND(s, 200, BAR, CHORDS, FLAG_CUT, NOTE(200, 100, 72));
    stage_until(s, 512, 64);
    CHECK_TEXT(stage_text(s), "0 +60, 0 2:+40, 20 +65, 50 -65, 150 +62, 200 -60, "
                              "200 -62, 200 +72, 300 -72, 400 2:-40");
    stage_free(s);
}

static void cut_ends_every_owner_of_a_key(void)
{
    stage *s = new_stage();
    SEND(s, 0, BAR, CHORDS, 0, NOTE(0, 900, 60), NOTE(50, 500, 60));
    stage_until(s, 128, 64);
    SEND(s, 200, BAR, CHORDS, FLAG_CUT, NOTE(200, 100, 60));
    stage_until(s, 512, 64);
    CHECK_TEXT(stage_text(s), "0 +60, 50 -60, 50 +60, 200 -60, 200 +60, 300 -60");
    CHECK(nothing_sounds(s));
    stage_free(s);
}

static void a_tied_note_lives_on_to_its_new_end_without_a_strike(void)
{
    stage *s = new_stage();
    SEND(s, 0, BAR, CHORDS, 0, NOTE(0, 400, 60), NOTE(0, 400, 64));
    stage_until(s, 128, 64);
    SEND(s, 200, BAR, CHORDS, FLAG_CUT, TIED(200, 300, 60), TIED(200, 100, 65));
    stage_until(s, 640, 64);
    CHECK_TEXT(stage_text(s),
               "0 +60, 0 +64, 200 -64, 200 +65, 300 -65, 500 -60");
    CHECK(fake.strikes == 3);
    stage_free(s);
}

static void a_tie_can_shorten_and_holds_all_owners(void)
{
    stage *s = new_stage();
    SEND(s, 0, BAR, CHORDS, 0, NOTE(0, 900, 60), NOTE(50, 700, 60));
    stage_until(s, 128, 64);
    SEND(s, 200, BAR, CHORDS, FLAG_CUT, TIED(200, 100, 60));
    stage_until(s, 1024, 64);
    CHECK_TEXT(stage_text(s), "0 +60, 50 -60, 50 +60, 300 -60");
    CHECK(nothing_sounds(s));
    stage_free(s);
}

static void a_tie_reaches_a_note_that_will_sound_by_then(void)
{
    stage *s = new_stage();
    SEND(s, 0, BAR, CHORDS, 0, NOTE(150, 400, 60));
    stage_until(s, 64, 64);
    SEND(s, 200, BAR, CHORDS, FLAG_CUT, TIED(200, 500, 60));
    stage_until(s, 1024, 64);
    CHECK_TEXT(stage_text(s), "150 +60, 700 -60");
    stage_free(s);
}

static void a_tie_at_another_tick_or_part_is_a_strike(void)
{
    stage *s = new_stage();
    SEND(s, 0, BAR, CHORDS | BASS, 0, NOTE(0, 400, 60), BASS_NOTE(0, 400, 40));
    stage_until(s, 64, 64);
    plan_note notes[] = {{250, 50, PART_CHORDS, 60, FLAG_TIE},
                         {200, 50, PART_CHORDS, 40, FLAG_TIE}};
    stage_replace(s, 200, BAR, CHORDS, FLAG_CUT, notes, 2);
    stage_until(s, 512, 64);
    CHECK_TEXT(stage_text(s), "0 +60, 0 2:+40, 200 -60, 200 +40, 250 -40, 250 +60, "
                              "300 -60, 400 2:-40");
    stage_free(s);
}

static void a_batch_after_its_deadline_is_dropped_and_said_so(void)
{
    stage *s = new_stage();
    SEND(s, 0, BAR, CHORDS, 0, NOTE(300, 100, 60));
    stage_until(s, 256, 64);
    stage_heard(s, HEARD_APPLIED, NULL);
    SEND(s, 255, BAR, CHORDS, FLAG_DEADLINE, NOTE(255, 100, 72));
    stage_cycle(s, 64);
    report_record dropped;
    CHECK(stage_heard(s, HEARD_DROPPED, &dropped) == 1);
    CHECK(dropped.generation == 2 && dropped.tick == 255 && dropped.frame == 256);
    CHECK(stage_counters(s).dropped_decisions == 1);
    SEND(s, 320, BAR, CHORDS, FLAG_DEADLINE, NOTE(320, 10, 74)); /* just in time */
    stage_until(s, 512, 64);
    CHECK_TEXT(stage_text(s), "300 +60, 320 +74, 330 -74, 400 -60");
    CHECK(stage_heard(s, HEARD_APPLIED, NULL) == 1);
    stage_free(s);
}

static void a_stale_batch_is_refused_part_by_part(void)
{
    stage *s = new_stage();
    s->generation = 9;
    SEND(s, 0, BAR, CHORDS, 0, NOTE(100, 50, 60)); /* generation 10 */
    s->generation = 8;
    SEND(s, 0, BAR, CHORDS, 0, NOTE(100, 50, 61)); /* 9: too old for the chords */
    s->generation = 8;
    SEND(s, 0, BAR, BASS, 0, BASS_NOTE(100, 50, 40)); /* 9: new to the bass */
    s->generation = 9;
    SEND(s, 0, BAR, CHORDS, 0, NOTE(100, 50, 62)); /* 10 again */
    stage_until(s, 256, 64);
    CHECK_TEXT(stage_text(s), "100 +60, 100 2:+40, 150 -60, 150 2:-40");
    CHECK(stage_counters(s).stale_batches == 2);
    CHECK(stage_heard(s, HEARD_DROPPED, NULL) == 2);
    stage_free(s);
}

static void fill_heap(stage *s, uint32_t count, int64_t tick)
{
    static plan_note notes[MAX_BATCH_NOTES];
    for (uint32_t i = 0; i < count; i++)
        notes[i] = (plan_note){tick + i, 10, PART_PAD, (uint8_t)(i % 100), 0};
    stage_replace(s, tick, tick + BAR, 1u << PART_PAD, 0, notes, count);
    stage_cycle(s, 1);
}

static void a_full_heap_refuses_the_whole_batch_and_nothing_changes(void)
{
    stage *s = new_stage();
    for (int i = 0; i < 4; i++) /* ascending, so that none replaces another */
        fill_heap(s, 1000, 100000 + i * 1000);
    CHECK(s->e->heap.count == 4000);
    SEND(s, 0, BAR, CHORDS, 0, NOTE(5000, 100, 60));
    stage_cycle(s, 1);
    stage_heard(s, HEARD_APPLIED, NULL);
    event_heap *before = malloc(sizeof *before);
    *before = s->e->heap;
    static plan_note notes[200];
    for (uint32_t i = 0; i < 200; i++)
        notes[i] = (plan_note){6000, 100, PART_CHORDS, (uint8_t)(i % 128), FLAG_TIE};
    stage_replace(s, 5500, BAR, CHORDS, FLAG_CUT, notes, 200);
    stage_cycle(s, 1);
    CHECK(stage_heard(s, HEARD_DROPPED, NULL) == 1);
    CHECK(stage_counters(s).refused_batches == 1);
    CHECK(memcmp(before, &s->e->heap, sizeof *before) == 0);
    CHECK(s->e->applied[PART_CHORDS] == 5);
    free(before);
    stage_free(s);
}

/* The cycle trusts what engine_order lets pass, so nothing else may pass. */
static void what_could_not_be_played_does_not_reach_the_cycle(void)
{
    stage *s = new_stage();
    static plan_note many[MAX_BATCH_NOTES + 1];
    for (uint32_t i = 0; i <= MAX_BATCH_NOTES; i++)
        many[i] = (plan_note){i, 1, PART_CHORDS, 60, 0};
    CHECK(stage_replace(s, 0, BAR, CHORDS, 0, many, MAX_BATCH_NOTES + 1) == -1);
    plan_note wrong[] = {{0, 0, PART_CHORDS, 60, 0},   {0, -5, PART_CHORDS, 60, 0},
                         {0, 10, PART_CLICK, 60, 0},   {0, 10, 200, 60, 0},
                         {0, 10, PART_CHORDS, 128, 0}, {0, 10, PART_CHORDS, 255, 0}};
    for (int i = 0; i < 6; i++)
        CHECK(stage_replace(s, 0, BAR, CHORDS, 0, &wrong[i], 1) == -1);
    plan_note right = {0, 10, PART_CHORDS, 60, 0};
    order_record batch[2] = {replace_head(1, 0, BAR, CHORDS, 0, 1),
                             note_order(&right, 1)};
    batch[1].velocity = 0;
    CHECK(engine_order(s->e, batch, 2) == -1);
    batch[1].velocity = 128;
    CHECK(engine_order(s->e, batch, 2) == -1);
    batch[1] = note_order(&right, 1);
    CHECK(engine_order(s->e, batch, 1) == -1); /* its note is missing */
    batch[0].count = 0;
    CHECK(engine_order(s->e, batch, 2) == -1); /* a note too many */
    CHECK(engine_order(s->e, batch + 1, 1) == -1 && engine_order(s->e, batch, 0) == -1);
    CHECK(stage_order(s, 0, 0, 0, 1) == -1 && stage_order(s, 99, 0, 0, 1) == -1);
    CHECK(stage_order(s, ORDER_TEMPO, 0, 0, 0) == -1);
    CHECK(stage_order(s, ORDER_TEMPO, 0, -1, 0) == -1);
    order_record program = {.kind = ORDER_PROGRAM, .part = PART_CLICK};
    CHECK(engine_order(s->e, &program, 1) == -1);
    CHECK(ring_waiting(&s->e->orders) == 0);
    CHECK(SEND(s, 0, BAR, CHORDS, 0, NOTE(10, 5, 72)) == 1);
    stage_cycle(s, 64);
    CHECK_TEXT(stage_text(s), "10 +72, 15 -72");
    stage_free(s);
}

static void a_full_ring_takes_no_part_of_a_batch(void)
{
    stage *s = new_stage();
    static plan_note notes[MAX_BATCH_NOTES];
    for (uint32_t i = 0; i < MAX_BATCH_NOTES; i++)
        notes[i] = (plan_note){i, 1, PART_CHORDS, 60, 0};
    int written = 0;
    while (stage_replace(s, 0, BAR, CHORDS, 0, notes, MAX_BATCH_NOTES) == 1)
        written++;
    CHECK(written == 7); /* 8 * 1025 records are more than the ring has */
    CHECK(ring_waiting(&s->e->orders) == 7 * (MAX_BATCH_NOTES + 1));
    stage_cycle(s, 64);
    CHECK(stage_replace(s, 0, BAR, CHORDS, 0, notes, MAX_BATCH_NOTES) == 1);
    stage_free(s);
}

static void the_longest_batch_is_applied_in_one_cycle(void)
{
    stage *s = new_stage();
    static plan_note notes[MAX_BATCH_NOTES];
    for (uint32_t i = 0; i < MAX_BATCH_NOTES; i++)
        notes[i] = (plan_note){64 + i, 1, PART_CHORDS, (uint8_t)(i % 100), 0};
    stage_replace(s, 0, BAR, CHORDS, 0, notes, MAX_BATCH_NOTES);
    stage_cycle(s, 64);
    CHECK(s->e->heap.count == MAX_BATCH_NOTES);
    stage_until(s, 64 + MAX_BATCH_NOTES + 64, 64);
    CHECK(s->sent == 2 * MAX_BATCH_NOTES);
    CHECK(nothing_sounds(s));
    stage_free(s);
}

static void the_number_of_batches_in_a_cycle_is_bounded_and_none_is_lost(void)
{
    stage *s = new_stage();
    for (uint32_t i = 0; i < 200; i++)
        SEND(s, 3000, BAR, CHORDS, 0, NOTE(3000, 100, (uint8_t)(i % 100)));
    stage_cycle(s, 64);
    CHECK(stage_heard(s, HEARD_APPLIED, NULL) == MAX_BATCHES);
    for (int64_t i = 0; i < 300; i++)
        stage_order(s, ORDER_CUTOFF, 100000 + i, 0, 1);
    stage_until(s, 4000, 64);
    CHECK_TEXT(stage_text(s), "3000 +99, 3100 -99");
    CHECK(stage_heard(s, HEARD_APPLIED, NULL) == 200 - MAX_BATCHES);
    CHECK(s->e->heap.count == 300);
    stage_free(s);
}

/* ---- the vamp ---- */

static uint32_t strikes_between(const stage *s, int64_t from, int64_t to)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < s->sent; i++)
        count += s->log[i].frame >= from && s->log[i].frame < to
              && (s->log[i].bytes[0] & 0xF0) == 0x90;
    return count;
}

static void the_last_bar_is_repeated_for_ever_at_the_same_density(void)
{
    stage *s = new_stage();
    s->silent = true;
    SEND(s, 0, 2 * BAR, CHORDS | BASS, FLAG_VAMP, NOTE(0, BAR, 50), NOTE(BAR, 1000, 60),
         NOTE(BAR + 1920, 9000, 64), BASS_NOTE(BAR + 3840, 1000, 40));
    stage_until(s, 1000 * BAR, 960);
    bool same = strikes_between(s, 0, BAR) == 1;
    for (int64_t bar = 1; bar < 1000; bar++)
        same = same && strikes_between(s, bar * BAR, (bar + 1) * BAR) == 3;
    CHECK(same);
    CHECK(stage_counters(s).vamped_bars == 998);
    CHECK(stage_counters(s).late_events == 0);
    CHECK(s->e->heap.count < 10);
    stage_free(s);
}

static void without_the_flag_the_music_ends_with_the_plan(void)
{
    stage *s = new_stage();
    SEND(s, 0, BAR, CHORDS, FLAG_VAMP, NOTE(0, 100, 60));
    SEND(s, 0, BAR, CHORDS, 0, NOTE(0, 100, 62));
    stage_until(s, 3 * BAR, 256);
    CHECK_TEXT(stage_text(s), "0 +62, 100 -62");
    stage_free(s);
}

static void a_new_plan_ends_the_vamp_where_it_begins(void)
{
    stage *s = new_stage();
    SEND(s, 0, BAR, CHORDS, FLAG_VAMP, NOTE(0, 100, 60), NOTE(3840, 100, 62));
    stage_until(s, 2 * BAR + 640, 128);
    SEND(s, 2 * BAR + 1920, 4 * BAR, CHORDS, FLAG_VAMP, NOTE(2 * BAR + 1920, 100, 72));
    stage_until(s, 4 * BAR - 128, 128);
    CHECK_TEXT(stage_text(s),
               "0 +60, 100 -60, 3840 +62, 3940 -62, 7680 +60, 7780 -60, 11520 +62, "
               "11620 -62, 15360 +60, 15460 -60, 17280 +72, 17380 -72");
    CHECK(stage_counters(s).vamped_bars == 2);
    stage_free(s);
}

static void a_plan_for_some_parts_keeps_the_others_in_the_vamp(void)
{
    stage *s = new_stage();
    SEND(s, 0, BAR, CHORDS | BASS, FLAG_VAMP, NOTE(0, 100, 60), BASS_NOTE(0, 100, 40));
    SEND(s, 0, BAR, CHORDS, FLAG_VAMP, NOTE(0, 100, 62));
    stage_until(s, 2 * BAR, 128);
    CHECK_TEXT(stage_text(s), "0 2:+40, 0 +62, 100 2:-40, 100 -62, "
                              "7680 2:+40, 7680 +62, 7780 2:-40, 7780 -62");
    stage_free(s);
}

/* The worker comes back with a plan that is long over. */
static void bars_that_are_over_are_not_made_up_for(void)
{
    stage *s = new_stage();
    stage_until(s, 10 * BAR + 1920, 64);
    SEND(s, 0, BAR, CHORDS, FLAG_VAMP, NOTE(0, 1000, 60), NOTE(3840, 1000, 62));
    int64_t now = s->io.frame;
    stage_cycle(s, 64);
    CHECK(strikes_between(s, now, now + 64) <= 2); /* the plan's own, late */
    stage_until(s, 12 * BAR, 64);
    CHECK(strikes_between(s, now + 64, 11 * BAR) == 1);
    CHECK(strikes_between(s, 11 * BAR, 12 * BAR) == 2);
    stage_free(s);
}

static void the_vamp_remembers_no_more_than_it_can(void)
{
    stage *s = new_stage();
    s->silent = true;
    static plan_note notes[MAX_BATCH_NOTES];
    for (uint32_t i = 0; i < MAX_BATCH_NOTES; i++)
        notes[i] = (plan_note){i * 7, 5, PART_CHORDS, (uint8_t)(i % 100), 0};
    stage_replace(s, 0, BAR, CHORDS, FLAG_VAMP, notes, MAX_BATCH_NOTES);
    stage_until(s, 3 * BAR, 64);
    CHECK(strikes_between(s, BAR, 2 * BAR) == MAX_BAR_NOTES);
    CHECK(strikes_between(s, 2 * BAR, 3 * BAR) == MAX_BAR_NOTES);
    stage_free(s);
}

/* ---- the other orders ---- */

static void a_cutoff_answers_at_its_frame_before_the_notes_there(void)
{
    stage *s = new_stage();
    stage_order(s, ORDER_CUTOFF, 100, 0, 77);
    stage_hear(s, 99 - 64, 0x90, 60, 80);
    s->io.midi_in_count = 0;
    stage_cycle(s, 64);
    stage_hear(s, 35, 0x90, 60, 80); /* frame 99 */
    stage_hear(s, 36, 0x90, 62, 80); /* frame 100 */
    stage_cycle(s, 64);
    report_record r[8];
    uint32_t n = engine_heard(s->e, r, 8);
    CHECK(n == 4 && r[0].kind == HEARD_STARTED);
    CHECK(r[1].kind == HEARD_MIDI && r[1].bytes[1] == 60 && r[1].tick == 99);
    CHECK(r[2].kind == HEARD_CUTOFF && r[2].generation == 77 && r[2].frame == 100);
    CHECK(r[3].kind == HEARD_MIDI && r[3].bytes[1] == 62 && r[3].frame == 100);
    stage_free(s);
}

static void a_tempo_change_moves_what_comes_after_it(void)
{
    stage *s = new_stage();
    stage_order(s, ORDER_TEMPO, 100, 2 * FRAME_IS_TICK, 0);
    SEND(s, 0, BAR, CHORDS, 0, NOTE(50, 100, 60), NOTE(100, 100, 62));
    stage_until(s, 512, 64);
    CHECK_TEXT(stage_text(s), "50 +60, 100 +62, 200 -60, 300 -62");
    CHECK(s->e->anchor.frame == 100);
    stage_free(s);
}

static void a_tempo_change_takes_the_place_of_later_ones(void)
{
    stage *s = new_stage();
    SEND(s, 0, BAR, CHORDS, 0, NOTE(50, 100, 60), NOTE(300, 100, 62));
    stage_order(s, ORDER_CUTOFF, 250, 0, 7);
    stage_order(s, ORDER_TEMPO, 100, 2 * FRAME_IS_TICK, 0);
    stage_order(s, ORDER_TEMPO, 200, 8 * FRAME_IS_TICK, 0);
    stage_order(s, ORDER_TEMPO, 150, FRAME_IS_TICK, 0);
    stage_until(s, 512, 64); /* 100 frames, then 100 for 50 ticks, then as before */
    CHECK_TEXT(stage_text(s), "50 +60, 200 -60, 350 +62, 450 -62");
    report_record cutoff;
    CHECK(stage_heard(s, HEARD_CUTOFF, &cutoff) == 1 && cutoff.frame == 300);
    CHECK(stage_counters(s).late_events == 0);
    stage_free(s);
}

static void a_late_tempo_change_counts_from_now(void)
{
    stage *s = new_stage();
    SEND(s, 0, BAR, CHORDS, 0, NOTE(700, 100, 60));
    stage_until(s, 640, 64);
    stage_order(s, ORDER_TEMPO, 100, 2 * FRAME_IS_TICK, 0);
    stage_cycle(s, 64);
    CHECK(frame_to_tick(&s->e->anchor, 640) == 640);
    stage_until(s, 1024, 64);
    CHECK_TEXT(stage_text(s), "760 +60, 960 -60");
    CHECK(stage_counters(s).late_tempos == 1 && stage_counters(s).late_events == 0);
    stage_free(s);
    s = new_stage();
    engine_mix(s->e, 1.0f, 1.0f, 0.0f, true);
    memset(s->e->settings.click_velocities, 90, 4);
    stage_until(s, 4096, 64); /* four times as fast: not a tick is skipped */
    stage_order(s, ORDER_TEMPO, 100, FRAME_IS_TICK / 4, 0);
    stage_until(s, 4096 + 1024, 64);
    CHECK_TEXT(stage_text(s), "1920 10:+77, 2400 10:-77, "
                              "3840 10:+77, 4152 10:-77, 4512 10:+77, 4632 10:-77, "
                              "4992 10:+77, 5112 10:-77");
    stage_free(s);
}

static void a_program_goes_to_the_channel_of_its_part(void)
{
    stage *s = new_stage();
    order_record programs[3] = {
        {.kind = ORDER_PROGRAM, .part = PART_CHORDS, .key = 4},
        {.kind = ORDER_PROGRAM, .part = PART_BASS, .key = 32},
        {.kind = ORDER_PROGRAM, .part = SOLO_PART, .key = 73}};
    for (int i = 0; i < 3; i++)
        CHECK(engine_order(s->e, &programs[i], 1) == 1);
    stage_cycle(s, 64);
    CHECK(fake.programs[1] == 4 && fake.programs[3] == 32 && fake.programs[0] == 73);
    stage_free(s);
}

int main(void)
{
    RUN(the_heap_gives_events_by_tick_then_kind_then_arrival);
    RUN(the_order_of_arrival_survives_the_wrap_of_its_number);
    RUN(slots_changed_in_place_are_put_in_order_again);
    RUN(a_note_lasts_as_long_as_it_says);
    RUN(what_ends_comes_before_what_begins_at_a_tick);
    RUN(a_key_struck_again_is_released_first);
    RUN(an_early_end_never_cuts_a_later_note);
    RUN(the_same_key_on_two_channels_is_two_keys);
    RUN(a_note_shorter_than_a_frame_is_struck_and_released);
    RUN(a_late_note_sounds_at_once_keeps_its_end_and_is_counted);
    RUN(what_the_server_skipped_sounds_at_once_and_is_not_late);
    RUN(replace_drops_the_later_notes_of_its_parts_and_no_others);
    RUN(sounding_notes_keep_their_own_end);
    RUN(cut_ends_what_sounds_at_its_first_tick);
    RUN(cut_ends_every_owner_of_a_key);
    RUN(a_tied_note_lives_on_to_its_new_end_without_a_strike);
    RUN(a_tie_can_shorten_and_holds_all_owners);
    RUN(a_tie_reaches_a_note_that_will_sound_by_then);
    RUN(a_tie_at_another_tick_or_part_is_a_strike);
    RUN(a_batch_after_its_deadline_is_dropped_and_said_so);
    RUN(a_stale_batch_is_refused_part_by_part);
    RUN(a_full_heap_refuses_the_whole_batch_and_nothing_changes);
    RUN(what_could_not_be_played_does_not_reach_the_cycle);
    RUN(a_full_ring_takes_no_part_of_a_batch);
    RUN(the_longest_batch_is_applied_in_one_cycle);
    RUN(the_number_of_batches_in_a_cycle_is_bounded_and_none_is_lost);
    RUN(the_last_bar_is_repeated_for_ever_at_the_same_density);
    RUN(without_the_flag_the_music_ends_with_the_plan);
    RUN(a_new_plan_ends_the_vamp_where_it_begins);
    RUN(a_plan_for_some_parts_keeps_the_others_in_the_vamp);
    RUN(bars_that_are_over_are_not_made_up_for);
    RUN(the_vamp_remembers_no_more_than_it_can);
    RUN(a_cutoff_answers_at_its_frame_before_the_notes_there);
    RUN(a_tempo_change_moves_what_comes_after_it);
    RUN(a_tempo_change_takes_the_place_of_later_ones);
    RUN(a_late_tempo_change_counts_from_now);
    RUN(a_program_goes_to_the_channel_of_its_part);
    return report("plan");
}
