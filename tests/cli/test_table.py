"""Tables for people.

Method: printed and read back.
"""

from fastgw.cli.table import print_table


def test_aligns_words_left_and_numbers_right(capsys):
    print_table(["name", "n"], [["a", "1"], ["long name", "1,000"]])

    assert capsys.readouterr().out == "name           n\na              1\nlong name  1,000\n"


def test_an_empty_table_has_its_headings(capsys):
    print_table(["name", "n"], [])

    assert capsys.readouterr().out == "name  n\n"


def test_what_a_client_wrote_gives_a_terminal_no_orders(capsys):
    print_table(["user", "n"], [["\x1b[2J\x9b31m\u202egood\nrow  9", "1"], ["zoë", "2"]])

    lines = capsys.readouterr().out.split("\n")
    assert lines[1] == r"\x1b[2J\x9b31m\u202egood\nrow  9  1"
    assert lines[2].split() == ["zoë", "2"]
