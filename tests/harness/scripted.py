"""Client programs that take orders and tell events by lines of JSON."""

import asyncio
import functools
import json
import os
import subprocess

E2E = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "e2e")


@functools.lru_cache
def install_node():
    """What the programs in tests/e2e/node need, by lock file."""
    subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--silent"], cwd=os.path.join(E2E, "node"), check=True)


class Scripted:
    """A process; `name` is for messages."""

    def __init__(self, name, command, environment=None):
        self.name, self.command = name, command
        self.environment = {**os.environ, **(environment or {})}
        self.process = None

    async def spawn(self):
        self.process = await asyncio.create_subprocess_exec(
            *self.command, env=self.environment, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)

    async def read(self, timeout):
        """The next event. asyncio.TimeoutError: none came."""
        line = await asyncio.wait_for(self.process.stdout.readline(), timeout)
        assert line, f"{self.name} ended"
        return json.loads(line)

    def order(self, **values):
        self.process.stdin.write((json.dumps(values) + "\n").encode())

    async def quit(self):
        self.order(quit=True)
        try:
            await asyncio.wait_for(self.process.wait(), 10)
        except asyncio.TimeoutError:
            self.process.kill()
            await self.process.wait()
