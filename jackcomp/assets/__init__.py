"""The bundled solo, ``auld_lang_syne.mid``, which ``make run`` plays.

Auld Lang Syne, a traditional Scottish melody (its first half is in "The Miller's
Wedding", about 1759) in the form that George Thomson printed in 1799, is in the
public domain. The file is ours: ``python -m demo.write_solo`` writes it from the
notes in that script, with the tempo, the touch and the small anticipations of our
own player.
"""
