#!/usr/bin/env python3
"""supervise.py SOCKET NOTIFY PROGRAM: plays systemd's part for one service.

Holds the listening socket and the notification socket (a path, or @ and an abstract name), starts the
program with LISTEN_FDS and NOTIFY_SOCKET, and prints each notification with the sender's process id.
Reads commands from standard input: `restart`, `reload`, `stop`; `restart` is TERM, the wait for the
end, and the start of the next, as `systemctl restart` does it. WATCHDOG_USEC is passed on."""
import os
import signal
import socket
import struct
import sys
import threading


def say(*words):
    # In one write: the program's log goes to the same file, and print() may write word by word.
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


class Service:
    def __init__(self, path, notify, program):
        self.notify_name, self.program = notify, program
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        os.chmod(path, 0o660)
        self.listener.listen(4096)
        self.news = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.news.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.news.bind("\0" + notify[1:] if notify.startswith("@") else notify)
        self.ready, self.heard = threading.Event(), threading.Event()
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        while True:
            data, ancillary, _, _ = self.news.recvmsg(4096, socket.CMSG_SPACE(12))
            if data == b"heard":
                self.heard.set()
                continue
            sender = struct.unpack("iii", ancillary[0][2])[0]
            say("notify", sender, data.decode().replace("\n", " "))
            if b"READY=1" in data.split(b"\n"):
                self.ready.set()

    def start(self):
        self.ready.clear()
        self.pid = os.fork()
        if self.pid == 0:
            os.dup2(self.listener.fileno(), 3)
            os.set_inheritable(3, True)
            more = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1",
                    "NOTIFY_SOCKET": self.notify_name}
            if "WATCHDOG_USEC" in os.environ:
                more["WATCHDOG_PID"] = str(os.getpid())
            os.execve(self.program, [self.program], {**os.environ, **more})
        say("started", self.pid)
        say("ready" if self.ready.wait(30) else "not ready", self.pid)

    def stop(self):
        os.kill(self.pid, signal.SIGTERM)
        status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        # Its last words come before ours.
        self.heard.clear()
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as voice:
            voice.sendto(b"heard", self.news.getsockname())
        self.heard.wait(10)
        say("ended", self.pid, status)


def main(path, notify, program):
    service = Service(path, notify, program)
    service.start()
    for line in sys.stdin:
        command = line.strip()
        if command in ("restart", "stop"):
            service.stop()
        if command == "restart":
            service.start()
        if command == "reload":
            os.kill(service.pid, signal.SIGHUP)
        if command == "stop":
            return
    service.stop()


main(*sys.argv[1:])
