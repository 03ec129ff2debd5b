"""Starts the whole service for a load test: PostgreSQL, responder and nginx, in its own folder."""
import os
import pathlib
import socket
import subprocess
import time

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
BUILT = pathlib.Path(os.environ.get("PROGRAMS", REPOSITORY / ".build/release"))
FILL = """
    INSERT INTO usage_record ("timestamp", report_name, message_text)
    SELECT '2024-01-01Z'::timestamptz + n * interval '31 seconds',
           CASE WHEN n % 3 = 0 THEN 'Report ' || n % 1000 END, repeat('x', 20 + n % 200)
    FROM generate_series(1, {}) AS n"""


def pairs(parameters):
    """CGI meta-variables as FastCGI has them (section 3.4); all are shorter than 128 bytes."""
    return b"".join(
        bytes([len(name), len(value)]) + name.encode() + value.encode() for name, value in parameters.items())


def record(kind, content):
    return bytes([1, kind, 0, 1, len(content) >> 8, len(content) & 255, 0, 0]) + content


def ask_responder(path, target, seconds=30):
    """The beginning of the responder's response on a new connection to its socket, or an error's name."""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(seconds)
            connection.connect(path)
            connection.sendall(
                record(1, bytes([0, 1, 0, 0, 0, 0, 0, 0]))
                + record(4, pairs({"REQUEST_METHOD": "GET", "SCRIPT_NAME": target}))
                + record(4, b"") + record(5, b""))
            return connection.recv(65536)[8:].split(b"\r\n")[0].decode().removeprefix("Status: ")[:3] or "reset"
    except OSError as error:
        return type(error).__name__


def ask_nginx(path, target, seconds=30):
    """The status of nginx's response on a new connection, or an error's name."""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(seconds)
            connection.connect(path)
            connection.sendall(f"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            return connection.recv(65536).split(b" ")[1:2][0].decode()
    except (OSError, IndexError) as error:
        return type(error).__name__


def cluster(action, folder, *settings):
    """Runs Tests/dev/cluster; what it prints."""
    command = [REPOSITORY / "Tests/dev/cluster", action, folder, *settings]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


class Service:
    """The whole service; nginx listens on a Unix socket and on a port.

    Without `url`, the address of a database, it starts its own PostgreSQL. `nginx_files` are copied from
    nginx/optional."""

    def __init__(self, folder, records=20_000, environment=None, program=BUILT / "orbital-fcgi", url=None,
                 nginx_files=()):
        self.folder, self.responder = pathlib.Path(folder), None
        self.socket, self.site = f"{folder}/responder", f"{folder}/site"
        self.postgres = None if url else f"{folder}/postgres"
        if self.postgres:
            cluster("start", self.postgres, "fsync=off")
        self.url = url or cluster("url", self.postgres)
        self.environment = {
            **os.environ, "DATABASE_URL": self.url, "CONFIG_ENV": "development",
            "LOG_LEVEL": "error", **(environment or {})}
        subprocess.run([BUILT / "orbitalctl", "migrate", "up"], env=self.environment, check=True, stdout=subprocess.DEVNULL)
        self.psql(FILL.format(records))
        self.psql("VACUUM ANALYZE usage_record")
        self.serve(program)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        nginx = self.folder / "nginx"
        subprocess.run([REPOSITORY / "Tests/dev/site", nginx, f"unix:{self.site}", self.socket], check=True)
        for name in nginx_files:
            text = (REPOSITORY / "nginx/optional" / name).read_text()
            (nginx / "snippets" / name).write_text(text.replace("/var/cache/nginx", str(nginx)))
        extra = nginx / "snippets/orbital-site.conf"
        extra.write_text(f"listen 127.0.0.1:{self.port} backlog=4096;\n" + extra.read_text())
        self.access = nginx / "access.log"
        self.nginx = self.start("nginx.log", ["/usr/sbin/nginx", "-e", "stderr", "-c", nginx / "nginx.conf"])
        self.wait(lambda: ask_nginx(self.site, "/health") == "200")

    def serve(self, program):
        """Starts `program` as the responder, in place of the one that runs."""
        if self.responder:
            self.responder.terminate()
            self.responder.wait(30)
        self.launch(program)
        self.wait(lambda: ask_responder(self.socket, "/health/live") == "200")

    def launch(self, program):
        self.responder = self.start("responder.log", [program, "--socket", self.socket])

    def start(self, log, command):
        with open(self.folder / log, "ab") as output:
            return subprocess.Popen(
                command, env=self.environment, cwd=REPOSITORY, stdin=subprocess.DEVNULL, stdout=output, stderr=output)

    def key(self, *scopes, bounds=()):
        """A new API key; by default it may read and write. `bounds` are options."""
        words = [word for scope in scopes or ("usage:read", "usage:write") for word in ("--scope", scope)]
        return subprocess.run([BUILT / "orbitalctl", "keys", "create", "test", *words, *bounds], env=self.environment,
                              check=True, capture_output=True, text=True).stdout.strip()

    def log(self):
        """What the responder has logged."""
        return (self.folder / "responder.log").read_text()

    def psql(self, command):
        return subprocess.run(
            ["psql", "-XqAt", self.url, "-c", command], check=True, capture_output=True, text=True).stdout.strip()

    @staticmethod
    def wait(condition, seconds=20):
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                raise RuntimeError("the service does not start")
            time.sleep(0.02)

    def stop(self):
        for process in (self.nginx, self.responder):
            process.terminate()
            process.wait(30)
        if self.postgres:
            cluster("stop", self.postgres)
