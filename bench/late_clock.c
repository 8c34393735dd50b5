/* Preloaded into a client of the soak: JACK's frame counter as if the server had run
   for a day, so that it wraps while one listens. LATE_CLOCK is what is added to it. */

#include <dlfcn.h>
#include <jack/jack.h>
#include <stdlib.h>

static jack_nframes_t (*real_time)(const jack_client_t *);
static jack_nframes_t added;

__attribute__((constructor)) static void prepare(void)
{
    const char *text = getenv("LATE_CLOCK");
    added = text != NULL ? (jack_nframes_t)strtoul(text, NULL, 10) : 0;
    *(void **)&real_time = dlsym(RTLD_NEXT, "jack_last_frame_time");
}

jack_nframes_t jack_last_frame_time(const jack_client_t *client)
{
    return real_time(client) + added;
}
