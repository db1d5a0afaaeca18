"""Tables for people: plain columns, so that they can be cut and pasted."""

from collections.abc import Sequence

import click


def print_table(headings: Sequence[str], rows: Sequence[Sequence[str]], *, left: int = 1) -> None:
    """The first ``left`` columns begin, all others end, at the same place."""
    widths = [
        max(len(cell) for cell in column) for column in zip(headings, *rows, strict=True)
    ]
    for row in (headings, *rows):
        cells = [
            cell.ljust(width) if index < left else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        click.echo("  ".join(cells).rstrip())
