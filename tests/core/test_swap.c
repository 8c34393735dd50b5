/* A SoundFont is changed while it plays: what each of the two synths is asked. */

#include <stdlib.h>

#include "check.h"
#include "fake_synth.h"
#include "stage.h"

#define CHORDS_CHANNEL PART_CHANNEL(PART_CHORDS)

static stage *new_stage(void)
{
    engine_settings settings = plain_settings();
    return stage_new(&settings, 48000, fake_synth_new());
}

static void play(stage *s, int64_t tick, int64_t duration, uint8_t key)
{
    plan_note note = {tick, duration, PART_CHORDS, key, 0};
    stage_replace(s, tick, tick + duration, CHORDS, 0, &note, 1);
}

static void swap(stage *s)
{
    CHECK(engine_offer_synth(s->e, &other_fake) == NULL);
    stage_cycle(s, 64);
    CHECK(s->e->synth == (fluid_synth_t *)&other_fake);
}

static void the_state_of_every_channel_is_carried_over(void)
{
    stage *s = new_stage();
    stage_hear(s, 0, 0xB0, 7, 99);
    stage_hear(s, 0, 0xB0, 64, 127);
    stage_hear(s, 0, 0xE0, 1, 0x50);
    stage_hear(s, 0, 0xD0, 33, 0);
    order_record solo = {.kind = ORDER_PROGRAM, .part = SOLO_PART, .key = 11};
    order_record drums = {.kind = ORDER_PROGRAM, .part = PART_DRUMS, .key = 25};
    engine_order(s->e, &solo, 1);
    engine_order(s->e, &drums, 1);
    stage_cycle(s, 64);
    fake.bend_ranges[SOLO_CHANNEL] = 12;
    fake.parameters[SOLO_CHANNEL][GEN_FINETUNE] = 25.0f;
    swap(s);
    CHECK(other_fake.values[SOLO_CHANNEL][7] == 99);
    CHECK(other_fake.values[SOLO_CHANNEL][64] == 127);
    CHECK(other_fake.bends[SOLO_CHANNEL] == (0x50 << 7 | 1));
    CHECK(other_fake.bend_ranges[SOLO_CHANNEL] == 12);
    CHECK(other_fake.channel_pressure[SOLO_CHANNEL] == 33);
    CHECK(other_fake.parameters[SOLO_CHANNEL][GEN_FINETUNE] == 25.0f);
    CHECK(other_fake.programs[SOLO_CHANNEL] == 11);
    CHECK(other_fake.programs[PART_CHANNEL(PART_DRUMS)] == 25);
    CHECK(other_fake.strikes == 0 && stage_counters(s).swaps == 1);
    stage_free(s);
}

static void what_only_selects_other_data_is_not_sent_as_a_controller(void)
{
    static const uint8_t NUMBERS[] = {0, 6, 32, 38, 96, 97, 98, 99, 120, 123};
    stage *s = new_stage();
    for (uint32_t i = 0; i < sizeof NUMBERS; i++)
        fake.values[SOLO_CHANNEL][NUMBERS[i]] = 5;
    stage_cycle(s, 64);
    swap(s);
    for (uint32_t i = 0; i < 128; i++)
        CHECK(other_fake.controls[i] == 0);
    stage_free(s);
}

static void reset_controllers_takes_the_pressure_away_too(void)
{
    stage *s = new_stage();
    stage_hear(s, 0, 0xD0, 33, 0);
    stage_hear(s, 0, 0xB0, 121, 0);
    stage_cycle(s, 64);
    swap(s);
    CHECK(other_fake.channel_pressure[SOLO_CHANNEL] == 0);
    stage_free(s);
}

static void a_note_ends_where_it_began(void)
{
    stage *s = new_stage();
    play(s, 0, 300, 60);
    stage_hear(s, 0, 0x90, 70, 90);
    stage_cycle(s, 64);
    swap(s);
    CHECK(fake.sounding[CHORDS_CHANNEL][60] && fake.sounding[SOLO_CHANNEL][70]);
    CHECK(engine_departed_synth(s->e) == NULL);
    stage_until(s, 400, 64);
    CHECK(!fake.sounding[CHORDS_CHANNEL][60] && fake.sounding[SOLO_CHANNEL][70]);
    stage_hear(s, 0, 0x80, 70, 0);
    stage_cycle(s, 64);
    CHECK(!fake.sounding[SOLO_CHANNEL][70]);
    CHECK(other_fake.strikes == 0);
    stage_free(s);
}

static void new_notes_are_struck_on_the_new_synth_and_end_the_old_ones(void)
{
    stage *s = new_stage();
    stage_hear(s, 0, 0x90, 70, 90);
    stage_cycle(s, 64);
    swap(s);
    uint32_t strikes = fake.strikes;
    stage_hear(s, 0, 0x90, 70, 91);
    play(s, 200, 100, 60);
    stage_until(s, 256, 64);
    CHECK(fake.strikes == strikes && !fake.sounding[SOLO_CHANNEL][70]);
    CHECK(other_fake.sounding[SOLO_CHANNEL][70]);
    CHECK(other_fake.sounding[CHORDS_CHANNEL][60]);
    stage_free(s);
}

