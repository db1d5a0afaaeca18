"""``fastgw limits grant|reset`` on a live instance, and where nothing runs.

Method: bob has used his two requests of the limit ``free`` (conftest); what he is given here is
taken away again by no other test, so only refusals that change nothing are tried, and a grant of a
bucket that only this test uses.
"""

from tests.cli.live import run


def test_unknown_buckets_and_bad_amounts_are_refused_with_what_there_is(live):
    where = ("--data-dir", str(live.data_dir))
    for arguments, said in (
        (("reset", "--name", "fre", "--key", "bob"), "near it: 'free'"),
        (("reset", "--name", "free", "--key", "bop"), "near it: 'bob'"),
        (("grant", "--name", "free", "--key", "bob", "--amount", "x"), "'x' is no number"),
        (("grant", "--name", "free", "--key", "bob"), "--amount"),
    ):
        done = run("limits", *arguments, *where, cwd=live.folder)
        assert done.returncode != 0 and said in done.stderr, (arguments, done.stderr)


def test_where_nothing_runs_that_is_said(tmp_path):
    done = run("limits", "reset", "--name", "a", "--key", "b", "--data-dir", str(tmp_path),
               cwd=tmp_path)

    assert done.returncode == 1 and "no instance ever ran" in done.stderr
