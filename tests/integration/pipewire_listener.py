"""Run under ``pw-jack``: print the frame and the bytes of each MIDI message heard.

Arguments: the port to listen to. It ends when its input does.
"""

import sys
from queue import SimpleQueue

import jack

WRAP = 1 << 32


def main() -> None:
    client = jack.Client("listener", no_start_server=True)
    heard: SimpleQueue[tuple[int, int, bytes]] = SimpleQueue()
    port = client.midi_inports.register("in")

    @client.set_process_callback
    def process(nframes: int) -> None:
        start = client.last_frame_time
        for offset, data in port.incoming_midi_events():
            heard.put(((start + offset) % WRAP, nframes, bytes(data)))

    with client:
        client.connect(sys.argv[1], port)
        say("ready")
        for _ in sys.stdin:
            while not heard.empty():
                frame, nframes, data = heard.get()
                say(f"{frame} {nframes} {data.hex()}")
            say("now")


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
