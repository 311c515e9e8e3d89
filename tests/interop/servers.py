"""The three servers that the same clients meet: a cluster of Xylem, Debian's Prosody, Debian's ejabberd.

Each is a context manager with `name`, `version`, `port` (STARTTLS on 127.0.0.1), `ca` (a file), `users`
(name → password; `admin` may administrate) and `add_user`. The peers run with the modules that answer to
what Xylem has, and with the components that Debian's packages bring.
"""

import os
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "bench"))

import peers  # pylint: disable=wrong-import-position
import pki  # pylint: disable=wrong-import-position
from cluster import Cluster  # pylint: disable=wrong-import-position
from xmpp import split_address  # pylint: disable=wrong-import-position

DOMAIN = "localhost"
PASSWORD = "of-three-servers"


class Xylem(Cluster):
    """Two managers behind HAProxy, two business servers."""

    name = "xylem"
    packages = []

    @property
    def port(self):
        return split_address(self.endpoint("c2s"))[1]

    @property
    def version(self):
        return subprocess.run(["git", "-C", ROOT, "log", "-1", "--format=%h"], capture_output=True, text=True,
                              check=True).stdout.strip()


class Certified:
    """What a peer needs beside its configuration: a CA of its own, users with one password."""

    def __init__(self, preset):
        del preset
        self.tls = tempfile.mkdtemp(prefix="interop-tls-")
        self.ca = os.path.join(self.tls, "ca.pem")
        self.users = {}
        pki.make_certificates(self.tls, DOMAIN)
        super().__init__(os.path.join(self.tls, "server.pem"), os.path.join(self.tls, "server.key"))

    def __enter__(self):
        super().__enter__()
        for name in ("admin", "alice", "bob"):
            self.add_user(name)
        return self

    def __exit__(self, *arguments):
        super().__exit__(*arguments)
        shutil.rmtree(self.tls, ignore_errors=True)

    def add_user(self, name, password=PASSWORD):
        self.add_users([name], password)
        self.users[name] = password

    @property
    def version(self):
        return subprocess.run(["dpkg-query", "-W", "-f", "${Version}", self.name], capture_output=True, text=True,
                              check=True).stdout


class Prosody(Certified, peers.Prosody):
    packages = ["prosody"]

    def config(self):
        self.proxy = peers.free_port()
        return f"""
run_as_root = true
pidfile = "{self.data}/prosody.pid"
data_path = "{self.data}/data"
daemonize = false
admins = {{ "admin@{DOMAIN}" }}
network_backend = "epoll"
modules_enabled = {{
    "disco", "roster", "saslauth", "tls", "carbons", "pep", "private", "blocklist", "vcard4", "vcard_legacy", "smacks",
    "version", "uptime", "time", "ping", "lastactivity", "mam", "csi_simple", "admin_adhoc", "register", "bookmarks",
    "server_contact_info",
}}
modules_disabled = {{ "s2s", "limits" }}
allow_registration = true
c2s_ports = {{ {self.port} }}
c2s_interfaces = {{ "127.0.0.1" }}
authentication = "internal_hashed"
storage = "internal"
log = {{ error = "{self.data}/error.log" }}
ssl = {{ certificate = "{self.certificate}", key = "{self.key}" }}
VirtualHost "{DOMAIN}"
Component "conference.{DOMAIN}" "muc"
Component "pubsub.{DOMAIN}" "pubsub"
Component "proxy.{DOMAIN}" "proxy65"
    proxy65_ports = {{ {self.proxy} }}
    proxy65_interfaces = {{ "127.0.0.1" }}
    proxy65_address = "127.0.0.1"
"""


class Ejabberd(Certified, peers.Ejabberd):
    packages = ["ejabberd"]

    def config(self):
        return f"""
hosts: [{DOMAIN}]
loglevel: 2
certfiles: ["{self.pem}"]
listen:
  - port: {self.port}
    ip: "127.0.0.1"
    module: ejabberd_c2s
    max_stanza_size: 262144
    starttls_required: true
  - port: {self.http}
    ip: "127.0.0.1"
    module: ejabberd_http
    request_handlers:
      /api: mod_http_api
auth_method: internal
auth_password_format: scram
default_db: mnesia
acl:
  loopback: {{ip: ["127.0.0.0/8"]}}
  admin: {{user: ["admin@{DOMAIN}"]}}
access_rules:
  configure: {{allow: admin}}
  register: {{allow: all}}
  local: {{allow: all}}
api_permissions:
  "local":
    who: {{ip: "127.0.0.1/8"}}
    what: "*"
registration_timeout: infinity
modules:
  mod_adhoc: {{}}
  mod_announce: {{access: configure}}
  mod_avatar: {{}}
  mod_blocking: {{}}
  mod_caps: {{}}
  mod_carboncopy: {{}}
  mod_client_state: {{}}
  mod_configure: {{}}
  mod_disco: {{}}
  mod_http_api: {{}}
  mod_last: {{}}
  mod_mam: {{default: always, assume_mam_usage: true}}
  mod_muc: {{access_create: local, access_admin: configure}}
  mod_offline: {{}}
  mod_ping: {{}}
  mod_privacy: {{}}
  mod_private: {{}}
  mod_proxy65: {{port: {peers.free_port()}, ip: "127.0.0.1"}}
  mod_pubsub:
    access_createnode: local
    plugins: [flat, pep]
  mod_register: {{ip_access: all, access: register}}
  mod_roster: {{versioning: true}}
  mod_stream_mgmt: {{resend_on_timeout: if_offline}}
  mod_time: {{}}
  mod_vcard: {{}}
  mod_vcard_xupdate: {{}}
  mod_version: {{}}
"""


SERVERS = {"xylem": lambda preset: Xylem(preset=preset), "prosody": Prosody, "ejabberd": Ejabberd}
PACKAGES = Prosody.packages + Ejabberd.packages
