"""The kinds of music that a player can name, and that the chord model can be told."""

GENRES = ("pop", "jazz", "folk", "song")
AUTO_GENRE = "auto"
"""Whatever it sounds like."""
