"""jackcomp, an accompanist that lives in the JACK graph."""
