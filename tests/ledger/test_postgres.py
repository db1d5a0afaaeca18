"""Postgres as the store: exactly once over kills, a server that is down, and one that is slow.

Method: a real server, stopped, started again, locked; forked recorders killed with -9; the books
of `Traffic` are the oracle. That it answers as SQLite does is shown by the tests that run over
both (conftest's `either_store`).
"""

import os
import shutil
import signal
import socket
import threading
import time

import psycopg
import pytest

from fastgw.config.model import Secret
from fastgw.errors import LedgerError
from fastgw.ledger.attempts import NAMES
from fastgw.ledger.committer import Paths
from fastgw.ledger.database import StoreFailed
from fastgw.ledger.events import Events
from fastgw.ledger.postgres import open_reader, open_writer
from fastgw.ledger.query import Ledger
from fastgw.ledger.recorder import Recorder
from fastgw.ledger.records import CLOSE, Close, RequestId, unpack_record
from fastgw.ledger.schema import SUMS_4, VERSION
from fastgw.ledger.store import Store
from tests.authority import authority, certificate
from tests.csrc.ledger_native import seeded
from tests.ledger.fabricate import T0, Traffic, names, post_all, rings
from tests.ledger.server import PostgresServer
from tests.ledger.test_store import placed, span, traffic_records

HOST = f"'{socket.gethostname()}'"


@pytest.fixture
def url(postgres):
    made = postgres.database()
    yield made
    postgres.drop(made)


class Log:
    def __init__(self):
        self.lines = []

    def __call__(self, event, fields):
        self.lines.append(f"{event} {fields}")


def recorder(folders, url, **more) -> Recorder:
    return Recorder(Paths(*folders, store=Secret(url), **more), Log())


def books(folder, url) -> dict:
    with Ledger(open_reader(folder, Secret(url))) as ledger:
        assert ledger.verify() == [] and ledger.open_attempts() == []
        (row,) = ledger.usage()
    fields = {"input": "input_tokens", "output": "output_tokens"}
    return {name: row[fields.get(name, name)]
            for name in ("requests", "denied", "attempts", "input", "output")}


def eventually(condition, what: str, patience_s: float = 20.0) -> None:
    until = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < until, what
        time.sleep(0.01)


def sql(url: str, statement: str) -> list[tuple]:
    with psycopg.connect(url, autocommit=True) as connection:
        return connection.execute(statement).fetchall()


def test_an_attempt_is_a_row_with_what_its_close_says(tmp_path, url):
    traffic, records = traffic_records(11, 200)
    store = Store(open_writer(tmp_path, Secret(url)))
    store.commit([span(records)])

    rows = sql(url, f"SELECT {', '.join(chr(34) + name + chr(34) for name in NAMES)} "
                    "FROM attempt ORDER BY sequence, attempt")
    closes = [unpack_record(raw) for raw in records if raw[4] == CLOSE]
    assert len(rows) == len(closes) == traffic.books["attempts"]
    for row, close in zip(rows, closes, strict=True):
        got = dict(zip(NAMES, row, strict=True))
        assert (got["generation"] - store.database.first, got["worker"], got["sequence"],
                got["attempt"]) == (1, 0, close.id.sequence, close.attempt)
        assert got["input"] == close.tokens.input and got["output"] == close.tokens.output
        assert (got["cost_nano_usd"], got["fate"]) == (close.cost_nano_usd, close.fate)
        assert got["account"] % 2**64 == close.dims.account
        assert (got["wall_ns"], got["bytes_out"]) == (close.wall_ns, close.bytes_out)
    store.close()


def test_a_row_that_is_there_already_stays_once(tmp_path, url):
    _, records = traffic_records(12, 50)
    store = Store(open_writer(tmp_path, Secret(url)))
    store.commit([span(records)])
    before = sql(url, "SELECT count(*), sum(input) FROM attempt")
    store.database.run("DELETE FROM ring")  # as a server restored from half a backup
    store.close()

    store = Store(open_writer(tmp_path, Secret(url)))
    store.commit([span(records)])
    assert sql(url, "SELECT count(*), sum(input) FROM attempt") == before
    store.close()


