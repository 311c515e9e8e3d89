"""Real processes are killed, stopped and emptied; the history is checked."""

import asyncio
import json
import os
import shutil
import subprocess
import time

from cluster import Cluster, eventually, sessions_over
from traffic import Traffic, add_users, make_pairs
from xmpp import Client, StreamClosed


def alternate(cluster):
    """Client i on manager 1 + i mod managers, direct TLS."""
    addresses = [cluster.manager_address(i + 1, "c2s_tls") for i in range(len(cluster.ids("connmgr")))]
    return lambda i: addresses[i % len(addresses)]


def check(pairs, every=True):
    problems = [sentence for pair in pairs for sentence in pair.problems(every)]
    assert not problems, "\n".join(problems[:10])


def exit_code(cluster, ident):
    """How the process last ended, as its supervisor saw it; None while it has not."""
    code = None
    try:
        with open(os.path.join(cluster.data, "logs", "supervisor.log"), encoding="utf-8") as lines:
            for line in lines:
                event = json.loads(line)
                if event["id"] == ident:
                    code = event["code"]
    except FileNotFoundError:
        pass
    return code


async def close_all(pairs):
    await asyncio.gather(*(c.close() for p in pairs for c in (p.sender, p.receiver)))


async def fetch_offline(cluster, pair):
    """The receiver logs in again: what came while he was away waits for him."""
    user = pair.receiver.jid.partition("@")[0]
    client = Client(cluster.endpoint("c2s_tls"), cluster.domain, cluster.ca)
    await client.login(user, cluster.users[user], tls="direct", presence=False)
    client.send("<presence/>")
    for _ in range(2):  # the second is behind what the presence set off
        for element in await client.ping():
            pair.at_receiver(element)
    client.on_stanza = pair.at_receiver
    pair.receiver = client


async def drain_manager(preset):
    """Must show 4: SIGTERM to a manager under load."""
    with Cluster(preset=preset) as cluster:
        pairs = await make_pairs(cluster, 30, lambda i: cluster.endpoint("c2s_tls"))
        async with Traffic(pairs, 200) as traffic:
            await asyncio.sleep(2)
            cluster.kill("connmgr-1", "SIGTERM", hold=True)
            # New connections go to the other manager from now on.
            begin = time.monotonic()
            while exit_code(cluster, "connmgr-1") is None:
                probe = Client(cluster.endpoint("c2s_tls"), cluster.domain, cluster.ca)
                await probe.login("alice", cluster.users["alice"], tls="direct")
                await probe.ping()
                await probe.close()
                assert time.monotonic() - begin < 60, "the manager does not exit"
            await traffic.settle()
        assert exit_code(cluster, "connmgr-1") == 0
        closed = [c for p in pairs for c in (p.sender, p.receiver) if c.closed is not None]
        assert closed and all(c.closed.condition == "system-shutdown" for c in closed), \
            {c.closed.condition for c in closed}
        assert any(c.closed is None for p in pairs for c in (p.sender, p.receiver)), "nobody is left"
        await asyncio.gather(*(fetch_offline(cluster, p) for p in pairs if p.receiver.closed is not None))
        for pair in pairs:
            assert not pair.problems(every=False), pair.problems(every=False)
        await close_all(pairs)
        print(f"    drained and gone after {time.monotonic() - begin:.1f} s, {len(closed)} clients were told")


async def kill_business(preset, kills=5):
    """Must show 5: kill -9 of a business server under 200 messages/s."""
    with Cluster(preset=preset) as cluster:
        pairs = await make_pairs(cluster, 40, alternate(cluster))
        async with Traffic(pairs, 200) as traffic:
            for i in range(kills):
                await asyncio.sleep(1.5)
                cluster.kill(f"business-{1 + i % 2}")
                ident = f"business-{1 + i % 2}"
                await eventually(lambda ident=ident: cluster.process(ident)["state"] == "ready", f"{ident} is back")
            await asyncio.sleep(1)
            await traffic.settle()
        assert all(p.connected for p in pairs), "somebody was disconnected"
        check(pairs)
        assert not any(p.bounced for p in pairs), "messages bounced"
        p99 = traffic.p99()
        print(f"    {kills} kills, {sum(len(p.received) for p in pairs)} messages, p99 {p99 * 1000:.0f} ms")
        assert p99 <= 2.0
        await close_all(pairs)


