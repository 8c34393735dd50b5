"""What ``--explain`` wrote, as a page to read.

The file has a JSON object a line, one a decision (`decision.policy.Decision`). The
page tells for each where it is, what it changed, and how sure it was; what was worth
most; and who found what likely: all of them together (pool), the ear's network and its
counted tables, the brain, and the form memory with the step that it remembered.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from jackcomp.errors import ConfigError
from jackcomp.theory.key import parse_key
from jackcomp.theory.pitch import spell_pitch_class

VOICES = ("worth", "pool", "ear", "tables", "brain", "memory")
"""Who is quoted, in the order of the page."""


def read_page(path: Path, *, all_of_them: bool = False) -> str:
    """Turn a file that ``--explain`` wrote into a page.

    Parameters
    ----------
    path : Path
        JSON lines.
    all_of_them : bool
        Tell of every decision; without it, of those that changed the chord.

    Raises
    ------
    ConfigError
        In one line, if the file cannot be read or a line is no decision.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read '{path}': {error}") from error
    entries = []
    for number, line in enumerate(lines, start=1):
        try:
            record = json.loads(line)
            if all_of_them or record["before"] != record["after"]:
                entries.append("\n".join(tell_decision(record)))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            what = f"no field {error}" if isinstance(error, KeyError) else error
            raise ConfigError(
                f"'{path}', line {number} is no decision: {what}; "
                "expected what jackcomp render --explain writes"
            ) from error
    told = f"{len(entries)} of {len(lines)} decisions"
    return "\n\n".join([*entries, told])


def tell_decision(record: Mapping[str, Any]) -> Iterator[str]:
    """Give the lines that tell of one decision."""
    before, after = record["before"], record["after"]
    change = f"stays {after}" if before == after else f"{before or 'N'} -> {after}"
    keys = _odds(record["keys"])
    yield (
        f"{record['position']:>8}  {change}  sure {record['confidence']:.2f}, "
        f"{record['moment']}, key {record['key']} ({keys})"
    )
    for voice in VOICES:
        said = _odds(record[voice])
        if voice == "memory" and said:
            said += f"  (trust {record['memory_trust']:.2f}"
            said += f", as in step {record['memory_step']})"
        if said:
            yield f"{voice:>10}  {said}"
    tonic = parse_key(record["key"]).tonic_fifths
    notes = [_name_note(note, tonic) for note in record["notes"]]
    heard = " ".join(notes) or "nothing"
    yield (
        f"{'heard':>10}  {heard}; {record['heard_quarters']:.2f} quarters, "
        f"{record['slack_ms']:.0f} ms before its deadline"
    )


def _odds(chances: Sequence[tuple[str, float]]) -> str:
    return "  ".join(f"{name} {chance:.2f}" for name, chance in chances)


def _name_note(note: int, tonic: int) -> str:
    return f"{spell_pitch_class(note % 12, tonic)}{note // 12 - 1}"
