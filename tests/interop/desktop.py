"""A screen without a monitor, with a session bus: where a graphical program runs, is typed into and looked at."""

import asyncio
import os
import pwd
import shutil
import subprocess
import tempfile
import time

PACKAGES = ["xvfb", "xdotool", "imagemagick", "dbus", "libglib2.0-bin", "openbox", "fonts-dejavu-core"]


class Desktop:
    """A context manager. Programs run as nobody where we are root: some refuse root."""

    def __init__(self, size=(1000, 640)):
        self.size, self.processes = size, []
        self.home = tempfile.mkdtemp(prefix="xylem-desktop-")
        self.environment = {"PATH": os.environ["PATH"], "HOME": self.home, "LANG": "C.UTF-8", "NO_AT_BRIDGE": "1",
                            "GSETTINGS_BACKEND": "memory", "GDK_BACKEND": "x11", "LIBGL_ALWAYS_SOFTWARE": "1",
                            "XDG_RUNTIME_DIR": self.home, "PYTHONWARNINGS": "ignore"}
        self.as_user = []
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            os.chown(self.home, nobody.pw_uid, nobody.pw_gid)
            self.as_user = ["setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups"]

    def __enter__(self):
        reader, writer = os.pipe()
        self.start(["Xvfb", "-displayfd", str(writer), "-nolisten", "tcp", "-screen", "0",
                    f"{self.size[0]}x{self.size[1]}x24"], pass_fds=[writer])
        os.close(writer)
        with os.fdopen(reader, encoding="ascii") as number:
            self.environment["DISPLAY"] = ":" + number.readline().strip()
        bus = self.start(["dbus-daemon", "--session", "--nofork", "--print-address",
                          f"--address=unix:path={self.home}/bus"], stdout=subprocess.PIPE)
        self.environment["DBUS_SESSION_BUS_ADDRESS"] = bus.stdout.readline().decode().strip()
        self.start(["openbox"])
        return self

    def __exit__(self, *_):
        for process in reversed(self.processes):
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(self.home, ignore_errors=True)

    def start(self, command, stdout=subprocess.DEVNULL, pass_fds=()):
        with open(os.path.join(self.home, os.path.basename(command[0]) + ".log"), "wb") as log:
            process = subprocess.Popen([*self.as_user, *command], env=self.environment, cwd=self.home, stdout=stdout,
                                       stderr=log, stdin=subprocess.DEVNULL, pass_fds=pass_fds)
        self.processes.append(process)
        return process

    def run(self, *command, check=True):
        return subprocess.run([*self.as_user, *command], env=self.environment, cwd=self.home, capture_output=True,
                              text=True, check=check, timeout=60).stdout.strip()

    async def window(self, title, seconds=60):
        """Waits for a visible window whose title has the regular expression; gives it the keyboard."""
        deadline = time.monotonic() + seconds
        while True:
            windows = self.run("xdotool", "search", "--onlyvisible", "--name", title, check=False).split()
            if windows:
                self.run("xdotool", "windowactivate", "--sync", windows[-1])
                return windows[-1]
            assert time.monotonic() < deadline, f"no window '{title}' within {seconds} s"
            await asyncio.sleep(0.2)

    async def confirm(self, title, seconds=60):
        """Presses Return in the window, page after page, until it is gone."""
        window = await self.window(title, seconds)
        deadline = time.monotonic() + seconds
        while window in self.run("xdotool", "search", "--onlyvisible", "--name", title, check=False).split():
            assert time.monotonic() < deadline, f"'{title}' stays"
            self.key("Return")
            await asyncio.sleep(1)

    def type(self, text):
        self.run("xdotool", "type", "--delay", "20", text)

    def key(self, *names):
        self.run("xdotool", "key", "--delay", "60", *names)

    def picture(self, path):
        """The whole screen as a PNG of few colours, which is small."""
        picture = os.path.join(self.home, "screen.png")
        self.run("import", "-window", "root", "-trim", "-colors", "64", "-depth", "8", picture)
        shutil.copyfile(picture, path)