def test_retention_takes_rows_of_attempts_too(tmp_path, url):
    _, records = traffic_records(13, 50)
    store = Store(open_writer(tmp_path, Secret(url)))
    store.commit([span(records)])
    assert store.prune(2**62) == 1
    assert sql(url, "SELECT count(*) FROM attempt") == [(0,)]
    with Ledger(open_reader(tmp_path, Secret(url))) as ledger:
        assert ledger.verify() == [] and ledger.usage()[0]["requests"] == 50
    store.close()


def test_instances_share_a_database_and_sums_are_of_all(tmp_path, url):
    folders = [tmp_path / "a", tmp_path / "b"]
    stores, traffics = [], []
    for number, folder in enumerate(folders):
        folder.mkdir()
        traffic, records = traffic_records(20 + number, 40 + number)
        stores.append(Store(open_writer(folder, Secret(url))))
        stores[-1].commit([span(records, ring=100 + number)])
        traffics.append(traffic)
    first, second = sql(url, "SELECT id FROM instance ORDER BY id")
    fleet = {f"{socket.gethostname()}#{number}": traffic.books["requests"]
             for (number,), traffic in zip((first, second), traffics, strict=True)}
    for folder, traffic in zip(folders, traffics, strict=True):
        with Ledger(open_reader(folder, Secret(url))) as ledger:
            assert ledger.verify() == []
            (whole,), (own,) = ledger.usage(), ledger.usage(instance="self")
            assert own["requests"] == ledger.totals()["requests"] == traffic.books["requests"]
            for name in ("requests", "denied", "attempts"):
                assert whole[name] == sum(one.books[name] for one in traffics)
            rows = ledger.usage(by=["instance"])
            assert {row["instance"]: row["requests"] for row in rows} == fleet
            for name, requests in fleet.items():
                assert ledger.usage(instance=name)[0]["requests"] == requests
            with pytest.raises(LedgerError, match=f"no instance 'x'.*{min(fleet)}"):
                ledger.usage(instance="x")
            attempts = [len(list(Events(one).between(0, None))) for one in ledger.views()]
            assert attempts == [one.books["attempts"] for one in traffics]
            assert len(ledger.views("self")) == 1
    assert stores[0].acked(101) == 0 and stores[1].acked(101) > 0
    for store in stores:
        store.close()


def test_any_instance_knows_every_request(tmp_path, url):
    stores, ids = [], {"a": (1, 2), "b": (1, 3), "c": (9, 9)}  # name: (generation, how many)
    for name, (generation, number) in ids.items():
        (tmp_path / name).mkdir()
        stores.append(Store(open_writer(tmp_path / name, Secret(url))))
        traffic = Traffic(3, generation=generation)
        records = [raw for _ in range(number) for raw in traffic.one()]
        stores[-1].commit([span(placed(records), ring=len(stores))])
    with Ledger(open_reader(tmp_path / "a", Secret(url))) as ledger:
        names = {number: text for number, text in ledger.database.instances().items()}
        told = ledger.decision(str(RequestId(9, 0, 8)))
        assert told["instance"] == names[3] and told["complete"]
        assert ledger.decision(str(RequestId(1, 0, 2)))["instance"] == names[1], "its own first"
        assert ledger.decision(str(RequestId(1, 0, 2)), names[2])["instance"] == names[2]
        assert ledger.decision(str(RequestId(1, 0, 3)))["instance"] == names[2]
        assert ledger.decision(str(RequestId(9, 0, 8)), "self") is None
        assert ledger.decision(str(RequestId(5, 0, 1))) is None
    with Ledger(open_reader(tmp_path / "c", Secret(url))) as ledger:
        with pytest.raises(LedgerError, match=f"several.*{names[1]}, {names[2]}; name one"):
            ledger.decision(str(RequestId(1, 0, 1)))
    for store in stores:
        store.close()


