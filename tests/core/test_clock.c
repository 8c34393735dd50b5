#include "check.h"
#include "core.h"
#include "stage.h"

__extension__ typedef __int128 wide;

static const clock_anchor AT_120 = {.ns_per_quarter = 500000000, .rate = 48000};

static void known_ticks_fall_in_known_frames(void)
{
    CHECK(tick_to_frame(&AT_120, 0) == 0);
    CHECK(tick_to_frame(&AT_120, 1920) == 24000);
    CHECK(tick_to_frame(&AT_120, 1) == 12); /* 12.5, rounded down */
    CHECK(tick_to_frame(&AT_120, 3) == 37);
    CHECK(tick_to_frame(&AT_120, -1) == -13);
    CHECK(tick_to_frame(&AT_120, -1920) == -24000);
    clock_anchor later = AT_120;
    later.frame = 1000;
    later.tick_fp = INT64_C(1920) << 32;
    CHECK(tick_to_frame(&later, 1920) == 1000);
    CHECK(tick_to_frame(&later, 0) == 1000 - 24000);
    clock_anchor waltz = {.ns_per_quarter = 600000000, .rate = 44100};
    CHECK(tick_to_frame(&waltz, 1920) == 26460);
}

static void the_tick_of_a_frame_is_the_last_that_has_begun(void)
{
    CHECK(frame_to_tick(&AT_120, 0) == 0);
    CHECK(frame_to_tick(&AT_120, 11) == 0);
    CHECK(frame_to_tick(&AT_120, 12) == 1);
    CHECK(frame_to_tick(&AT_120, 23999) == 1919);
    CHECK(frame_to_tick(&AT_120, 24000) == 1920);
    CHECK(frame_to_tick(&AT_120, -1) == -1);
    CHECK(frame_to_tick(&AT_120, -13) == -1);
    CHECK(frame_to_tick(&AT_120, -14) == -2);
}

static clock_anchor random_anchor(uint64_t *random)
{
    static const int64_t RATES[] = {22050, 44100, 48000, 96000, 192000};
    return (clock_anchor){
        .frame = random_from(random, -1000000000, 1000000000) * 1000,
        .tick_fp = random_from(random, -2000000000, 2000000000) * 1000000007,
        .ns_per_quarter = random_from(random, 6000000, 3000000000),
        .rate = RATES[random_from(random, 0, 4)]};
}

static void frames_and_ticks_answer_each_other(void)
{
    uint64_t random = 3;
    bool there = true, back = true;
    for (int i = 0; i < 100000; i++) {
        clock_anchor a = random_anchor(&random);
        int64_t frame = a.frame + random_from(&random, -2000000000, 2000000000);
        int64_t tick = frame_to_tick(&a, frame);
        there = there && tick_to_frame(&a, tick) <= frame
             && frame < tick_to_frame(&a, tick + 1);
        int64_t other = tick_to_frame(&a, tick - 77);
        back = back && frame_to_tick(&a, other) >= tick - 77
            && tick_to_frame(&a, frame_to_tick(&a, other)) == other;
    }
    CHECK(there);
    CHECK(back);
}

static void a_new_tempo_keeps_the_frame_of_its_tick(void)
{
    uint64_t random = 4;
    bool same = true;
    for (int i = 0; i < 100000; i++) {
        clock_anchor a = random_anchor(&random);
        int64_t tick = (a.tick_fp >> 32) + random_from(&random, -100000, 100000);
        int64_t ns = random_from(&random, 6000000, 3000000000);
        clock_anchor b = clock_retempo(&a, tick, ns);
        same = same && tick_to_frame(&b, tick) == tick_to_frame(&a, tick);
    }
    CHECK(same);
}

/* Four hours and more, a change a beat: compare with the exact sum, kept in
   units of 1 / (1920 * 10^9) frame, in which every term is an integer. */
static void tempo_changes_do_not_add_up_to_a_drift(void)
{
    const wide per_frame = (wide)TICKS_PER_QUARTER * 1000000000;
    uint64_t random = 5;
    clock_anchor a = AT_120;
    wide exact = 0;
    int64_t tick = 0;
    bool right = true;
    for (int change = 0; change < 40000; change++) {
        int64_t step = random_from(&random, 1, 3840);
        exact += (wide)step * a.ns_per_quarter * a.rate;
        tick += step;
        /* A thousandth of a frame, either way, is what rounding has to itself. */
        int64_t least = (int64_t)((exact - per_frame / 1000) / per_frame);
        int64_t most = (int64_t)((exact + per_frame / 1000) / per_frame);
        int64_t frame = tick_to_frame(&a, tick);
        right = right && frame >= least && frame <= most;
        a = clock_retempo(&a, tick, random_from(&random, 200000000, 1500000000));
    }
    CHECK(a.frame > INT64_C(4) * 3600 * 48000);
    CHECK(right);
}

static void frames_beyond_32_bits_are_like_any_others(void)
{
    for (int64_t base = (INT64_C(1) << 32) - 2; base < INT64_C(1) << 42; base <<= 1) {
        clock_anchor a = AT_120;
        a.frame = base;
        CHECK(tick_to_frame(&a, 1920) == base + 24000);
        CHECK(frame_to_tick(&a, base + 24000) == 1920);
        CHECK(frame_to_tick(&a, base - 1) == -1);
    }
    /* The anchor is a day old: 24.9 hours are 2^32 frames. */
    CHECK(tick_to_frame(&AT_120, 343597383) == INT64_C(4294967287));
    CHECK(tick_to_frame(&AT_120, 343597384) == INT64_C(4294967300));
    CHECK(frame_to_tick(&AT_120, INT64_C(4294967299)) == 343597383);
}

int main(void)
{
    RUN(known_ticks_fall_in_known_frames);
    RUN(the_tick_of_a_frame_is_the_last_that_has_begun);
    RUN(frames_and_ticks_answer_each_other);
    RUN(a_new_tempo_keeps_the_frame_of_its_tick);
    RUN(tempo_changes_do_not_add_up_to_a_drift);
    RUN(frames_beyond_32_bits_are_like_any_others);
    return report("clock");
}
