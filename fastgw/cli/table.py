"""Tables for people: plain columns, so that they can be cut and pasted."""

from collections.abc import Sequence

import click

from fastgw.explain.text import plain


def print_table(headings: Sequence[str], rows: Sequence[Sequence[str]], *, left: int = 1) -> None:
    """The first ``left`` columns begin, all others end, at the same place."""
    shown = [headings, *([plain(cell) for cell in row] for row in rows)]
    widths = [max(len(cell) for cell in column) for column in zip(*shown, strict=True)]
    for row in shown:
        cells = [
            cell.ljust(width) if index < left else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        click.echo("  ".join(cells).rstrip())
