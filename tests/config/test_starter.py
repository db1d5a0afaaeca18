"""What `fastgw init` writes loads as it stands, and so does what its comments propose.

Method: the text is checked; then with every commented line of configuration taken in.
"""

import re

from fastgw.config.starter import STARTER
from fastgw.policy.check import check

ENV = {"OPENAI_API_KEY": "sk-1", "ANTHROPIC_API_KEY": "sk-2"}


def test_the_starter_loads_without_a_warning(tmp_path):
    file = tmp_path / "fastgw.yaml"
    file.write_text(STARTER)

    assert check(file, ENV) == ([], [])


def test_the_starter_loads_with_its_comments_taken_in(tmp_path):
    lines = []
    for line in STARTER.splitlines():
        taken = re.fullmatch(
            r"( *)# ( *(?:- )?(?:id|dialect|base_url|keys|hash|owner|tags|access"
            r"|limits|name|actions|type|config|time_zone):.*)",
            line,
        )
        lines.append(taken[1] + taken[2] if taken else line)
    file = tmp_path / "fastgw.yaml"
    file.write_text("\n".join(lines).replace("sha256:…", "sha256:" + "a" * 64))

    errors, _ = check(file, ENV)

    text = "\n".join(lines)
    assert errors == [] and "dialect: anthropic" in text and "\n        - type: usage-cap" in text
    assert sum("#" in line for line in lines) < sum("#" in line for line in STARTER.splitlines())


def test_its_lines_are_short():
    assert max(map(len, STARTER.splitlines())) <= 99