def test_a_copied_directory_is_refused_and_the_first_goes_on(tmp_path, url):
    one, copy = tmp_path / "one", tmp_path / "copy"
    for folder in (one, copy):
        folder.mkdir()
    first = Store(open_writer(one, Secret(url)))
    first.commit([span(traffic_records(1, 5)[1])])
    again = open_writer(one, Secret(url))  # a recorder that follows one which was killed
    again._connection.close()
    shutil.copy(one / "identity", copy / "identity")

    with pytest.raises(LedgerError, match=f"data_dir {one} on host.*delete the copy's") as refused:
        open_writer(copy, Secret(url))
    assert not isinstance(refused.value, StoreFailed), "the start fails"
    first.commit([span(traffic_records(2, 5)[1], ring=9)])
    first.database.beat()

    # Silent for long enough it is taken for gone; when it wakes up it is told.
    sql(url, "UPDATE instance SET seen = seen - 31000 RETURNING id")
    second = Store(open_writer(copy, Secret(url)))
    for act in (lambda: first.commit([span(traffic_records(3, 5)[1], ring=10)]),
                lambda: first.database.beat()):
        first.database._holder.beat_at = 0
        with pytest.raises(StoreFailed, match="another gateway writes") as displaced:
            act()
        assert displaced.value.for_good
    first.close()
    second.commit([span(traffic_records(4, 5)[1], ring=11)])
    assert second.acked(10) == 0 and second.acked(9) > 0
    second.close()
    Store(open_writer(one, Secret(url))).close()  # it went in order: nobody waits


def test_the_same_place_after_a_boot_waits_and_does_not_fail(tmp_path, url):
    open_writer(tmp_path, Secret(url))._connection.close()
    sql(url, f"UPDATE instance SET holder = {HOST} || chr(10) || '{tmp_path}' || chr(10) || 'x' "
             "RETURNING id")
    with pytest.raises(StoreFailed, match="less than 30 s ago") as soon:
        open_writer(tmp_path, Secret(url))
    assert not soon.value.for_good


def test_an_older_table_of_instances_gets_its_columns(tmp_path, url):
    open_writer(tmp_path, Secret(url)).close()
    with psycopg.connect(url) as connection:
        connection.execute("ALTER TABLE instance DROP name, DROP holder, DROP seen")
    with Ledger(open_reader(tmp_path, Secret(url))) as ledger:
        assert ledger.database.instances() == {1: "#1"}
    open_writer(tmp_path, Secret(url)).close()
    assert sql(url, f"SELECT holder, name FROM instance WHERE name = {HOST}")


def test_an_older_table_of_attempts_gets_its_columns_and_keeps_its_rows(tmp_path, url):
    store = Store(open_writer(tmp_path, Secret(url)))
    store.commit([span(placed([Close(RequestId(1, 0, 1), T0, output_basis=3).pack()]))])
    store.close()
    assert sql(url, "SELECT input_basis, output_basis FROM attempt") == [(0, 3)]
    with psycopg.connect(url) as connection:
        connection.execute("ALTER TABLE attempt DROP input_basis, DROP output_basis")
    store = Store(open_writer(tmp_path, Secret(url)))
    store.commit([span(placed([Close(RequestId(1, 0, 2), T0, input_basis=5).pack()], 4096))])
    store.close()
    assert sql(url, "SELECT input_basis, output_basis FROM attempt ORDER BY sequence") == [
        (0, 0), (5, 0)]


def test_retention_of_several_writers_takes_each_its_own(tmp_path, url):
    stores = []
    for number in range(3):
        (tmp_path / str(number)).mkdir()
        stores.append(Store(open_writer(tmp_path / str(number), Secret(url))))
        for at in range(4):
            traffic = Traffic(at, generation=at + 1)
            stores[-1].commit([span(placed([r for _ in range(20) for r in traffic.one()]),
                                    ring=100 * number + at + 1)])
    before = [one.database.row("SELECT count(*) FROM batch")[0] for one in stores[:1]]
    failed: list[BaseException] = []

    def age(store: Store) -> None:
        try:
            while store.prune(2**62, batches_max=1) or store.age([2**40] * 2 + [0], rows_max=1):
                pass
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=age, args=(store,)) for store in stores[:2]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failed and before == [12]
    assert sql(url, "SELECT count(*) FROM batch") == [(4,)], "the third's own"
    for number, store in enumerate(stores):
        with Ledger(open_reader(tmp_path / str(number), Secret(url))) as ledger:
            assert ledger.verify() == [] and ledger.usage()[0]["requests"] == 240
            assert ledger.usage(instance="self")[0]["requests"] == 80
        store.close()


