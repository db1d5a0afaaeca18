"""`python -m fastgw.mock`: the mock provider alone, as `fastgw mock`."""

import argparse
import sys

from fastgw.mock.asked import Asked, duration_ns
from fastgw.mock.serve import Settings, run


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="fastgw mock", description="A provider that keeps books of what it generates.")
    add = parser.add_argument
    add("--listen", default="127.0.0.1:9001", metavar="A:P", help="port 0: any free one")
    add("--books", metavar="FILE", help="a JSON line a call, appended")
    add("--no-lines", action="store_true", help="keep sums only, no line a call")
    add("--delay", type=duration_ns, default=0, metavar="D", help="before the first byte")
    add("--pace", type=duration_ns, default=0, metavar="D", help="before each content event")
    add("--events", type=int, default=100, metavar="N", help="content events of an answer")
    add("--tokens-per-event", type=int, default=1, metavar="N")
    add("--batch", type=int, default=0, metavar="N", help="content events in one write")
    add("--seed", type=int, default=0, metavar="N", help="of the generated text")
    add("--workers", type=int, default=1, metavar="N")
    add("--keys", metavar="K1,K2", help="the only credentials that are taken")
    return parser


def settings_of(argv: list[str] | None) -> Settings:
    """The settings that a command line means; exits 2 on a wrong one."""
    parser = _arguments()
    given = parser.parse_args(argv)
    host, colon, port = given.listen.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65535:
        parser.error(f"--listen wants ADDRESS:PORT, not {given.listen!r}")
    if given.events < 0 or given.tokens_per_event < 1 or not 1 <= given.workers <= 64:
        parser.error("--events >= 0, --tokens-per-event >= 1, --workers 1 to 64")
    defaults = Asked(events=given.events, tokens_per_event=given.tokens_per_event,
                     delay=given.delay, pace=given.pace, batch=given.batch)
    return Settings(
        host=host.strip("[]") or "127.0.0.1", port=int(port), books=given.books,
        lines=not given.no_lines, seed=given.seed, workers=given.workers,
        keys=frozenset(given.keys.split(",")) if given.keys else None, defaults=defaults)


def main(argv: list[str] | None = None) -> int:
    """Serves until TERM or INT; 1 with one clear line when it cannot begin."""
    settings = settings_of(argv)
    try:
        return run(settings)
    except OSError as error:
        where = f"{settings.host}:{settings.port}"
        print(f"fastgw mock: cannot serve on {where}: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
