"""What we will play."""