async def no_business(preset, seconds=20):
    """Must show 5: both business servers dead for 20 s."""
    with Cluster(preset=preset) as cluster:
        pairs = await make_pairs(cluster, 20, alternate(cluster))
        async with Traffic(pairs, 100) as traffic:
            await asyncio.sleep(1)
            for ident in ("business-1", "business-2"):
                cluster.kill(ident, hold=True)
            await asyncio.sleep(seconds)
            assert all(p.connected for p in pairs), "somebody was disconnected"
            for ident in ("business-1", "business-2"):
                cluster.start(ident)
            await asyncio.sleep(1)
            await traffic.settle(60)
        assert all(p.connected for p in pairs)
        check(pairs)
        await close_all(pairs)


async def kill_manager(preset):
    """Must show 6: kill -9 of a manager."""
    with Cluster(preset=preset, sets=("redis.command_deadline=2s",)) as cluster:
        watcher = Client(cluster.manager_address(2, "c2s_tls"), cluster.domain, cluster.ca)
        await watcher.login("alice", cluster.users["alice"], "watcher", "direct")
        other = Client(cluster.manager_address(1, "c2s_tls"), cluster.domain, cluster.ca)
        await other.login("alice", cluster.users["alice"], "victim", "direct")
        bob = Client(cluster.manager_address(1, "c2s_tls"), cluster.domain, cluster.ca)
        await bob.login("bob", cluster.users["bob"], "home", "direct")
        await bob.ping()
        await other.ping()
        await watcher.ping()
        cluster.kill("connmgr-1", hold=True)
        begin = time.monotonic()
        # Log in again under the same resource, at once, on the other manager.
        again = Client(cluster.manager_address(2, "c2s_tls"), cluster.domain, cluster.ca)
        await again.login("bob", cluster.users["bob"], "home", "direct")
        await again.ping()
        relogin = time.monotonic() - begin
        assert relogin < 3, relogin
        watcher.send(f"<message to='{again.jid}' type='chat' id='to-new'><body>hi</body></message>")
        while (await again.next(15)).get("id") != "to-new":
            pass
        # alice/victim is unavailable for everybody within 15 s.
        while True:
            element = await watcher.next(15.5 - (time.monotonic() - begin))
            if element.get("type") == "unavailable" and element.get("from") == other.jid:
                break
        gone = time.monotonic() - begin
        again.send(f"<message to='{other.jid}' type='headline' id='gone'><body>x</body></message>")
        await again.ping()
        listed = json.loads(cluster.ctl("--json", "session", "list").stdout)
        jids = [s["jid"] for s in listed["sessions"]]
        assert other.jid not in jids and again.jid in jids, jids
        print(f"    logged in again after {relogin:.2f} s, the others unavailable after {gone:.1f} s")
        await again.close()
        await watcher.close()
        cluster.start("connmgr-1")


async def stopped_manager(preset):
    """Must show 6: a manager that was stopped while its client logged in elsewhere has no effect any more."""
    with Cluster(preset=preset) as cluster:
        bob = Client(cluster.manager_address(2, "c2s_tls"), cluster.domain, cluster.ca)
        await bob.login("bob", cluster.users["bob"], "ear", "direct")
        old = Client(cluster.manager_address(1, "c2s_tls"), cluster.domain, cluster.ca)
        await old.login("alice", cluster.users["alice"], "same", "direct")
        await old.ping()
        cluster.kill("connmgr-1", "SIGSTOP")
        try:
            for i in range(20):
                old.send(f"<message to='{bob.jid}' type='chat' id='ghost{i}'><body>old epoch</body></message>")
            new = Client(cluster.manager_address(2, "c2s_tls"), cluster.domain, cluster.ca)
            await new.login("alice", cluster.users["alice"], "same", "direct")
            await new.ping()
            new.send(f"<message to='{bob.jid}' type='chat' id='real'><body>new epoch</body></message>")
            await new.ping()
        finally:
            cluster.kill("connmgr-1", "SIGCONT")
        try:
            while True:
                await old.next(20)
        except StreamClosed as closed:
            assert closed.condition == "conflict", closed
        await sessions_over(cluster, "connmgr-1", left=2)
        await bob.ping()  # what came before is in the list
        new.send(f"<message to='{bob.jid}' type='chat' id='last'><body>x</body></message>")
        ids = []
        while "last" not in ids:
            ids.append((await bob.next()).get("id"))
        assert not [i for i in ids if i and i.startswith("ghost")], ids
        await new.close()
        await bob.close()


