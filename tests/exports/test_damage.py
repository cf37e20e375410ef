"""Damaged exports: each is refused or costs its rows, always with a sentence; nothing crashes, hangs or is lost."""

import random
import resource
import time
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from bot.imports import Importer
from bot.ledger import Ledger
from bot.pricing import PriceBook
from bot.store.database import Database, open_database
from tests.conftest import SAMPLES
from tests.exports.test_samples import NOW, POLICY, ledger_of
from tests.usage import opus_for, store, used

FILES = sorted(path for path in SAMPLES.rglob("*") if path.is_file())
NUMBERS = [
    b"-1",
    b"1e999999",
    b"NaN",
    b"Infinity",
    b"9" * 400,
    b"0x10",
    b"1_000",
    "١٢".encode(),
    b"1.5",
    b"null",
    b'""',
]
FORMULAS = [b"=1+1", b"+cmd|' /C calc'!A0", b"@SUM(1)", b"\t=1"]
MEMORY = 300 * 2**20


def damaged(data: bytes, chosen: random.Random) -> bytes:
    """One of many ways in which files go wrong."""
    ways = [
        lambda: data[: chosen.randrange(len(data) + 1)],
        lambda: data[chosen.randrange(len(data) + 1) :],
        lambda: b"\xef\xbb\xbf" + data,
        lambda: data.decode("utf-8", "replace").encode("utf-16"),
        lambda: data.decode("utf-8", "replace").encode("latin-1", "replace"),
        lambda: data.replace(b"\n", chosen.choice([b"\r", b"\r\n", b"\n\n", b"\n\r\n"])),
        lambda: replaced_number(data, chosen),
        lambda: swapped(data, chosen),
        lambda: data.replace(b",", b"\t"),
        lambda: data.replace(b'"', b"", chosen.randint(1, 3)),
        lambda: data + data,
        lambda: data.replace(b"{", b"{" * chosen.choice([2, 2000]), 1),
        lambda: data.replace(b"claude", b"c" * chosen.choice([300, 200_000]), 1),
        lambda: b"[" * 100_000 + data,
        lambda: bytes(chosen.randrange(256) for _ in range(500)),
        lambda: data.replace(b"2026", chosen.choice([b"9999", b"0000", b"1999", b"20 26"])),
        lambda: data.replace(b"@", b"=" + chosen.choice(FORMULAS), 2),
        lambda: data.split(b"\n", 1)[0] + b"," + data.split(b"\n", 1)[0] + b"\n" + data,
        lambda: data + b"\x00" * 1000,
    ]
    return chosen.choice(ways)()


def replaced_number(data: bytes, chosen: random.Random) -> bytes:
    places = [place for place, byte in enumerate(data) if 48 <= byte <= 57] or [0]
    start = end = chosen.choice(places)
    while end < len(data) and 48 <= data[end] <= 57:
        end += 1
    return data[:start] + chosen.choice(NUMBERS) + data[end:]


def swapped(data: bytes, chosen: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(chosen.randint(1, 20)):
        changed[chosen.randrange(len(changed))] = chosen.randrange(256)
    return bytes(changed)


def check(database: Database, book: PriceBook, folder: Path, seed: int) -> None:
    chosen = random.Random(seed)
    source = chosen.choice(FILES)
    path = folder / f"{seed}{source.suffix}"
    path.write_bytes(damaged(source.read_bytes(), chosen))
    importer = Importer(database, ZoneInfo("UTC"), book, POLICY)
    start = time.monotonic()
    for report in importer.import_path(path, NOW):
        sentences = [report.refused] if report.refused else [problem.problem for problem in report.problems]
        for sentence in sentences:
            assert sentence, source
            assert len(sentence) < 700, sentence
            assert sentence.endswith("."), sentence
            assert "Traceback" not in sentence, sentence
    assert time.monotonic() - start < 5, (source, seed)


def kept(ledger: Ledger) -> Decimal:
    rows = {row.group: row.amount.usd for row in ledger.spend(None, None, ("person",)).rows}
    return rows["keeper@example.com",]


@pytest.fixture
def stored(tmp_path: Path, book: PriceBook, sqlite_template: Path) -> Database:
    database = open_database(f"sqlite:///{tmp_path}/damage.db")
    keeper = replace(used(opus_for(5)), actor=used(opus_for(5)).actor._replace(name="keeper@example.com"))
    store(database, keeper, source="console_usage_csv")
    return database


def test_damaged_exports_make_sentences(stored: Database, book: PriceBook, tmp_path: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for seed in range(150):
        check(stored, book, tmp_path, seed)
    assert kept(ledger_of(stored, book)) == 5
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < MEMORY


@pytest.mark.soak
def test_a_thousand_damaged_exports_make_sentences(stored: Database, book: PriceBook, tmp_path: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for seed in range(1000, 2000):
        check(stored, book, tmp_path, seed)
    assert kept(ledger_of(stored, book)) == 5
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < MEMORY
