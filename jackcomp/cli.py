"""The commands: flags in, exit code out, no logic.

Exit codes: 0 done, 1 an error in one line, 2 usage, 130 interrupted by Ctrl-C. What
the commands need is imported when they run, so that ``--help`` is instant and works
without the C libraries.
"""

import dataclasses
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click

from jackcomp.config import Settings, default_file, field_of, load_settings, read_flag
from jackcomp.errors import JackcompError
from jackcomp.options import DEBUG, LIVE, MUSICAL, OPTIONS, Option, whole_option

F = TypeVar("F", bound=Callable[..., Any])

PERIOD = whole_option("period", 16, 8192, "FRAMES", "Length of a cycle.")
RATE = whole_option("rate", 8_000, 96_000, "HZ", "Sample rate.")
# No checks here: what cannot be read or written is one line and exit code 1.
_PATH = click.Path(path_type=Path)
_DEFAULTS = {item.name: item.default for item in dataclasses.fields(Settings)}


class _Program(click.Group):
    """Turns what is raised below into one line and an exit code."""

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except JackcompError as error:
            _fail(context, error, str(error))
        except ImportError as error:
            _fail(context, error, f"{error}: 'jackcomp doctor' tells what is missing")
        except KeyboardInterrupt:
            context.exit(130)


def _fail(context: click.Context, error: Exception, line: str) -> NoReturn:
    if context.meta.get("debug"):
        traceback.print_exception(error)
    click.echo(f"jackcomp: {' '.join(line.split())}", err=True)
    context.exit(1)


def _offer(*options: Option) -> Callable[[F], F]:
    """Offer these options, ``--config`` and ``--debug``."""

    def decorate(function: F) -> F:
        for option in reversed((*options, DEBUG)):
            default = _DEFAULTS[field_of(option.key)]
            function = _click_option(option, default)(function)
        return click.option(
            "--config",
            metavar="FILE",
            type=_PATH,
            help=f"Configuration; default: {default_file()}, if it is there.",
        )(function)

    return decorate


def _click_option(option: Option, default: object) -> Callable[[F], F]:
    if option.switch:
        return click.option(
            option.switch,
            option.key,
            is_flag=True,
            default=None,
            help=option.about,
            hidden=not option.is_shown,
            callback=_note_debug if option is DEBUG else None,
        )
    notes = [option.limits] if option.limits else []
    if isinstance(default, str | int | float):
        notes.append(f"default: {default}")
    return click.option(
        option.flag,
        option.key,
        metavar=option.metavar,
        multiple=option.key == "connect",
        help=f"{option.about}  [{'; '.join(notes)}]" if notes else option.about,
    )


def _note_debug(context: click.Context, _: click.Parameter, value: Any) -> Any:
    # In meta, because it counts even where the settings cannot be read.
    context.meta["debug"] = context.meta.get("debug") or value
    return value


def _load(config: Path | None, flags: dict[str, Any]) -> Settings:
    settings = load_settings(flags, config)
    meta = click.get_current_context().meta
    meta["debug"] = meta.get("debug") or settings.debug
    return settings


@click.group(
    cls=_Program,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="jackcomp")
@_offer(*MUSICAL, *LIVE)
@click.pass_context
def main(context: click.Context, /, config: Path | None, **flags: Any) -> None:
    """Play along with a soloist.

    With no command: play live, as a client of the JACK server that runs. Every
    option can also stand in the configuration file (count_in = 2) or in the
    environment (JACKCOMP_COUNT_IN=2); a flag goes before the environment, and the
    environment before the file.
    """
    if context.invoked_subcommand is None:
        settings = _load(config, flags)
        from jackcomp import app

        context.exit(app.play(settings, lambda: load_settings(flags, config)))
    given = [key for key, value in flags.items() if value not in (None, ())]
    misplaced = [OPTIONS[key].flag for key in given if key != DEBUG.key]
    if config or misplaced:
        raise click.UsageError(
            f"{'--config' if config else misplaced[0]} stands before the command: "
            f"write it after 'jackcomp {context.invoked_subcommand}'"
        )


