"""``fastgw limits`` on a live instance.

Method: bob has used his two requests of the limit ``free``; nobody else has a bucket.
"""

from tests.cli.live import run


def test_tells_how_full_live_buckets_are(live):
    done = run("limits", "--data-dir", str(live.data_dir), cwd=live.folder)
    heading, *rows = done.stdout.splitlines()

    assert done.returncode == 0, done.stderr
    assert heading.split()[:6] == ["name", "key", "unit", "used", "held", "limit"]
    assert [row.split()[:6] for row in rows] == [["free", "bob", "requests", "2", "0", "2"]]


def test_shows_only_what_was_asked_for(live):
    for arguments, expected in (
        (("--name", "free"), 2), (("--key", "bob"), 2), (("--key", "alice"), 0),
        (("--name", "other"), 0),
    ):
        done = run("limits", "--data-dir", str(live.data_dir), *arguments, cwd=live.folder)
        assert len(done.stdout.splitlines()) == expected, arguments
