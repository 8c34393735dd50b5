/* Bar, beat and tick as JACK and DAWs count them. Included by the host's sources and
   handed to cffi, so plain declarations only. */

/* Bars and beats from 1; a beat is the meter's denominator note. */
typedef struct {
    int32_t bar, beat, tick;
    double bar_start_tick;  /* ticks before the bar */
    double ticks_per_beat;
    int32_t beats_per_bar, beat_type;
} bbt;

bbt tick_to_bbt(int64_t tick, int64_t bar_ticks, int64_t beat_ticks);
int64_t bbt_to_tick_fp(int32_t bar, int32_t beat, double tick, double ticks_per_beat,
                       int64_t bar_ticks, int64_t beat_ticks);
