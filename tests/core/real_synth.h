/* FluidSynth as jackcomp sets it up (engine/synth.py), with a General MIDI
   SoundFont: the environment's SOUNDFONT, or Debian's. */

#ifndef REAL_SYNTH_H
#define REAL_SYNTH_H

#include <fluidsynth.h>

fluid_synth_t *real_synth_new(double rate); /* ends the program if there is none */
void real_synth_free(fluid_synth_t *synth);

#endif
