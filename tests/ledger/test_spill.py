"""Spill log: what was appended survives; what was torn off is cut; after a failed sync a file is
dead.

Method: a file is cut at every byte offset; single bytes are flipped; the disk is filled for real;
a failing fdatasync is put in place of the kernel's.
"""

import errno
import os
import threading
import time

import pytest

from fastgw.ledger import spill as spilling
from fastgw.ledger.records import split
from fastgw.ledger.span import Span
from fastgw.ledger.spill import Spill
from tests.csrc.ledger_native import seeded
from tests.ledger.fabricate import Traffic


def spans(count: int, requests: int = 3) -> list[Span]:
    traffic, made, position = Traffic(6), [], 0
    for _ in range(count):
        records = b"".join(raw for _ in range(requests) for raw in traffic.one())
        made.append(Span(42, 1, 0, position, position + len(records), records))
        position += len(records)
    return made


def read(folder) -> list[Span]:
    """All that a fresh start finds."""
    return everything(Spill(folder))


def everything(log) -> list[Span]:
    found = []
    while group := log.pending():
        found += group
        log.stored()
    return found


def test_spans_come_back_in_order_after_a_restart(tmp_path):
    sent = spans(10)
    log = Spill(tmp_path)
    for span in sent:
        log.append([span])

    assert not log.empty and log.ends == {42: sent[-1].next}
    assert read(tmp_path) == sent
    assert Spill(tmp_path).ends == {42: sent[-1].next}


def test_cut_at_every_byte_a_prefix_survives(tmp_path):
    sent = spans(5, requests=1)
    log = Spill(tmp_path)
    log.append(sent[:2])
    log.append(sent[2:])
    (path,) = tmp_path.glob("spill-*.log")
    whole, lengths = path.read_bytes(), set()

    for cut in range(len(whole) + 1):
        path.write_bytes(whole[:cut])
        found = read(tmp_path)
        assert found == sent[: len(found)]
        assert os.path.getsize(path) <= cut
        lengths.add(len(found))

    assert lengths == set(range(6))


def test_a_flipped_byte_costs_its_entry_and_is_said(tmp_path):
    draw = seeded("flips")
    sent = spans(4, requests=1)
    log = Spill(tmp_path)
    log.append(sent)
    (path,) = tmp_path.glob("spill-*.log")
    whole = path.read_bytes()
    lost = set()

    for at in range(len(whole)):
        damaged = bytearray(whole)
        damaged[at] ^= draw.randrange(1, 256)
        path.write_bytes(damaged)
        again = Spill(tmp_path)
        found = everything(again)
        assert found == [span for span in sent if span in found] and len(found) == 3
        (gone,) = [sent.index(span) for span in sent if span not in found]
        lost.add(gone)
        # Behind the last entry nothing tells rot from a power cut.
        assert len(again.lost) == (gone < 3)
        for kept in tmp_path.glob("damaged-*"):
            assert kept.read_bytes() == damaged and kept.name in again.lost[0]
            kept.unlink()
        assert again.ends == {sent[0].ring: max(span.next for span in found)}
        assert everything(Spill(tmp_path)) == found and not list(tmp_path.glob("damaged-*"))
    assert lost == {0, 1, 2, 3}


def test_appending_goes_on_in_another_file_after_a_restart(tmp_path):
    sent = spans(4)
    Spill(tmp_path).append(sent[:2])
    (path,) = tmp_path.glob("spill-*.log")
    with open(path, "ab") as file:
        file.write(b"torn")
    Spill(tmp_path).append(sent[2:])

    assert len(list(tmp_path.glob("spill-*.log"))) == 2
    assert read(tmp_path) == sent


def test_what_is_appended_while_replaying_is_replayed_too(tmp_path):
    sent, found = spans(9), []
    log = Spill(tmp_path)
    log.append(sent[:3])
    for start in (3, 6):
        found += log.pending()
        log.append(sent[start : start + 3])
        log.stored()
    found += log.pending()
    log.stored()

    assert found == sent and log.pending() == []
    log.clear()
    assert log.empty and not list(tmp_path.glob("spill-*")) and log.ends == {}


def test_a_group_that_could_not_be_stored_is_given_again(tmp_path):
    log = Spill(tmp_path)
    log.append(spans(3))

    assert log.pending() == log.pending() != []


def test_a_file_whose_sync_failed_is_not_written_again(tmp_path, monkeypatch):
    sent = spans(4)
    log = Spill(tmp_path)
    log.append(sent[:1])

    def fails(fd):
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(spilling.os, "fdatasync", fails)
        with pytest.raises(OSError):
            log.append(sent[1:2])
    log.append(sent[1:3])

    assert len(list(tmp_path.glob("spill-*.log"))) == 2
    assert read(tmp_path) == sent[:3]


def test_a_full_disk_is_an_error_and_what_was_whole_stays(tiny_disk):
    log, kept = Spill(tiny_disk), []
    with pytest.raises(OSError) as failure:
        for span in spans(4000, requests=30):
            log.append([span])
            kept.append(span)

    assert failure.value.errno == errno.ENOSPC and kept
    assert read(tiny_disk) == kept
    while log.pending():
        log.stored()
    log.clear()
    log.append(kept[:1])
    assert read(tiny_disk) == kept[:1]


def test_records_are_packed(tmp_path):
    (span,) = spans(1, requests=200)
    log = Spill(tmp_path)
    log.append([span])

    assert log.size() * 4 < len(span.records)
    assert len(list(split(read(tmp_path)[0].records))) > 200


def test_files_go_as_they_are_stored_while_another_thread_appends(tmp_path, monkeypatch):
    """As where the store is remote: the spill is never done with."""
    monkeypatch.setattr(spilling, "_FILE_MAX", 4096)
    log, sent, found = Spill(tmp_path), spans(300, requests=3), []

    def append() -> None:
        for one in sent:
            log.append([one])

    thread = threading.Thread(target=append)
    thread.start()
    files, until = 0, time.monotonic() + 20
    while len(found) < len(sent) and time.monotonic() < until:
        some = log.pending()
        found += some
        if some:
            log.stored()
        files = max(files, len(list(tmp_path.glob("spill-*.log"))))
    thread.join()

    assert found == sent and log.empty and log.size() == 0
    assert len(list(tmp_path.glob("spill-*.log"))) == 1 and log.on_disk <= 3 * 4096
    log.clear()
    assert not list(tmp_path.glob("spill-*")) and log.on_disk == 0


def test_what_is_not_stored_is_not_cleared(tmp_path):
    sent, log = spans(2), Spill(tmp_path)
    log.append(sent)
    log.clear()
    assert not log.empty and read(tmp_path) == sent


def test_a_file_that_rots_while_it_is_used_is_an_error_not_silence(tmp_path):
    log = Spill(tmp_path)
    log.append(spans(3))
    (path,) = tmp_path.glob("spill-*.log")
    content = bytearray(path.read_bytes())
    content[10] ^= 1
    path.write_bytes(content)
    with pytest.raises(OSError, match="cannot be read at 0"):
        log.pending()
