"""What the soloist is playing."""
