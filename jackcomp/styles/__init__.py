"""The styles as data: one TOML file each, read by ``arranger/pattern.py``."""