def redis_directory(cluster):
    return os.path.join(cluster.data, "redis", "appendonlydir")


def rows_in_redis(cluster):
    """Sessions in the registry, counted past the cluster."""
    script = ("local n=0; for _,k in ipairs(redis.call('KEYS','x:*:sessions')) do n=n+redis.call('HLEN',k) end; "
              "return n")
    answer = cluster.redis("EVAL", script, "0")
    return int(answer) if answer.isdigit() else -1


def written(cluster):
    """Everything that Redis acknowledged is in its file, and on the disk."""
    persistence = dict(line.partition(":")[::2] for line in cluster.redis("INFO", "persistence").split())
    return persistence["aof_buffer_length"] == persistence["aof_pending_bio_fsync"] == "0"


def idle_sessions(cluster, count, preset):
    """`count` idle sessions over the managers, held by the load generator; the process."""
    import build
    build.build(preset, ["load"])
    add_users(cluster, [f"load{i}" for i in range(count)])
    command = [os.path.join(build.preset_dir(preset), "bin", "load"), "--mode", "idle", "--clients", str(count),
               "--tls", "none", "--mechanism", "SCRAM-SHA-1", "--sources", "4", "--seconds", "100000", "--address",
               *[cluster.manager_address(i + 1) for i in range(len(cluster.ids("connmgr")))]]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    ready = json.loads(process.stdout.readline())
    assert ready["clients"] == count, ready
    return process


async def redis_lost(preset, sessions, restore):
    with Cluster(preset=preset, sets=("c2s.tls=optional", "auth.scram_iterations=4096")) as cluster:
        pairs = await make_pairs(cluster, 20, alternate(cluster))
        idle = idle_sessions(cluster, sessions, preset) if sessions else None
        copy = redis_directory(cluster) + ".older"
        leavers = []
        if restore:
            # Sessions that the copy knows and that end afterwards, and some that it does not know.
            for i in range(5):
                client = Client(cluster.manager_address(1 + i % 2, "c2s_tls"), cluster.domain, cluster.ca)
                await client.login("alice", cluster.users["alice"], f"leaver{i}", "direct")
                await client.ping()
                leavers.append(client)
            await eventually(lambda: written(cluster), "what Redis was told is in its file")
            shutil.copytree(redis_directory(cluster), copy)
            for client in leavers:
                await client.close()
        late = Client(cluster.manager_address(1, "c2s_tls"), cluster.domain, cluster.ca)
        await late.login("bob", cluster.users["bob"], "late", "direct")
        await late.ping()
        expected = rows_in_redis(cluster)
        assert expected == 2 * len(pairs) + sessions + 1, expected
        async with Traffic(pairs, 100) as traffic:
            await asyncio.sleep(1)
            cluster.kill("redis", hold=True)
            shutil.rmtree(redis_directory(cluster))
            if restore:
                shutil.copytree(copy, redis_directory(cluster))
            cluster.start("redis")
            begin = time.monotonic()
            await eventually(lambda: rows_in_redis(cluster) >= expected, "the registry is whole", 15)
            whole = time.monotonic() - begin
            # Everybody can be reached again.
            await asyncio.sleep(1)
            await traffic.settle(30)
        assert all(p.connected for p in pairs) and late.closed is None, "somebody was disconnected"
        if idle:
            assert idle.poll() is None
        check(pairs)
        # No session is wedged, nobody is reaped wrongly after the leases' time, no ghost stays.
        await eventually(lambda: rows_in_redis(cluster) == expected,
                         f"exactly {expected} rows, there are {rows_in_redis(cluster)}", 45)
        await late.ping()
        if idle:
            managers = sum(cluster.metric_sum(m, "xylem_connmgr_sessions") for m in cluster.ids("connmgr"))
            assert managers == expected, managers
            idle.stdin.close()
            idle.wait(30)
        print(f"    {expected} sessions, registry whole after {whole:.1f} s")
        assert whole <= 5
        await late.close()
        await close_all(pairs)


