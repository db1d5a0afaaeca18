"""``fastgw errors``: the catalogue of FGW codes."""

import click

from fastgw.cli.failure import ABSENT, Failure
from fastgw.explain import catalogue


@click.command()
@click.argument("code", required=False)
def errors(code: str | None) -> None:
    """Meaning, cause and remedy of CODE (FGW-801, 801, LIMIT_REQUESTS); without: all, in short."""
    if code is None:
        for known in catalogue.entries().values():
            click.echo(f"{known.text}  {known.status}  {known.title}")
        return
    try:
        known = catalogue.entry(code)
    except (KeyError, ValueError):
        raise Failure(f"no code {code}; `fastgw errors` lists all", ABSENT) from None
    phase = f", phase {known.phase}" if known.phase else ""
    click.echo(f"{known.text} {known.code.name}, status {known.status}{phase}")
    click.echo(f"  {known.title}")
    click.echo(f"  cause:  {known.cause}")
    click.echo(f"  remedy: {known.remedy}")
    click.echo("  waiting can help" if known.retry else "  waiting does not help")
