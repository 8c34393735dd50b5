"""The shipped models with their cards; installed as ``jackcomp._models``."""
