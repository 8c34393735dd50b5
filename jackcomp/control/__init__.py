"""How a person follows and steers it while it plays."""
