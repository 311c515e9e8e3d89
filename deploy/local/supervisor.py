"""Runs the processes of one cluster and starts again what dies, as Kubernetes would.

Runs detached, one per data directory; verbs talk to it over DATA/control.sock, one JSON object a
line each way. It owns every child: nothing is found or ended by name.
"""

import asyncio
import json
import os
import signal
import sys
import time
import urllib.error
import urllib.request

import plan
from settings import Settings

STOP_ORDER = ["haproxy", "connmgr", "business", "redis", "postgres"]
STOP_DEADLINE = {"haproxy": 3, "connmgr": 65, "business": 15, "redis": 10, "postgres": 20}


class Child:
    def __init__(self, description):
        self.spec = description
        self.process = None
        self.watcher = None  # the task that waits for its end
        self.started = 0.0
        self.restarts = 0
        self.held = False  # ended on purpose: not started again
        self.ready = False


class Supervisor:
    def __init__(self, settings):
        self.settings = settings
        self.children = {}
        self.stopping = False
        self.finished = asyncio.Event()

    def log_path(self, ident):
        return os.path.join(self.settings.data, "logs", ident + ".log")

    async def start_child(self, child):
        with open(self.log_path(child.spec["id"]), "ab") as log:
            child.process = await asyncio.create_subprocess_exec(
                *child.spec["argv"], stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log,
                cwd=self.settings.data)
        child.started = time.monotonic()
        child.ready = False
        child.held = False
        child.watcher = asyncio.get_running_loop().create_task(self.watch(child, child.process))
        if self.stopping:  # stop() has passed it by
            child.process.terminate()

    async def watch(self, child, process):
        code = await process.wait()
        if child.process is not process:
            return
        child.process, child.ready = None, False
        with open(self.log_path("supervisor"), "a", encoding="utf-8") as log:
            log.write(json.dumps({"ts": time.time(), "event": "exit", "id": child.spec["id"], "code": code}) + "\n")
        if self.stopping or child.held or not self.settings.restart:
            return
        # At once the first time; a process that cannot stay up is tried once in two seconds.
        lived = time.monotonic() - child.started
        await asyncio.sleep(0.2 if lived > 5 else 2.0)
        if not self.stopping and not child.held and child.process is None:
            child.restarts += 1
            await self.start_child(child)

    async def wait_ready(self, child, deadline):
        kind, _, target = child.spec["ready"].partition(":")
        while time.monotonic() < deadline and not self.stopping:
            if child.process is None and not self.settings.restart:
                return False
            if child.process is not None and await asyncio.to_thread(is_ready, kind, target):
                child.ready = True
                return True
            await asyncio.sleep(0.05)
        return False

    async def run(self):
        for process in plan.make(self.settings):
            child = Child(process.describe())
            self.children[child.spec["id"]] = child
        server = await asyncio.start_unix_server(self.serve, os.path.join(self.settings.data, "control.sock"))
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, lambda: loop.create_task(self.stop()))
        deadline = time.monotonic() + 30
        for tiers in (["redis", "postgres"], ["business"], ["connmgr", "haproxy"]):
            group = [c for c in self.children.values() if c.spec["tier"] in tiers]
            for child in group:
                await self.start_child(child)
            await asyncio.gather(*(self.wait_ready(c, deadline) for c in group))
        await self.finished.wait()
        server.close()

    async def stop(self):
        if self.stopping:
            return
        self.stopping = True
        for tier in STOP_ORDER:
            group = [c.process for c in self.children.values() if c.spec["tier"] == tier and c.process]
            for process in group:
                process.terminate()
            for process in group:
                try:
                    await asyncio.wait_for(process.wait(), STOP_DEADLINE[tier])
                except asyncio.TimeoutError:
                    process.kill()
                    await process.wait()
        # Each end is in the log before anybody hears that all is down.
        while watching := [c.watcher for c in self.children.values() if c.watcher and not c.watcher.done()]:
            await asyncio.gather(*watching)
        self.finished.set()

    def describe(self, child):
        spec = child.spec
        state = "stopped"
        if child.process is not None:
            kind, _, target = spec["ready"].partition(":")
            child.ready = is_ready(kind, target)
            state = "ready" if child.ready else "starting"
        return {"tier": spec["tier"], "id": spec["id"], "pid": child.process.pid if child.process else 0,
                "state": state, "restarts": child.restarts, "addresses": spec["addresses"],
                "admin": spec["admin"], "log": self.log_path(spec["id"])}

    async def answer(self, request):
        verb, ident = request.get("verb"), request.get("id", "")
        if verb == "status":
            processes = await asyncio.to_thread(lambda: [self.describe(c) for c in self.children.values()])
            return {"domain": self.settings.domain, "data": self.settings.data, "supervisor": os.getpid(),
                    "endpoints": plan.endpoints(self.settings), "processes": processes}
        if verb == "down":
            await self.stop()
            return {"ok": True}
        child = self.children.get(ident)
        if child is None:
            return {"error": f"no process '{ident}'; there are {', '.join(self.children)}"}
        if verb == "kill":
            if child.process is None:
                return {"error": f"{ident} is not running"}
            pid = child.process.pid
            child.held = bool(request.get("hold"))
            child.process.send_signal(request.get("signal", signal.SIGTERM))
            return {"ok": True, "pid": pid}
        if verb == "start":
            if child.process is not None:
                return {"error": f"{ident} is running already (pid {child.process.pid})"}
            await self.start_child(child)
            await self.wait_ready(child, time.monotonic() + 20)
            return {"ok": True, "pid": child.process.pid if child.process else 0}
        return {"error": f"unknown verb '{verb}'"}

    async def serve(self, reader, writer):
        try:
            line = await reader.readline()
            reply = await self.answer(json.loads(line))
            writer.write((json.dumps(reply) + "\n").encode())
            await writer.drain()
        except (ValueError, ConnectionError):
            pass
        finally:
            writer.close()


def is_ready(kind, target):
    import socket
    if kind == "tcp":
        host, _, port = target.rpartition(":")
        try:
            with socket.create_connection((host, int(port)), timeout=0.5):
                return True
        except OSError:
            return False
    try:
        with urllib.request.urlopen("http://" + target, timeout=1) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError, ValueError):
        return False


if __name__ == "__main__":
    asyncio.run(Supervisor(Settings.load(sys.argv[1])).run())
