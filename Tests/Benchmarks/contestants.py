"""The contestants of the benchmark: how each is built, started, stopped and measured.

    install_packages()                         # Debian's, for all of them
    contestant.build(cache)                    # once; does nothing when all is there
    address = contestant.start(url, folder)    # through nginx; contestant.direct without, or None
    contestant.memory()                        # {"now": kB, "peak": kB}
    contestant.stop()
"""

import filecmp
import os
import pathlib
import shutil
import subprocess

from nginx import REPOSITORY, Nginx, OrbitalNginx
from processes import Process, free_port, wait_for

SOURCES = pathlib.Path(__file__).resolve().parent / "contestants"
# Debian's: it is built with all optimizations, and the pinned wheels are for its version.
PYTHON = "/usr/bin/python3"
# Cores that this machine has, and connections to the database, as ours has workers.
PROCESSES = 2
CONNECTIONS = 8


def install_packages():
    subprocess.run([REPOSITORY / "deploy/packages", "bench"], check=True)


class Contestant:
    """One service, and an nginx in front of it."""

    name = ""
    title = ""
    # What a POST must carry.
    headers = {}
    # Byte for byte our text; else the same records as parsed JSON.
    same_text = True
    # Takes ids that the client has chosen, and with them retries.
    takes_ids = True

    def __init__(self):
        self.cache = self.process = self.nginx = None
        # Plain HTTP without nginx.
        self.direct = None

    def build(self, cache):
        self.cache = pathlib.Path(cache).resolve()
        self.cache.mkdir(parents=True, exist_ok=True)

    def start(self, database_url, folder):
        folder = pathlib.Path(folder).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        try:
            self.run(database_url, folder)
        except BaseException:
            self.stop()
            raise
        return self.nginx.address

    def run(self, database_url, folder):
        """Starts the process and its nginx."""
        raise NotImplementedError

    def run_process(self, folder, command, directory=None, **environment):
        self.process = Process(self.name, folder, list(map(str, command)), {**os.environ, **environment}, directory)

    def memory(self):
        return self.process.memory()

    def reset_peak(self):
        self.process.reset_peak()

    def stop(self):
        for part in (self.nginx, self.process):
            if part is not None:
                part.stop()
        self.nginx = self.process = None

    def build_venv(self, requirements):
        """A virtual environment with exactly these packages."""
        venv = self.cache / self.name
        if not same(requirements, venv / "requirements"):
            subprocess.run([PYTHON, "-m", "venv", "--clear", venv], check=True)
            subprocess.run(
                [venv / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
                 "--require-hashes", "--only-binary=:all:", "-r", requirements], check=True)
            shutil.copy(requirements, venv / "requirements")
        return venv


class FastAPI(Contestant):
    """The service before ours, as it was deployed: one uvicorn process on a port."""

    name = "fastapi"
    title = "FastAPI (the old service)"
    same_text = False
    takes_ids = False

    def build(self, cache):
        super().build(cache)
        self.build_venv(SOURCES / "fastapi/requirements.lock")

    def run(self, database_url, folder):
        port = free_port()
        self.run_process(
            folder, [self.cache / "fastapi/bin/uvicorn", "app:app", "--port", port, "--no-access-log"],
            SOURCES / "fastapi", PYTHONDONTWRITEBYTECODE="1",
            SQLALCHEMY_URL=database_url.replace("postgresql://", "postgresql+asyncpg://", 1))
        self.direct = f"http://127.0.0.1:{port}"
        wait_for(f"{self.direct}/health", self.process)
        self.nginx = Nginx(folder, f"127.0.0.1:{port}", "proxy")


