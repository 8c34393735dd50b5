#include "stage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

engine_settings plain_settings(void)
{
    return (engine_settings){.ns_per_quarter = FRAME_IS_TICK, .bar_ticks = BAR,
                             .pulse_ticks = 1920, .pulses = 4,
                             .start_mode = START_COUNT_IN, .solo_sounds = 1,
                             .gain = 1.0f, .solo_gain = 1.0f};
}

stage *stage_new(const engine_settings *settings, int64_t rate, void *synth)
{
    stage *s = calloc(1, sizeof *s);
    s->e = engine_new(rate);
    engine_configure(s->e, settings);
    engine_set_synth(s->e, synth);
    s->io.midi_in = s->in;
    s->io.midi_out = s->out;
    s->io.midi_out_capacity = STAGE_MIDI;
    return s;
}

static void free_audio(stage *s)
{
    for (uint32_t i = 0; i < AUDIO_PORTS; i++)
        free(s->audio[i]);
}

void stage_free(stage *s)
{
    free_audio(s);
    engine_free(s->e);
    free(s);
}

static void fit_audio(stage *s, uint32_t nframes)
{
    if (s->audio_frames != nframes) {
        free_audio(s);
        for (uint32_t i = 0; i < AUDIO_PORTS; i++)
            s->audio[i] = calloc(nframes, sizeof(float));
        s->audio_frames = nframes;
    }
    for (uint32_t i = 0; i < AUDIO_PORTS; i++)
        s->io.audio[i] = s->silent ? NULL : s->audio[i];
}

/* Run a cycle; what was heard before the call is given to it. */
void stage_cycle(stage *s, uint32_t nframes)
{
    fit_audio(s, nframes);
    s->io.nframes = nframes;
    engine_cycle(s->e, &s->io);
    for (uint32_t i = 0; i < s->io.midi_out_count && s->sent < STAGE_LOG; i++) {
        sent_message *m = &s->log[s->sent++];
        m->frame = s->io.frame + s->out[i].frame;
        memcpy(m->bytes, s->out[i].bytes, 3);
    }
    s->io.midi_in_count = 0;
    s->io.frame += nframes;
    s->io.transport_frame += s->io.transport_rolling ? nframes : 0;
}

void stage_until(stage *s, int64_t frame, uint32_t period)
{
    while (s->io.frame < frame)
        stage_cycle(s, period);
}

/* The soloist plays in the next cycle; frames ascend. */
void stage_hear(stage *s, uint32_t frame, uint8_t status, uint8_t key, uint8_t value)
{
    s->in[s->io.midi_in_count++] =
        (midi_message){.frame = frame, .size = 3, .bytes = {status, key, value}};
}

order_record replace_head(uint32_t generation, int64_t from, int64_t end,
                          uint8_t parts, uint8_t flags, uint32_t count)
{
    return (order_record){.tick = from, .value = end, .kind = ORDER_REPLACE,
                          .generation = generation, .part = parts, .flags = flags,
                          .count = count};
}

order_record note_order(const plan_note *note, uint32_t generation)
{
    return (order_record){.tick = note->tick, .value = note->duration,
                          .kind = ORDER_NOTE, .generation = generation,
                          .part = note->part, .key = note->key, .velocity = 80,
                          .flags = note->flags};
}

int stage_replace(stage *s, int64_t from, int64_t end, uint8_t parts, uint8_t flags,
                   const plan_note *notes, uint32_t count)
{
    static order_record batch[RING_RECORDS];
    batch[0] = replace_head(++s->generation, from, end, parts, flags, count);
    for (uint32_t i = 0; i < count; i++)
        batch[i + 1] = note_order(&notes[i], s->generation);
    return engine_order(s->e, batch, count + 1);
}

int stage_order(stage *s, uint32_t kind, int64_t tick, int64_t value,
                 uint32_t generation)
{
    order_record o = {.tick = tick, .value = value, .kind = kind,
                      .generation = generation};
    return engine_order(s->e, &o, 1);
}

engine_counters stage_counters(const stage *s)
{
    engine_counters c;
    engine_count(s->e, &c);
    return c;
}

const char *stage_text(const stage *s)
{
    static char text[4096];
    size_t length = 0;
    text[0] = '\0';
    for (uint32_t i = 0; i < s->sent && length + 40 < sizeof text; i++) {
        const sent_message *m = &s->log[i];
        uint32_t status = m->bytes[0] & 0xF0u, channel = (m->bytes[0] & 0x0Fu) + 1;
        length += (size_t)sprintf(text + length, "%s%lld ", i > 0 ? ", " : "",
                                  (long long)m->frame);
        if (channel > 1)
            length += (size_t)sprintf(text + length, "%u:", channel);
        if (status == 0xB0)
            length += (size_t)sprintf(text + length, "cc%u", m->bytes[1]);
        else
            length += (size_t)sprintf(text + length, "%c%u", status == 0x90 ? '+' : '-',
                                      m->bytes[1]);
    }
    return text;
}

uint32_t stage_heard(stage *s, uint32_t kind, report_record *last)
{
    report_record r;
    uint32_t found = 0;
    while (engine_heard(s->e, &r, 1) == 1)
        if (r.kind == kind) {
            found++;
            if (last != NULL)
                *last = r;
        }
    return found;
}

bool nothing_sounds(const stage *s)
{
    for (uint32_t channel = 0; channel < MIDI_CHANNELS; channel++)
        for (uint32_t key = 0; key < MIDI_KEYS; key++)
            if (s->e->sounding[channel][key] > 0)
                return false;
    return true;
}

uint32_t random_next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (uint32_t)(*state >> 16);
}

/* Uniform enough, from low to high, both included. */
int64_t random_from(uint64_t *state, int64_t low, int64_t high)
{
    return low + (int64_t)(random_next(state) % (uint64_t)(high - low + 1));
}
