"""Where we are: meter, tempo, ticks and frames. Pure integers."""
