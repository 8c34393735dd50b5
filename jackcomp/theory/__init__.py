"""What a chord is: pitch classes, chords, keys. Pure, standard library only."""
