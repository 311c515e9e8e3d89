"""Fills lb-config/haproxy.cfg.in for a local cluster."""

import os

import build


def render(settings, managers, business):
    """`managers`: dicts of id and ports (proxy_c2s, proxy_c2s_tls, http, agent); `business`: id, rpc."""
    def servers(key):
        return "\n".join(
            f"    server {m['id']} 127.0.0.1:{m[key]} port {m['http']} agent-port {m['agent']}" for m in managers)
    values = {
        # 20,000 descriptors a process, two a connection.
        "maxconn": "9500",
        "stats_socket": os.path.join(settings.data, "haproxy.sock"),
        "slowstart": "1s",
        "c2s": f"127.0.0.1:{settings.ports['c2s']}",
        "c2s_tls": f"127.0.0.1:{settings.ports['c2s_tls']}",
        "admin": f"127.0.0.1:{settings.ports['admin']}",
        "servers_c2s": servers("proxy_c2s"),
        "servers_c2s_tls": servers("proxy_c2s_tls"),
        "servers_admin": "\n".join(
            f"    server {b['id']} 127.0.0.1:{b['rpc']} no-send-proxy-v2 no-agent-check" for b in business),
    }
    with open(os.path.join(build.ROOT, "lb-config", "haproxy.cfg.in"), encoding="utf-8") as text:
        config = text.read()
    for key, value in values.items():
        config = config.replace(f"@{key}@", value)
    return config