class Python(Contestant):
    """The fastest Python: RSGI on Granian."""

    name = "python"
    title = "Python (Granian, asyncpg, msgspec)"

    def build(self, cache):
        super().build(cache)
        self.build_venv(SOURCES / "python/requirements.txt")

    def run(self, database_url, folder):
        port = free_port()
        self.run_process(
            folder, [self.cache / "python/bin/granian", "--interface", "rsgi", "--loop", "uvloop", "--http", "1",
                     "--no-ws", "--workers", PROCESSES, "--port", port, "--log-level", "warning", "app:app"],
            SOURCES / "python", PYTHONDONTWRITEBYTECODE="1", DATABASE_URL=database_url,
            POOL_SIZE=str(CONNECTIONS // PROCESSES))
        self.direct = f"http://127.0.0.1:{port}"
        wait_for(f"{self.direct}/health", self.process)
        self.nginx = Nginx(folder, f"127.0.0.1:{port}", "proxy")


class Go(Contestant):
    """net/http/fcgi and pgx."""

    name = "go"
    title = "Go (net/http/fcgi, pgx)"

    def build(self, cache):
        super().build(cache)
        subprocess.run(
            ["/usr/bin/go", "build", "-o", self.cache / "go/usage", "."], check=True, cwd=SOURCES / "go",
            env={**os.environ, "GOPATH": "/usr/share/gocode", "GO111MODULE": "off", "GOFLAGS": "",
                 "GOCACHE": str(self.cache / "go/cache")})

    def run(self, database_url, folder):
        socket, port = folder / "go.sock", free_port()
        self.run_process(
            folder, [self.cache / "go/usage", "-socket", socket, "-http", f"127.0.0.1:{port}"],
            DATABASE_URL=database_url)
        self.direct = f"http://127.0.0.1:{port}"
        wait_for(f"{self.direct}/health", self.process)
        self.nginx = Nginx(folder, f"unix:{socket}", "fastcgi")


class Rust(Contestant):
    """hyper and tokio-postgres."""

    name = "rust"
    title = "Rust (hyper, tokio-postgres)"

    def build(self, cache):
        super().build(cache)
        # Cargo writes a lock file beside the sources.
        folder = self.cache / "rust"
        shutil.copytree(SOURCES / "rust", folder / "sources", dirs_exist_ok=True)
        subprocess.run(
            ["/usr/bin/cargo", "build", "--quiet", "--release"], check=True, cwd=folder / "sources",
            env={**os.environ, "RUSTC": "/usr/bin/rustc", "CARGO_HOME": str(folder / "home"),
                 "CARGO_TARGET_DIR": str(folder / "target")})

    def run(self, database_url, folder):
        socket, port = folder / "rust.sock", free_port()
        self.run_process(
            folder, [self.cache / "rust/target/release/usage", socket, f"127.0.0.1:{port}"],
            DATABASE_URL=database_url)
        self.direct = f"http://127.0.0.1:{port}"
        wait_for(f"{self.direct}/health", self.process)
        self.nginx = Nginx(folder, f"unix:{socket}", "proxy")


class PHP(Contestant):
    """PHP-FPM with persistent connections; there is no way to it but FastCGI."""

    name = "php"
    title = "PHP (FPM, pgsql)"

    def run(self, database_url, folder):
        settings = (SOURCES / "php/php-fpm.conf").read_text()
        if os.geteuid() == 0:
            settings += "user = root\ngroup = root\n"
        (folder / "php-fpm.conf").write_text(settings)
        program = sorted(pathlib.Path("/usr/sbin").glob("php-fpm8*"))[-1]
        self.run_process(
            folder, [program, "--nodaemonize", "--allow-to-run-as-root", "--prefix", folder,
                     "--fpm-config", folder / "php-fpm.conf"],
            DATABASE_URL=database_url)
        script = f'\n            fastcgi_param SCRIPT_FILENAME "{SOURCES / "php/index.php"}";'
        # A kept connection holds a child: with more, one worker of nginx could hold all of them for nothing.
        self.nginx = Nginx(folder, f"unix:{folder / 'php.sock'}", "fastcgi", script, keepalive=3)


class Orbital(Contestant):
    """Ours. It caches responses; the others do not, so it does only if it is told to."""

    name = "orbital"
    title = "Orbital (Swift, FastCGI)"

    def __init__(self, keeps_answers=False, checkout=REPOSITORY):
        super().__init__()
        self.keeps_answers = keeps_answers
        self.programs = pathlib.Path(checkout) / ".build/release"

    def build(self, cache):
        super().build(cache)
        if not (self.programs / "orbital-fcgi").exists():
            raise RuntimeError(f"{self.programs} has no release build: make build")

    def run(self, database_url, folder):
        key = subprocess.run(
            [self.programs / "orbitalctl", "keys", "create", "benchmark", "--scope", "usage:write"],
            env={**os.environ, "DATABASE_URL": database_url}, check=True, capture_output=True, text=True).stdout
        self.headers = {"Authorization": f"Bearer {key.strip()}"}
        socket = folder / "orbital.sock"
        self.run_process(
            folder, [self.programs / "orbital-fcgi", "--socket", socket],
            DATABASE_URL=database_url, CACHE_MEGABYTES="4" if self.keeps_answers else "0")
        self.nginx = OrbitalNginx(folder, str(socket))


CONTESTANTS = [Orbital, FastAPI, Python, Go, Rust, PHP]


def same(one, other):
    return other.exists() and filecmp.cmp(one, other, shallow=False)
