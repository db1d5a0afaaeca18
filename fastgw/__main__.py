"""``fastgw``, and ``python -m fastgw``."""

from fastgw.cli.root import root


def main() -> None:
    root(prog_name="fastgw")


if __name__ == "__main__":
    main()
