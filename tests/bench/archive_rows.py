"""archive_rows.py URL ROWS: fills the archive of user@example.com in a store that `xylemctl store migrate` made.

One message a minute with 200 contacts, 300 bytes each; at the speed of SQL, past the store's code. For page_bench.
PostgreSQL by psql (PGPASSWORD)."""

import hashlib
import sqlite3
import subprocess
import sys

JID = "user@example.com"
BODY = "what light through yonder window breaks"
STEP = 60000  # ms
BEGIN = 1_500_000_000_000
COLUMNS = ("id, archive, effect, stamp, with_bare, with_resource, incoming, hidden, flags, origin, origin_id, body, "
           "bytes")
OWNER = (f"INSERT INTO account (jid, domain, created, password_changed, locked) VALUES ('{JID}', 'example.com', 0, 0, 0)",
         "INSERT INTO archive (owner, position, stamp, mark, indexed, oldest) "
         f"SELECT id, {{rows}}, {{newest}}, {{rows}}, 0, {BEGIN} FROM owner WHERE jid = '{JID}'")


def sqlite(path, rows):
    database = sqlite3.connect(path, isolation_level=None)
    for pragma in ("synchronous = OFF", "cache_size = -3000000", "temp_store = MEMORY", "foreign_keys = ON"):
        database.execute(f"PRAGMA {pragma}")
    database.execute("BEGIN")
    for statement in OWNER:
        database.execute(statement.format(rows=rows, newest=BEGIN + STEP * rows))
    (archive,) = database.execute(f"SELECT a.id FROM archive a JOIN owner o ON o.id = a.owner WHERE jid = '{JID}'").fetchone()
    row = lambda n: ((archive << 36) + n, archive, hashlib.md5(b"%d" % n).digest() + b"\0\0", BEGIN + STEP * n,
                     f"contact{n * 7919 % 200}@example.com", "phone", n % 2, 0, 0, b"o" * 16, str(n), BODY, b"x" * 300)
    database.executemany(f"INSERT INTO archive_row ({COLUMNS}) VALUES ({', '.join('?' * 13)})",
                         (row(n) for n in range(1, rows + 1)))
    database.execute("COMMIT")
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()


def postgres(url, rows):
    statements = [f"{statement.format(rows=rows, newest=BEGIN + STEP * rows)};" for statement in OWNER]
    statements.append(
        f"INSERT INTO archive_row ({COLUMNS}) SELECT (a.id << 36) + n, a.id, decode(md5(n::text), 'hex') || "
        f"'\\x0000'::bytea, {BEGIN} + {STEP}::bigint * n, 'contact' || n * 7919 % 200 || '@example.com', 'phone', n % 2, "
        f"0, 0, '{'o' * 16}'::bytea, n::text, '{BODY}', '{'x' * 300}'::bytea FROM generate_series(1::bigint, {rows}) n, "
        f"archive a JOIN owner o ON o.id = a.owner WHERE o.jid = '{JID}';")
    # As autovacuum would: pages of a busy table are all seen.
    statements.append("VACUUM ANALYZE archive_row; CHECKPOINT;")
    subprocess.run(["psql", "-q", "-v", "ON_ERROR_STOP=1", url], input="\n".join(statements), text=True, check=True)


def main():
    url, rows = sys.argv[1], int(sys.argv[2])
    if url.startswith("sqlite:"):
        sqlite(url.removeprefix("sqlite:"), rows)
    else:
        postgres(url, rows)


if __name__ == "__main__":
    main()