@main.command()
@click.argument("solo_file", metavar="SOLO.mid", type=_PATH)
@click.option(
    "-o", "--output", "wav", metavar="OUT.wav", type=_PATH, help="The mix of all."
)
@click.option("--midi", metavar="OUT.mid", type=_PATH, help="The accompaniment alone.")
@click.option("--chart", metavar="OUT.txt", type=_PATH, help="A line a chord change.")
@click.option("--plot", metavar="OUT.png", type=_PATH, help="Piano roll with chords.")
@click.option("--explain", metavar="OUT.jsonl", type=_PATH, help="A line a decision.")
@_click_option(PERIOD, 256)
@_click_option(RATE, 48_000)
@_offer(*MUSICAL)
def render(
    solo_file: Path,
    wav: Path | None,
    midi: Path | None,
    chart: Path | None,
    plot: Path | None,
    explain: Path | None,
    period: str | None,
    rate: str | None,
    config: Path | None,
    **flags: Any,
) -> None:
    """Accompany a MIDI file, without a JACK server.

    The tempo map and the meter are those of the file, unless --bpm or --meter say
    otherwise; its first bar line is beat one. The result is the same for every
    --period of which two fit into --lead. Files are written when all is done.
    """
    if not any((wav, midi, chart, plot, explain)):
        raise click.UsageError("nothing to write: say where, with -o OUT.wav")
    settings = _load(config, flags)
    frames = read_flag(PERIOD, period or "256")
    rate_hz = read_flag(RATE, rate or "48000")
    from jackcomp import app
    from jackcomp.plot import check_picture

    if plot is not None:
        check_picture(plot)
    job = app.RenderJob(
        solo=solo_file,
        wav=wav,
        midi=midi,
        chart=chart,
        plot=plot,
        explain=explain,
        period=frames,
        rate=rate_hz,
    )
    app.render(settings, job)


@main.command()
@click.argument("file", metavar="FILE.jsonl", type=_PATH)
@click.option(
    "--all", "all_of_them", is_flag=True, help="Tell of decisions to stay, too."
)
def explain(file: Path, all_of_them: bool) -> None:
    """Tell what a file says that `jackcomp render --explain` wrote."""
    from jackcomp.explaining import read_page

    click.echo(read_page(file, all_of_them=all_of_them))


@main.command()
@click.option(
    "--latency", is_flag=True, help="Show how late each port is, in frames and ms."
)
@_offer(*(OPTIONS[key] for key in ("name", "server")))
def ports(latency: bool, config: Path | None, **flags: Any) -> None:
    """List the ports of the JACK graph, as --connect matches them."""
    settings = _load(config, flags)
    from jackcomp import app

    for port, late in app.list_ports(settings):
        hardware = "\thardware" if port.is_physical else ""
        click.echo(f"{port.kind}\t{port.direction}\t{port.name}{hardware}")
        if latency:
            for name, span in (("capture", late.capture), ("playback", late.playback)):
                frames = "-".join(str(frame) for frame in dict.fromkeys(span))
                ms = "-".join(
                    f"{1000 * frame / late.rate:.1f}" for frame in dict.fromkeys(span)
                )
                click.echo(f"\t{name}\t{frames} frames\t{ms} ms")


@main.command()
@_offer(OPTIONS["sf2"])
def soundfonts(config: Path | None, **flags: Any) -> None:
    """List the SoundFonts of this machine in the order of the search.

    An asterisk marks the one that is played.
    """
    from jackcomp.engine.soundfont import find_soundfont, list_soundfonts

    chosen = find_soundfont(_load(config, flags).sf2)
    found = list_soundfonts()
    if chosen not in [font.path for font in found]:
        click.echo(f"*\t{chosen}")
    for font in found:
        mark = "*" if font.path == chosen else ""
        about = font.problem or f"{font.size / 1e6:.1f} MB"
        click.echo(f"{mark}\t{font.path}\t{about}")


@main.command()
@_offer()
def styles(config: Path | None, **flags: Any) -> None:
    """List the styles for --style; an asterisk marks the one that is played."""
    from jackcomp.arranger.pattern import list_styles, load_style

    chosen = _load(config, flags).style
    for name in list_styles():
        style = load_style(name)
        mark = "*" if name == chosen else ""
        click.echo(f"{mark}\t{name}\t{style.title}: {style.about}")


@main.command()
@_offer(*(OPTIONS[key] for key in ("sf2", "name", "server")))
@click.pass_context
def doctor(context: click.Context, /, config: Path | None, **flags: Any) -> None:
    """Tell what is wrong with the set-up, and how to mend it."""
    from jackcomp.doctor import examine, format_checks, is_fit

    settings = _load(config, flags)

    def probe_server() -> tuple[int, int]:
        # Imported within the check: what is missing may be the core itself.
        from jackcomp import app

        return app.probe_server(settings)

    checks = examine(settings.sf2, probe_server)
    click.echo(format_checks(checks))
    context.exit(0 if is_fit(checks) else 1)
