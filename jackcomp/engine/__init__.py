"""The real-time room: the C core and its hosts."""
