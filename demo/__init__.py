"""`make run`: a duet through the real JACK graph, from nothing to four files.

The soloist (``player``), jackcomp and the ``recorder`` are three processes; ``duet``
starts them, connects them and waits. The player and the recorder run Python in
JACK's thread, which jackcomp itself never does: here a late cycle would spoil a
recording, not a concert, and it is counted.
"""