def test_two_instances_that_start_at_once_get_numbers_of_their_own(tmp_path, url):
    found: list[int] = []

    def begin(number: int) -> None:
        folder = tmp_path / str(number)
        folder.mkdir()
        database = open_writer(folder, Secret(url))
        found.append(database.instance)
        database.close()

    threads = [threading.Thread(target=begin, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(found) == [1, 2, 3, 4, 5, 6]


def test_killed_mid_batch_every_attempt_is_stored_once(folders, url):
    draw = seeded("kill over postgres")
    ring, traffic = rings(folders[1], size=1 << 16), Traffic(31)
    waiting: list[bytes] = []

    def post(more: bool = True) -> None:
        nonlocal waiting
        waiting = waiting or (traffic.one() if more else [])
        while waiting and ring.post_bytes(waiting[0]):
            waiting.pop(0)

    for _ in range(25):
        child = os.fork()
        if child == 0:
            one = recorder(folders, url, interval_ms=1)
            while True:
                one.step()
        until = time.monotonic() + draw.random() * 0.2
        while time.monotonic() < until:
            post()
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)

    one = recorder(folders, url)
    eventually(lambda: (post(False), one.step(), one.drained() and not waiting)[-1], "drained")
    one.close()
    got = books(folders[0], url)
    assert got == {name: traffic.books[name] for name in got}
    assert sql(url, "SELECT count(*) FROM attempt") == [(traffic.books["attempts"],)]


def test_a_server_that_is_down_and_comes_back_has_all_once(folders, postgres, url):
    ring, traffic, one = rings(folders[1]), Traffic(32), recorder(folders, url)

    def post(number: int) -> None:
        post_all(ring, [raw for _ in range(number) for raw in traffic.one()])
        assert one.step() == 1 and one._tails.lag() == 0

    post(50)
    postgres.stop()
    try:
        for _ in range(20):
            post(20)
        assert one.status()["spill_bytes"] > 0 and one.failing
        one.close()
        one = recorder(folders, url)  # a start while it is down is a start
        post(30)
        assert one.status()["store"] is False
    finally:
        postgres.start()

    eventually(lambda: (one.step(), one.drained())[-1], "all is replayed")
    assert one.status()["failing"] == ""
    post(10)
    one.close()
    got = books(folders[0], url)
    assert got == {name: traffic.books[name] for name in got}
    assert not list(folders[0].glob("spill-*"))


def test_a_slow_server_is_felt_by_the_spill_alone(folders, url):
    ring, traffic = rings(folders[1], size=1 << 16), Traffic(33)
    one = recorder(folders, url)
    post_all(ring, names())
    one.step()
    stop_end, stop = os.pipe()

    def ask() -> None:
        """As what looks after the invariant does between two passes."""
        asked.append(threading.current_thread())
        with Ledger(open_reader(folders[0], Secret(url))) as ledger:
            ledger.totals()

    asked: list[threading.Thread] = []
    thread = threading.Thread(target=one.run, args=(stop_end, ask))
    with psycopg.connect(url) as blocker:
        blocker.execute("LOCK TABLE batch IN ACCESS EXCLUSIVE MODE")
        thread.start()
        for _ in range(1000):  # many times what the ring holds
            for raw in traffic.one():
                eventually(lambda raw=raw: ring.post_bytes(raw), "the ring is emptied meanwhile")
        assert one.status()["spill_bytes"] > 0
        blocker.rollback()
    eventually(lambda: asked, "what asks the store has its turn")
    os.close(stop)
    thread.join(30)
    assert not thread.is_alive() and thread not in asked
    one.close()
    got = books(folders[0], url)
    assert got == {name: traffic.books[name] for name in got}


def test_with_a_full_disk_a_spill_that_is_stored_makes_room(folders, tiny_disk, url):
    folders = (tiny_disk, folders[1])
    ring, traffic, one = rings(folders[1], size=1 << 16), Traffic(34), recorder(folders, url)
    (tiny_disk / "ballast").write_bytes(bytes(900 << 10))
    waiting: list[bytes] = []
    until = time.monotonic() + 30
    while (traffic.sequence < 3000 or waiting) and time.monotonic() < until:
        waiting = waiting or [raw for _ in range(20) for raw in traffic.one()]
        while waiting and ring.post_bytes(waiting[0]):
            waiting.pop(0)
        one.step()
    eventually(lambda: (one.step(), one.drained())[-1], "drained")

    assert one.counts.spill_failures > 0
    one.close()
    got = books(folders[0], url)
    assert got == {name: traffic.books[name] for name in got}


def test_no_state_of_a_session_is_left(tmp_path, url):
    database = open_writer(tmp_path, Secret(url))
    store = Store(database)
    before = database.rows("SELECT name, setting FROM pg_settings WHERE name <> 'in_hot_standby'")
    for seed in range(10):
        _, records = traffic_records(seed, 20, worker=seed)
        store.commit([span(records, ring=seed + 1)])
    reader = Ledger(database)
    assert reader.usage()[0]["requests"] == 200 and reader.totals()["requests"] == 200

    assert database.rows("SELECT * FROM pg_prepared_statements") == []
    assert database.rows("SELECT 1 FROM pg_locks WHERE locktype = 'advisory'") == []
    assert database.rows("SELECT 1 FROM pg_class WHERE relpersistence = 't'") == []
    after = database.rows("SELECT name, setting FROM pg_settings WHERE name <> 'in_hot_standby'")
    assert after == before
    store.close()


def test_commits_are_synced_where_the_server_would_not(tmp_path, postgres, url):
    sql_name = url.split("@/")[1].split("?")[0]
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {sql_name} SET synchronous_commit = off")
    database = open_writer(tmp_path, Secret(url))
    with database.transaction():
        assert database.row("SHOW synchronous_commit") == ("on",)
    assert database.row("SHOW synchronous_commit") == ("off",)
    database.close()


def test_a_newer_schema_is_refused_and_an_older_one_brought_up(tmp_path, url):
    _, records = traffic_records(14, 30)
    store = Store(open_writer(tmp_path, Secret(url)))
    store.commit([span(records)])
    database = store.database
    with database.transaction():
        for table in ("rollup_hour", "rollup_day", "exported"):
            database.run(f"DROP TABLE {table}")
        for table, names in (("rollup", SUMS_4), ("dims", ("tier",))):
            for name in names:
                database.run(f"ALTER TABLE {table} DROP COLUMN {name}")
        database.run("UPDATE meta SET value = 2 WHERE key = 'schema'")
    with Ledger(open_reader(tmp_path, Secret(url))) as ledger:
        assert ledger.usage()[0]["requests"] == 30
    open_writer(tmp_path, Secret(url)).close()
    assert sql(url, "SELECT value FROM meta WHERE key = 'schema'") == [(VERSION,)]
    assert books(tmp_path, url)["requests"] == 30

    database.run("UPDATE meta SET value = ? WHERE key = 'schema'", VERSION + 1)
    for opened in (open_writer, open_reader):
        with pytest.raises(LedgerError, match=f"schema {VERSION + 1}; this fastgw knows"):
            opened(tmp_path, Secret(url))
    store.close()


@pytest.mark.parametrize(("wrong", "words", "for_good"), [
    (lambda server, url: server.over_tcp(url, "canary-5521"), "authentication failed", True),
    (lambda server, url: server.over_tcp(url).replace("4711@", "4711@canary-5521@"), "%40",
     None),
    (lambda server, url: server.over_tcp(url + "x").replace("4711", "4711"), "", True),
    (lambda server, url: server.over_tcp(url).replace(str(server.port), "1"), "refused", False),
    (lambda server, url: server.over_tcp(url) + "?sslmode=require", "turn ssl on", True),
])
def test_errors_say_what_is_wrong_and_never_the_password(
    folders, postgres, url, wrong, words, for_good
):
    bad = wrong(postgres, url.replace("ledger", "ledgerx") if words == "" else url)
    with pytest.raises(LedgerError) as failure:
        open_writer(folders[0], Secret(bad))
    said = str(failure.value)
    assert words in said and "canary-5521" not in said and "open-sesame" not in said
    if for_good is not None:
        assert isinstance(failure.value, StoreFailed) and failure.value.for_good is for_good
    log = Log()
    try:
        one = Recorder(Paths(*folders, store=Secret(bad)), log)
    except LedgerError:
        assert for_good is not False, "a server that is down stops no start"
    else:
        one.step()
        one.close()
    assert "canary" not in "".join(log.lines) and "sesame" not in "".join(log.lines)


def test_by_tcp_with_a_password_it_works(tmp_path, postgres, url):
    database = open_writer(tmp_path, Secret(postgres.over_tcp(url)))
    assert database.instance == 1 and "sesame" not in database.place
    database.close()
    with pytest.raises(LedgerError, match="nothing was recorded"):
        open_reader(tmp_path / "elsewhere", Secret(url))


@pytest.fixture(scope="module")
def secured(tmp_path_factory):
    """A server that speaks TLS by TCP and nothing else; its certificate names localhost."""
    folder = tmp_path_factory.mktemp("tls")
    for name in ("ours", "theirs"):
        authority(folder, name)
    certificate(folder, "server", "ours", "DNS:localhost")
    server = PostgresServer((folder / "server.pem", folder / "server.key"))
    yield server, folder
    server.end()


def tls(server, url, host, mode, root=""):
    root = f"&sslrootcert={root}" if root else ""
    return f"{server.over_tcp(url).replace('127.0.0.1', host)}?sslmode={mode}{root}"


@pytest.mark.parametrize(("host", "mode", "root"), [
    ("localhost", "verify-full", "ours.pem"), ("127.0.0.1", "verify-ca", "ours.pem"),
    ("127.0.0.1", "require", ""),
])
def test_tls_as_the_url_says(tmp_path, folders, secured, host, mode, root):
    server, keys = secured
    url = server.database()
    wanted = Secret(tls(server, url, host, mode, keys / root if root else ""))
    store = Store(open_writer(folders[0], wanted))
    assert sql(url, "SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) "
                    "WHERE application_name = 'fastgw'") == [(True,)]
    traffic, records = traffic_records(5, 30)
    store.commit([span(records)])
    with Ledger(open_reader(folders[0], wanted)) as ledger:
        assert ledger.usage()[0]["requests"] == traffic.books["requests"]
    store.close()


@pytest.mark.parametrize(("host", "mode", "root", "says"), [
    ("localhost", "verify-full", "theirs.pem", "verify failed.*sslrootcert must name the file"),
    ("127.0.0.1", "verify-full", "ours.pem", "does not match host name.*name that the server's"),
    ("localhost", "verify-full", "nowhere.pem", "root certificate file.*sslrootcert must name"),
    ("localhost", "disable", "", "no encryption.*the server wants TLS"),
])
def test_tls_that_fails_says_what_helps_and_no_password(
    folders, secured, host, mode, root, says
):
    server, keys = secured
    url = Secret(tls(server, server.database(), host, mode, keys / root if root else ""))
    with pytest.raises(StoreFailed, match=says) as refused:
        open_writer(folders[0], url)
    assert refused.value.for_good and "sesame" not in str(refused.value)
    with pytest.raises(LedgerError, match=says):
        Recorder(Paths(*folders, store=url), Log())
    kept = (folders[0] / "store").read_text()
    assert f"sslmode={mode}" in kept and "sesame" not in kept
