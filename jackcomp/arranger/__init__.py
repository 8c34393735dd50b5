"""How we will play it."""
