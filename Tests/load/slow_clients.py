"""Opens many slow clients of nginx, one after another, and measures the disk space that they take."""

USAGE = """slow_clients.py SOCKET FOLDER [READERS [SENDERS]]: the site's socket and the folder of nginx's temporary files.
Readers request all records and read nothing; senders send 1 MB of a body of 8 MB without a key, and then nothing."""
import collections
import glob
import os
import socket
import sys
import time

READ = "GET /usage?from=2000-01-01T00:%02d:%02dZ HTTP/1.1\r\nHost: localhost\r\n\r\n"
SEND = b"POST /usage HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 8000000\r\n\r\n"


def connect(path):
    connection = socket.socket(socket.AF_UNIX)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.connect(path)
    connection.setblocking(False)
    return connection


def status(connection):
    """The status that has arrived, without consuming it; "waits" if nothing has arrived yet."""
    try:
        return connection.recv(64, socket.MSG_PEEK).split(b" ")[1].decode()
    except BlockingIOError:
        return "waits"
    except (OSError, IndexError) as error:
        return type(error).__name__


def reader(path, number):
    connection = connect(path)
    connection.send((READ % divmod(number, 60)).encode())
    end = time.monotonic() + 5
    while status(connection) == "waits" and time.monotonic() < end:
        time.sleep(0.002)
    return connection


def sender(path):
    connection = connect(path)
    data, end = SEND + b" " * 1_000_000, time.monotonic() + 5
    while data and status(connection) == "waits" and time.monotonic() < end:
        try:
            data = data[connection.send(data):]
        except BlockingIOError:
            time.sleep(0.001)
        except OSError:
            break
    return connection


def disk(folder):
    """The megabytes of nginx's temporary files, which are already unlinked but still open in its workers."""
    files = {}
    for descriptor in glob.glob("/proc/[0-9]*/fd/*"):
        try:
            if os.readlink(descriptor).startswith(f"{folder}/"):
                found = os.stat(descriptor)
                files[found.st_ino] = found.st_blocks * 512
        except OSError:
            pass
    return sum(files.values()) / 1e6


def settled(folder, seconds=5):
    """The maximum disk usage, once it has not grown for half a second."""
    most, since, end = 0, time.monotonic(), time.monotonic() + seconds
    while time.monotonic() < min(end, since + 0.5):
        now = disk(folder)
        if now > most:
            most, since = now, time.monotonic()
        time.sleep(0.05)
    return most


def page(path):
    start = time.monotonic()
    with connect(path) as connection:
        connection.setblocking(True)
        connection.sendall(b"GET /usage?limit=10 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert connection.recv(64).split(b" ")[1] == b"200", "a page is not a 200"
    return time.monotonic() - start


def main(path, folder, readers=60, senders=60):
    clients = [reader(path, number) for number in range(int(readers))]
    reads = settled(folder)
    seconds = page(path)
    found = collections.Counter(map(status, clients))
    print(f"measured: {len(clients)} slow readers take {reads:.1f} MB of disk; {dict(found)}; a page takes {seconds * 1000:.0f} ms")
    for client in clients:
        client.close()
    clients = [sender(path) for _ in range(int(senders))]
    sends = settled(folder)
    refused = collections.Counter(map(status, clients))
    print(f"measured: {len(clients)} slow senders take {sends:.1f} MB of disk; {dict(refused)}; a page takes {page(path) * 1000:.0f} ms")
    for client in clients:
        client.close()
    end = time.monotonic() + 5
    while disk(folder) > 0 and time.monotonic() < end:
        time.sleep(0.02)
    print(f"left: {disk(folder):.1f} MB")


if len(sys.argv) < 3:
    sys.exit(USAGE)
main(*sys.argv[1:])
