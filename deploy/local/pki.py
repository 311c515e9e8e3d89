"""A private CA, the server's certificate, and the cluster's secrets; all made on this host."""

import os
import secrets
import subprocess


def openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


def make_certificates(directory, domain):
    """DATA/tls: ca.pem, server.pem (chain), server.key (ECDSA P-256)."""
    os.makedirs(directory, mode=0o700, exist_ok=True)
    path = lambda name: os.path.join(directory, name)
    if os.path.exists(path("server.pem")):
        return
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-keyout", path("ca.key"), "-out", path("ca.pem"), "-days", "3650",
            "-subj", "/CN=Xylem local CA",
            "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign")
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-keyout", path("server.key"), "-out", path("server.csr"), "-subj", f"/CN={domain}")
    with open(path("server.ext"), "w", encoding="utf-8") as out:
        names = dict.fromkeys([domain, "*." + domain, "localhost"])
        out.write("subjectAltName=" + ",".join(f"DNS:{name}" for name in names) + ",IP:127.0.0.1\n"
                  "extendedKeyUsage=serverAuth,clientAuth\nkeyUsage=digitalSignature\n")
    openssl("x509", "-req", "-in", path("server.csr"), "-CA", path("ca.pem"), "-CAkey", path("ca.key"),
            "-CAcreateserial", "-out", path("server.crt"), "-days", "825", "-extfile", path("server.ext"))
    with open(path("server.pem.new"), "w", encoding="utf-8") as out:
        for part in ("server.crt", "ca.pem"):
            with open(path(part), encoding="utf-8") as text:
                out.write(text.read())
    os.replace(path("server.pem.new"), path("server.pem"))


def secret(directory, name, make=lambda: secrets.token_hex(32)):
    """The secret's file, made on first use, readable by its owner only."""
    os.makedirs(directory, mode=0o700, exist_ok=True)
    path = os.path.join(directory, name)
    if not os.path.exists(path):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as out:
            out.write(make())
    return path


def ticket_keys(directory):
    """80 bytes that all managers share, so that TLS sessions resume on any of them."""
    path = os.path.join(directory, "tls-tickets")
    if not os.path.exists(path):
        os.makedirs(directory, mode=0o700, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as out:
            out.write(secrets.token_bytes(80))
    return path


def read(path):
    with open(path, encoding="utf-8") as text:
        return text.read().strip()