static void the_old_synth_is_heard_and_given_back_when_it_is_silent(void)
{
    stage *s = new_stage();
    fake.level = 0.25f;
    other_fake.level = 0.5f;
    fake.tail = 3;
    stage_cycle(s, 64);
    swap(s);
    CHECK(s->audio[AUDIO_LEFT][0] == 0.75f);
    stage_until(s, 9600, 64);
    CHECK(engine_departed_synth(s->e) == NULL);
    fake.tail = 0;
    stage_cycle(s, 64);
    CHECK(s->audio[AUDIO_LEFT][0] == 0.5f);
    CHECK(engine_departed_synth(s->e) == &fake);
    CHECK(engine_departed_synth(s->e) == NULL);
    engine_wait_swap(s->e); /* once when it was taken over, once when it went */
    engine_wait_swap(s->e);
    stage_free(s);
}

static void controllers_and_pedal_reach_both(void)
{
    stage *s = new_stage();
    stage_hear(s, 0, 0xB0, 64, 127);
    stage_hear(s, 0, 0x90, 70, 90);
    stage_cycle(s, 64);
    swap(s);
    stage_hear(s, 0, 0xB0, 64, 0);
    stage_hear(s, 0, 0xE0, 0, 0x70);
    stage_cycle(s, 64);
    CHECK(fake.values[SOLO_CHANNEL][64] == 0 && other_fake.values[SOLO_CHANNEL][64] == 0);
    CHECK(fake.bends[SOLO_CHANNEL] == 0x3800 && other_fake.bends[SOLO_CHANNEL] == 0x3800);
    stage_free(s);
}

static void panic_and_stop_silence_both(void)
{
    for (int stops = 0; stops < 2; stops++) {
        stage *s = new_stage();
        play(s, 0, 5000, 60);
        stage_cycle(s, 64);
        swap(s);
        fake.tail = 10;
        if (stops)
            engine_ask_stop(s->e);
        else
            engine_ask_panic(s->e);
        stage_cycle(s, 64);
        CHECK(fake.sounds_off == 1 && other_fake.sounds_off == 1);
        CHECK(engine_departed_synth(s->e) == &fake);
        stage_free(s);
    }
}

static fake_synth third;

static void what_waits_can_be_withdrawn_and_displaced(void)
{
    stage *s = new_stage();
    CHECK(engine_offer_synth(s->e, &other_fake) == NULL);
    CHECK(engine_offer_synth(s->e, &third) == &other_fake);
    CHECK(engine_offer_synth(s->e, NULL) == &third);
    stage_cycle(s, 64);
    CHECK(s->e->synth == (fluid_synth_t *)&fake && stage_counters(s).swaps == 0);
    stage_free(s);
}

/* Five seconds may a held note go on while the next synth waits. */
static void a_second_swap_waits_and_then_the_oldest_fades_away(void)
{
    stage *s = new_stage();
    stage_hear(s, 0, 0x90, 70, 90);
    stage_cycle(s, 64);
    swap(s);
    engine_offer_synth(s->e, &third);
    stage_until(s, 5 * 48000, 64);
    CHECK(s->e->synth == (fluid_synth_t *)&other_fake);
    CHECK(fake.sounding[SOLO_CHANNEL][70] && fake.gain == 1.0f);
    stage_until(s, 5 * 48000 + 4800, 64);
    CHECK(fake.gain > 0.4f && fake.gain < 0.6f);
    stage_until(s, 5 * 48000 + 9600 + 320, 64);
    CHECK(s->e->synth == (fluid_synth_t *)&third);
    CHECK(engine_departed_synth(s->e) == &fake && fake.sounds_off == 1);
    stage_free(s);
}

static void a_held_note_may_go_on_while_nobody_waits(void)
{
    stage *s = new_stage();
    stage_hear(s, 0, 0x90, 70, 90);
    stage_cycle(s, 64);
    swap(s);
    stage_until(s, 20 * 48000, 256);
    CHECK(fake.sounding[SOLO_CHANNEL][70] && fake.gain == 1.0f);
    stage_free(s);
}

static void after_a_stop_no_synth_is_taken(void)
{
    stage *s = new_stage();
    stage_cycle(s, 64);
    engine_ask_stop(s->e);
    stage_cycle(s, 64);
    engine_offer_synth(s->e, &other_fake);
    stage_cycle(s, 64);
    CHECK(engine_offer_synth(s->e, NULL) == &other_fake);
    stage_free(s);
}

/* The old one could not go, since the receipt of the one before was not taken. */
static void a_receipt_that_nobody_takes_is_not_overwritten(void)
{
    stage *s = new_stage();
    swap(s);
    stage_cycle(s, 64); /* the first has gone */
    engine_offer_synth(s->e, &third);
    stage_cycle(s, 64);
    stage_cycle(s, 64);
    CHECK(engine_departed_synth(s->e) == &fake);
    stage_cycle(s, 64);
    CHECK(engine_departed_synth(s->e) == &other_fake);
    stage_free(s);
}

int main(void)
{
    RUN(the_state_of_every_channel_is_carried_over);
    RUN(what_only_selects_other_data_is_not_sent_as_a_controller);
    RUN(reset_controllers_takes_the_pressure_away_too);
    RUN(a_note_ends_where_it_began);
    RUN(new_notes_are_struck_on_the_new_synth_and_end_the_old_ones);
    RUN(the_old_synth_is_heard_and_given_back_when_it_is_silent);
    RUN(controllers_and_pedal_reach_both);
    RUN(panic_and_stop_silence_both);
    RUN(what_waits_can_be_withdrawn_and_displaced);
    RUN(a_second_swap_waits_and_then_the_oldest_fades_away);
    RUN(a_held_note_may_go_on_while_nobody_waits);
    RUN(after_a_stop_no_synth_is_taken);
    RUN(a_receipt_that_nobody_takes_is_not_overwritten);
    return report("swap");
}
