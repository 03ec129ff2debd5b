"""memory.py SOCKET PID KEY [CLIENTS]: the responder's peak memory when clients send the worst bodies at the same time.

SOCKET is nginx's, PID the responder's. Each body is 8 MiB, of the kinds that take most in Tests/api/test_worst_bodies.py."""
import http.client
import socket
import sys
import threading

SIZE = 8 * 2**20


def bodies():
    start = b'{"message_id":"","timestamp":0,"report_name":"","message_text":0,'
    end = b",".join(b'"%c":0' % letter for letter in b"abcdefghij") + b"}"
    room = SIZE // 10_000 - 2
    item = start + b'"message_id":0,' * ((room - len(start) - len(end)) // 15) + end
    yield "application/json", b"[" + b",".join([item] * 10_000) + b"]"
    yield "application/x-ndjson", b"\n".join([item] * 10_000)
    yield "application/json", b'{"message_text":"' + b"a" * (SIZE - 20) + b'"}'
    yield "application/json", b"{" + b",".join(b'"%06d":0' % n for n in range(762_600)) + b"}"


def status(pid, name):
    with open(f"/proc/{pid}/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(name)) / 1024


def post(path, media_type, body, key):
    connection = http.client.HTTPConnection("localhost", timeout=120)
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.settimeout(120)
    connection.sock.connect(path)
    fields = {"Content-Type": media_type, "Authorization": f"Bearer {key}"}
    connection.request("POST", "/usage/estimate", body=body, headers=fields)
    connection.getresponse().read()
    connection.close()


def main(path, pid, key, clients=16):
    for media_type, body in bodies():
        with open(f"/proc/{pid}/clear_refs", "w") as file:
            file.write("5")  # VmHWM starts anew
        threads = [threading.Thread(target=post, args=(path, media_type, body, key)) for _ in range(int(clients)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        print(f"measured: {clients} x 2 bodies of {len(body) / 2**20:.1f} MiB ({media_type}): "
              f"peak {status(pid, 'VmHWM'):.0f} MiB, then {status(pid, 'VmRSS'):.0f} MiB")


if len(sys.argv) < 4:
    sys.exit(__doc__)
main(*sys.argv[1:])