def redis_empty(preset):
    return redis_lost(preset, 5000, restore=False)


def redis_older_copy(preset):
    return redis_lost(preset, 300, restore=True)


async def redis_frozen(preset):
    """Redis stopped for a while: inbound waits, nobody is reaped on its return (F5, shorter)."""
    with Cluster(preset=preset) as cluster:
        pairs = await make_pairs(cluster, 10, alternate(cluster))
        async with Traffic(pairs, 50) as traffic:
            await asyncio.sleep(1)
            cluster.kill("redis", "SIGSTOP")
            await asyncio.sleep(14)
            cluster.kill("redis", "SIGCONT")
            await asyncio.sleep(1)
            await traffic.settle(60)
        assert all(p.connected for p in pairs), "somebody was disconnected"
        check(pairs)
        assert rows_in_redis(cluster) == 2 * len(pairs)
        await close_all(pairs)


async def many_processes(preset):
    """Must show 3: four managers and three business servers; two clusters at once."""
    with Cluster(preset=preset, managers=4, business=3) as large, Cluster(preset=preset) as small:
        for cluster in (large, small):
            pairs = await make_pairs(cluster, 8, alternate(cluster))
            async with Traffic(pairs, 200) as traffic:
                await asyncio.sleep(2)
                await traffic.settle()
            check(pairs)
            assert all(p.connected for p in pairs)
            await close_all(pairs)
        assert large.endpoint() != small.endpoint()
        # A user of one is a stranger to the other.
        large.add_user("onlylarge")
        stranger = Client(small.endpoint("c2s_tls"), small.domain, small.ca)
        try:
            await stranger.login("onlylarge", "secret", tls="direct")
            raise AssertionError("let in")
        except Exception as error:  # pylint: disable=broad-except
            assert getattr(error, "condition", "") == "not-authorized", error
        stranger.abort()


async def same_resource_races(preset, rounds=100):
    """F21: one full JID bound from both managers at once; exactly one stays."""
    with Cluster(preset=preset) as cluster:
        for i in range(rounds):
            clients = []
            for manager in (1, 2):
                client = Client(cluster.manager_address(manager, "c2s_tls"), cluster.domain, cluster.ca)
                await client.connect("direct")
                await client.authenticate("alice", cluster.users["alice"])
                clients.append(client)
            results = await asyncio.gather(*(c.bind("race") for c in clients), return_exceptions=True)
            assert all(r is None or isinstance(r, (StreamClosed, AssertionError)) for r in results), results

            async def answered(client):
                try:
                    await client.ping(5)
                    return True
                except StreamClosed as closed:
                    assert closed.condition == "conflict", closed
                    return False
            await eventually(lambda c=clients: sum(x.closed is not None for x in c) == 1,
                             f"round {i}: one of two stays")
            assert sorted([await answered(c) for c in clients]) == [False, True]
            await asyncio.gather(*(c.close() for c in clients))


TESTS = {
    "four managers and three business servers, two clusters at once": many_processes,
    "a manager drains under load": drain_manager,
    "kill -9 of business servers under load": kill_business,
    "no business server for 20 s": no_business,
    "kill -9 of a manager": kill_manager,
    "a stopped manager has no effect any more": stopped_manager,
    "Redis restarted empty under 5,000 sessions": redis_empty,
    "Redis restored from an older copy": redis_older_copy,
    "Redis stopped for a while": redis_frozen,
    "one resource bound twice at once": same_resource_races,
}
