"""What one local cluster is: kept in DATA/settings.json so that each verb finds it again."""

import json
import os
import socket

PORTS = {"c2s": 5222, "c2s_tls": 5223, "admin": 5281}
# Top-level keys of each tier's configuration, for --set without a tier's name in front.
CONNMGR_KEYS = {"c2s", "limits", "admission", "drain"}
BUSINESS_KEYS = {"domains", "listen", "store", "auth", "session", "administrators", "archive", "offline", "pep",
                 "contacts", "external_services", "external_lifetime", "registration", "invitations"}
BOTH_KEYS = {"redis", "loops"}


class Settings:
    """Counts, ports and keys; `internal` holds the ports that were chosen for processes."""

    def __init__(self, data, values=None):
        self.data = data
        values = values or {}
        self.domain = values.get("domain", "localhost")
        self.managers = values.get("managers", 2)
        self.business = values.get("business", 2)
        self.store = values.get("store", "sqlite")
        self.preset = values.get("preset", "release")
        self.restart = values.get("restart", True)
        self.config = values.get("config", "")
        self.ports = {**PORTS, **values.get("ports", {})}
        self.set_connmgr = values.get("set_connmgr", [])
        self.set_business = values.get("set_business", [])
        self.redis_appendfsync = values.get("redis_appendfsync", "everysec")
        self.internal = values.get("internal", {})

    @property
    def path(self):
        return os.path.join(self.data, "settings.json")

    def save(self):
        values = {k: v for k, v in vars(self).items() if k != "data"}
        temporary = self.path + ".new"
        with open(temporary, "w", encoding="utf-8") as out:
            json.dump(values, out, indent=2)
        os.replace(temporary, self.path)

    @staticmethod
    def load(data):
        with open(os.path.join(data, "settings.json"), encoding="utf-8") as text:
            return Settings(data, json.load(text))

    def apply_set(self, assignment):
        """One --set key=value; returns an error sentence or ''."""
        key, equals, value = assignment.partition("=")
        if not equals:
            return f"--set {assignment}: give it as key=value"
        head, _, rest = key.partition(".")
        if head == "ports":
            if rest not in PORTS:
                return f"--set {key}: the ports are {', '.join(PORTS)}"
            if not value.isdigit() or not 0 <= int(value) < 65536:
                return f"--set {key}: '{value}' is no port"
            self.ports[rest] = int(value) or self.unused_port()
        elif key == "redis.appendfsync":
            if value not in ("everysec", "always", "no"):
                return f"--set {key}: everysec, always or no"
            self.redis_appendfsync = value
        elif head == "connmgr":
            self.set_connmgr.append(f"{rest}={value}")
        elif head == "business":
            self.set_business.append(f"{rest}={value}")
        elif head in CONNMGR_KEYS:
            self.set_connmgr.append(assignment)
        elif head in BUSINESS_KEYS:
            self.set_business.append(assignment)
        elif head in BOTH_KEYS:
            self.set_connmgr.append(assignment)
            self.set_business.append(assignment)
        else:
            known = sorted(CONNMGR_KEYS | BUSINESS_KEYS | BOTH_KEYS | {"ports", "connmgr", "business"})
            return f"--set {key}: no tier has '{head}'; known: {', '.join(known)}"
        return ""

    def port_of(self, name):
        """A free port, chosen once and kept: a process that is started again listens where it did."""
        if name not in self.internal:
            self.internal[name] = self.unused_port()
        return self.internal[name]

    def unused_port(self):
        """Free, and given to nobody here: the kernel may well offer a port twice before anybody listens on it."""
        while True:
            port = free_port()
            if port not in self.internal.values() and port not in self.ports.values():
                return port


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
