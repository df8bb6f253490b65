"""`rheobase convert`: tables of feature targets from one format into another."""

from __future__ import annotations

from pathlib import Path

import click

_FORMATS = ("rheobase", "bluepyefe", "bluepyemodel")


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FEATURES [PROTOCOLS]")
@click.option("--to", "kind", required=True, type=click.Choice(_FORMATS), help="What to write.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="File to write; a folder for bluepyefe.")
@click.option("--holding-voltage", metavar="VOLTAGE", help="Such as '-80 mV', where the table does not say it.")
def convert(files: tuple[Path, ...], kind: str, out: Path, holding_voltage: str | None) -> None:
    """Convert targets between rheobase, BluePyEfe and BluePyEModel.

    FEATURES is recognised by what it holds; features in BluePyEfe's format or an older one need the file of their
    PROTOCOLS with them. What the new format has no place for is printed.
    """
    if len(files) > 2:
        raise click.UsageError(f"expected one file, or features and protocols, got {len(files)} files")
    click.echo(convert_targets(files, kind, out, holding_voltage))


def convert_targets(files: tuple[Path, ...], kind: str, out: Path, holding_voltage: str | None = None) -> str:
    """Read targets in any format and write them in another.

    Args:
        files: The features, and the protocols where they have a file of their own.
        kind: The format to write.
        out: Where.
        holding_voltage: Voltage at which cells were held, with its unit, where the table does not say it.

    Returns:
        What was done, for the user.
    """
    from rheobase.features.formats.dialects import read_any_targets, write_any_targets
    from rheobase.features.units import parse_quantity

    held_mV = None if holding_voltage is None else parse_quantity(holding_voltage, "mV")
    targets = read_any_targets(files[0], files[1] if len(files) > 1 else None, held_mV)
    losses = write_any_targets(targets, out, kind)
    lines = [f"{len(targets.objectives)} targets of {len(targets.protocols)} protocols written to {out}"]
    lines += _list("Read with these remarks:", targets.notes)
    lines += _list(f"Not the same in {kind}'s format:", losses)
    return "\n".join(lines)


def _list(title: str, remarks: tuple[str, ...]) -> list[str]:
    return [title, *(f"  {remark}" for remark in remarks)] if remarks else []
