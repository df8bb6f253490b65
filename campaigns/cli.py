"""The command line: rheobase run, check, status, report, export, rescore, library."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rheobase.campaigns.converting import convert
from rheobase.campaigns.extract_command import extract

if TYPE_CHECKING:
    from collections.abc import Callable

    from rheobase.campaigns.circuits.schema import CircuitCampaign
    from rheobase.campaigns.schema import Campaign

EXIT_BAD_INPUT = 2
EXIT_STOPPED = 130

_overrides = click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a key, e.g. search.evaluations=500."
)
_workers = click.option("--workers", type=click.IntRange(min=1), help="Number of workers; by default all cores.")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="rheobase")
def commands() -> None:
    """Fit neuron models to what was measured. What is ready to run: rheobase library."""


commands.add_command(convert)
commands.add_command(extract)


@commands.command()
@click.argument("campaign")
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the campaign; by default runs/NAME.")
@_workers
@_overrides
def run(campaign: str, out: Path | None, workers: int | None, overrides: tuple[str, ...]) -> None:
    """Start CAMPAIGN (a YAML file, or the name of a ready one), or resume it.

    The same command does both: what the folder holds already is not done again.
    """
    from rheobase.campaigns.circuits.running import run_circuit
    from rheobase.campaigns.circuits.schema import CircuitCampaign
    from rheobase.campaigns.run import run_campaign

    loaded = _load(campaign, overrides, workers)
    folder = out or Path("runs") / loaded.name
    stop = _stop_on_signals()
    if isinstance(loaded, CircuitCampaign):
        ended = run_circuit(loaded, folder, _say, stop)
    else:
        ended = run_campaign(loaded, folder, _say, stop)
    if not ended:
        _say(f"Stopped. Nothing is lost: the same command resumes (folder {folder})")
        sys.exit(EXIT_STOPPED)


@commands.command()
@click.argument("campaign")
@_workers
@_overrides
def check(campaign: str, workers: int | None, overrides: tuple[str, ...]) -> None:
    """Check everything in CAMPAIGN, print its plan and an estimate of its cost."""
    from rheobase.campaigns.checking import check_campaign
    from rheobase.campaigns.circuits.running import check_circuit
    from rheobase.campaigns.circuits.schema import CircuitCampaign

    loaded = _load(campaign, overrides, workers)
    if isinstance(loaded, CircuitCampaign):
        check_circuit(loaded, click.echo)
    else:
        check_campaign(loaded, click.echo)


@commands.command()
@click.argument("folder", type=click.Path(path_type=Path))
def status(folder: Path) -> None:
    """Say how far the campaign in FOLDER is; also while it runs."""
    from rheobase.campaigns.status import describe_status

    click.echo(describe_status(folder))


@commands.command()
@click.argument("folder", type=click.Path(path_type=Path))
def report(folder: Path) -> None:
    """Write the report of FOLDER again from what it holds."""
    from rheobase.campaigns.building import build_model
    from rheobase.campaigns.circuits.status import is_circuit, report_circuit
    from rheobase.campaigns.folder import CampaignFolder
    from rheobase.campaigns.reporting import write_report
    from rheobase.campaigns.status import open_folder

    if is_circuit(CampaignFolder(folder).read_state()):
        click.echo(report_circuit(folder))
        return
    loaded, opened = open_folder(folder)
    click.echo(write_report(loaded, build_model(loaded), opened))


@commands.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--format", "kind", required=True, type=click.Choice(["hoc", "json", "csv"]), help="What to write.")
@click.option("--to", type=click.Path(path_type=Path), help="Where; by default FOLDER/export/FORMAT.")
@click.option("--models", type=click.IntRange(min=1), help="Only the first so many models of the ensemble.")
def export(folder: Path, kind: str, to: Path | None, models: int | None) -> None:
    """Write the ensemble in FOLDER for other programs.

    hoc: a NEURON template for each model, with morphology, mechanisms and a script that runs it.
    json: parameters under BluePyEModel's names, one file. csv: the whole record as a table.
    """
    from rheobase.campaigns.exporting import export_ensemble

    click.echo(export_ensemble(folder, kind, to, models))


@commands.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--targets", required=True, type=click.Path(path_type=Path), help="The other targets.")
@click.option("--out", type=click.Path(path_type=Path), help="Where; by default FOLDER/rescored_ensemble.json.")
def rescore(folder: Path, targets: Path, out: Path | None) -> None:
    """Choose an ensemble from what FOLDER holds by other targets, without simulating anything.

    Means, standard deviations and weights may be others. What must be simulated again is named.
    """
    from rheobase.campaigns.rescoring import rescore_campaign

    click.echo(rescore_campaign(folder, targets, out, click.echo))


@commands.command()
@click.argument("name", required=False)
def library(name: str | None) -> None:
    """List the ready campaigns and channel sets, or print the file of the one called NAME."""
    from rheobase.campaigns.loading import channel_sets, describe, find_ready, library_ensembles
    from rheobase.campaigns.loading import library as ready

    if name is not None:
        click.echo(find_ready(name).read_text(encoding="utf-8"), nl=False)
        return
    click.echo("Ready campaigns (rheobase run NAME):")
    for title, path in ready().items():
        click.echo(f"  {title:28s} {describe(path)}")
    click.echo("Ensembles of cells (cells: NAME in a circuit): " + ", ".join(library_ensembles()))
    click.echo("Channel sets (model.channels: NAME):")
    for title, path in channel_sets().items():
        click.echo(f"  {title:28s} {describe(path)}")


def _load(name: str, overrides: tuple[str, ...], workers: int | None) -> Campaign | CircuitCampaign:
    from rheobase.campaigns.loading import find_campaign, load_any_campaign

    if workers is not None:
        overrides = (*overrides, f"cluster.workers={workers}")
    return load_any_campaign(find_campaign(name), overrides)


def _say(line: str) -> None:
    from tqdm import tqdm

    tqdm.write(line, file=sys.stderr)


def _stop_on_signals() -> Callable[[], bool]:
    """A question whether Ctrl-C or SIGTERM came; the second Ctrl-C interrupts at once."""
    seen: list[int] = []

    def note(number: int, frame: Any) -> None:
        del frame
        if seen:
            raise KeyboardInterrupt
        seen.append(number)
        _say("Stopping as soon as that is safe ...")

    signal.signal(signal.SIGINT, note)
    signal.signal(signal.SIGTERM, note)
    return lambda: bool(seen)


def main() -> None:
    """Entry point of the command `rheobase`."""
    from rheobase.features.errors import RheobaseError

    try:
        sys.exit(commands.main(standalone_mode=False))
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except RheobaseError as error:
        click.echo(f"rheobase: {error}", err=True)
        sys.exit(EXIT_BAD_INPUT)
    except (KeyboardInterrupt, click.Abort):
        click.echo("rheobase: interrupted; the same command resumes", err=True)
        sys.exit(EXIT_STOPPED)


if __name__ == "__main__":
    main()
