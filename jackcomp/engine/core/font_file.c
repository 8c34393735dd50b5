/* SoundFont files, read in small pieces.

   FluidSynth asks for all samples at once. A kernel that does not interrupt itself, as
   Debian's does not, keeps its processor until such a read has ended: 8 ms were
   measured for 6 MB, in which no real-time thread that waits for this processor runs,
   whatever its priority. Between two pieces it may. */

#include <stdio.h>

#include "core.h"

#define PIECE_BYTES 16384

static void *open_file(const char *name) { return fopen(name, "rb"); }

static int read_file(void *into, fluid_long_long_t count, void *file)
{
    char *piece = into;
    while (count > 0) {
        size_t size = count < PIECE_BYTES ? (size_t)count : PIECE_BYTES;
        if (fread(piece, 1, size, file) != size)
            return FLUID_FAILED;
        piece += size;
        count -= (fluid_long_long_t)size;
    }
    return FLUID_OK;
}

static int seek_file(void *file, fluid_long_long_t offset, int origin)
{
    return fseeko(file, offset, origin) == 0 ? FLUID_OK : FLUID_FAILED;
}

static fluid_long_long_t tell_file(void *file)
{
    off_t place = ftello(file);
    return place < 0 ? FLUID_FAILED : place;
}

static int close_file(void *file)
{
    return fclose(file) == 0 ? FLUID_OK : FLUID_FAILED;
}

/* Have a new synth read its SoundFonts so; false if there is no memory. */
bool synth_read_in_pieces(void *synth)
{
    fluid_sfloader_t *loader =
        new_fluid_defsfloader(fluid_synth_get_settings(synth));
    if (loader == NULL)
        return false;
    fluid_sfloader_set_callbacks(loader, open_file, read_file, seek_file, tell_file,
                                 close_file);
    fluid_synth_add_sfloader(synth, loader); /* asked before FluidSynth's own */
    return true;
}
