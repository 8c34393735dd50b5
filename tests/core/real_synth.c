#include "real_synth.h"

#include <stdio.h>
#include <stdlib.h>

#include "core.h"

fluid_synth_t *real_synth_new(double rate)
{
    const char *soundfont = getenv("SOUNDFONT");
    if (soundfont == NULL)
        soundfont = "/usr/share/sounds/sf2/TimGM6mb.sf2";
    synth_be_quiet();
    fluid_settings_t *settings = new_fluid_settings();
    fluid_settings_setint(settings, "synth.threadsafe-api", 0);
    fluid_settings_setint(settings, "synth.dynamic-sample-loading", 0);
    fluid_settings_setint(settings, "synth.reverb.active", 0);
    fluid_settings_setint(settings, "synth.chorus.active", 0);
    fluid_settings_setint(settings, "synth.audio-groups", 2);
    fluid_settings_setint(settings, "synth.audio-channels", 2);
    fluid_settings_setint(settings, "synth.midi-channels", 16);
    fluid_settings_setint(settings, "synth.polyphony", 128);
    fluid_settings_setnum(settings, "synth.gain", 0.6);
    fluid_settings_setnum(settings, "synth.sample-rate", rate);
    fluid_synth_t *synth = new_fluid_synth(settings);
    if (synth == NULL || !synth_read_in_pieces(synth)
        || fluid_synth_sfload(synth, soundfont, 1) == FLUID_FAILED) {
        printf("cannot load the SoundFont '%s': name one in SOUNDFONT\n", soundfont);
        exit(2);
    }
    return synth;
}

void real_synth_free(fluid_synth_t *synth)
{
    fluid_settings_t *settings = fluid_synth_get_settings(synth);
    delete_fluid_synth(synth);
    delete_fluid_settings(settings);
}
