"""The processes of a local cluster: command lines, configuration files, addresses."""

import os
import subprocess
import sys

import build
import haproxy
import pki
import postgres
from yaml_text import to_yaml

# sun_path holds 107 bytes; a longer data directory uses TCP for Redis.
UNIX_PATH_LIMIT = 100


class Process:
    """One process: how to start it and how to tell that it is ready."""

    def __init__(self, tier, ident, argv, ready, admin="", addresses=None):
        self.tier, self.id, self.argv, self.ready = tier, ident, argv, ready
        self.admin, self.addresses = admin, addresses or {}

    def describe(self):
        return {"tier": self.tier, "id": self.id, "argv": self.argv, "ready": self.ready,
                "admin": self.admin, "addresses": self.addresses}


def write(path, text):
    with open(path + ".new", "w", encoding="utf-8") as out:
        out.write(text + "\n")
    os.replace(path + ".new", path)
    return path


def make(settings):
    """Writes configuration, certificates and secrets below DATA; returns the list of Process."""
    data = settings.data
    for name in ("config", "logs", "redis", "store"):
        os.makedirs(os.path.join(data, name), exist_ok=True)
    tls = os.path.join(data, "tls")
    keys = os.path.join(data, "secrets")
    pki.make_certificates(tls, settings.domain)
    secrets = {name: pki.secret(keys, name) for name in ("cluster", "admin-token")}
    secrets["tickets"] = pki.ticket_keys(keys)

    redis = redis_process(settings)
    store, databases = store_of(settings, keys)
    business = [business_process(settings, i + 1, redis, store, secrets) for i in range(settings.business)]
    managers = [manager_process(settings, i + 1, redis, business, tls, secrets)
                for i in range(settings.managers)]
    proxy = haproxy_process(settings, managers, business)
    settings.save()
    return [redis, *databases, *business, *managers, proxy]


def redis_process(settings):
    directory = os.path.join(settings.data, "redis")
    socket_path = os.path.join(directory, "redis.sock")
    port = settings.port_of("redis")
    address = f"unix:{socket_path}" if len(socket_path) < UNIX_PATH_LIMIT else f"127.0.0.1:{port}"
    config = [
        f"port {port}", "bind 127.0.0.1", f"dir {directory}", "save \"\"", "appendonly yes",
        f"appendfsync {settings.redis_appendfsync}", "daemonize no", "protected-mode yes",
        "maxmemory 2gb", "maxmemory-policy noeviction", "databases 1",
    ]
    if address.startswith("unix:"):
        config += [f"unixsocket {socket_path}", "unixsocketperm 700"]
    path = write(os.path.join(settings.data, "config", "redis.conf"), "\n".join(config))
    return Process("redis", "redis", ["redis-server", path], f"tcp:127.0.0.1:{port}",
                   addresses={"redis": f"127.0.0.1:{port}", "client": address})


def store_of(settings, keys):
    """The `store` of a business server's configuration, and the processes that it needs."""
    if settings.store == "sqlite":
        return {"url": "sqlite:" + os.path.join(settings.data, "store", "xylem.db")}, []
    directory = os.path.join(settings.data, "postgres")
    password = pki.secret(keys, "postgres")
    port = settings.port_of("postgres")
    postgres.make_data(directory, pki.read(password))
    process = Process("postgres", "postgres", postgres.command(directory, port), f"tcp:127.0.0.1:{port}",
                      addresses={"postgres": f"127.0.0.1:{port}"})
    return {"url": f"postgresql://xylem@127.0.0.1:{port}/postgres", "password_file": password}, [process]


def loops(settings):
    """Event loops of each of our processes: the cores are shared between them."""
    cores = os.cpu_count() or 1
    return max(1, cores // max(1, settings.managers + settings.business))


def business_process(settings, number, redis, store, secrets):
    ident = f"business-{number}"
    rpc, http = settings.port_of(f"{ident}.rpc"), settings.port_of(f"{ident}.http")
    config = {
        "loops": loops(settings),
        "domains": [settings.domain],
        "listen": {"rpc": f"127.0.0.1:{rpc}"},
        "store": store,
        "redis": {"addresses": [redis.addresses["client"]]},
        "admin": {"http": f"127.0.0.1:{http}"},
        "cluster_secret_file": secrets["cluster"],
        "admin_token_file": secrets["admin-token"],
        "administrators": [f"admin@{settings.domain}"],
    }
    path = write(os.path.join(settings.data, "config", f"{ident}.yaml"), to_yaml(config))
    argv = program(settings, "business", ident, path, settings.set_business)
    return Process("business", ident, argv, f"http:127.0.0.1:{http}/readyz", f"http://127.0.0.1:{http}",
                   {"rpc": f"127.0.0.1:{rpc}"})


def manager_process(settings, number, redis, business, tls, secrets):
    ident = f"connmgr-{number}"
    ports = {name: settings.port_of(f"{ident}.{name}")
             for name in ("c2s", "c2s_tls", "proxy_c2s", "proxy_c2s_tls", "http", "agent")}
    local = lambda name: f"127.0.0.1:{ports[name]}"
    config = {
        "loops": loops(settings),
        "c2s": {
            "domains": [settings.domain],
            "listeners": [
                {"address": local("c2s")},
                {"address": local("c2s_tls"), "direct_tls": True},
                {"address": local("proxy_c2s"), "proxy": True, "proxy_from": ["127.0.0.0/8"]},
                {"address": local("proxy_c2s_tls"), "direct_tls": True, "proxy": True,
                 "proxy_from": ["127.0.0.0/8"]},
            ],
            "certificates": [{"domains": [settings.domain, "*"],
                              "certificate_file": os.path.join(tls, "server.pem"),
                              "key_file": os.path.join(tls, "server.key")}],
            "ticket_key_file": secrets["tickets"],
        },
        "business": {"addresses": [b.addresses["rpc"] for b in business]},
        "redis": {"addresses": [redis.addresses["client"]]},
        "admin": {"http": local("http"), "agent": local("agent")},
    }
    path = write(os.path.join(settings.data, "config", f"{ident}.yaml"), to_yaml(config))
    argv = program(settings, "connmgr", ident, path, settings.set_connmgr)
    process = Process("connmgr", ident, argv, f"http:{local('http')}/readyz", f"http://{local('http')}",
                      {"c2s": local("c2s"), "c2s_tls": local("c2s_tls")})
    process.ports = {"id": ident, **ports}
    return process


def program(settings, name, ident, config, assignments):
    argv = [build.binary(settings.preset, name), "--id", ident, "--config", config]
    for assignment in assignments:
        argv += ["--set", assignment]
    return argv


def haproxy_process(settings, managers, business):
    text = haproxy.render(settings, [m.ports for m in managers],
                          [{"id": b.id, "rpc": b.addresses["rpc"].rpartition(":")[2]} for b in business])
    path = write(os.path.join(settings.data, "config", "haproxy.cfg"), text)
    check = subprocess.run(["haproxy", "-c", "-q", "-f", path], capture_output=True, text=True, check=False)
    if check.returncode != 0:
        sys.exit(f"xylem: haproxy refuses {path}:\n{check.stderr}")
    return Process("haproxy", "haproxy", ["haproxy", "-db", "-f", path],
                   f"tcp:127.0.0.1:{settings.ports['c2s']}")


def endpoints(settings):
    local = lambda name: f"127.0.0.1:{settings.ports[name]}"
    return {"c2s": local("c2s"), "c2s_tls": local("c2s_tls"), "admin": f"http://{local('admin')}/"}
