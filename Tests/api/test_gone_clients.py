"""Half of the clients go while they record; nobody else's message may be recorded twice for that."""

import json
import random
import socket
import threading
import time

from orbital import Client, psql

ROUNDS = 150


def send(site, key, text):
    body = json.dumps({"message_text": text}).encode()
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(site)
    connection.sendall(
        f"POST /usage HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nConnection: close\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
    return connection


def leave(site, key, text, rng):
    connection = send(site, key, text)
    time.sleep(rng.uniform(0.0005, 0.006))
    connection.close()


def stay(site, key, text, answers):
    connection = send(site, key, text)
    connection.settimeout(30)
    answers.append(connection.recv(4096).split(b" ")[1])
    connection.close()


def test_no_message_is_recorded_twice_when_other_clients_disconnect(site):
    rng = random.Random(7)
    url, key = site.url, site.key()
    answers = []
    for number in range(ROUNDS):
        threads = []
        for client in range(8):
            text = f"round {number} client {client}"
            target, extra = (leave, rng) if client % 2 else (stay, answers)
            threads.append(threading.Thread(target=target, args=(site.site, key, text, extra)))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert set(answers) == {b"201"}, set(answers)
    doubled = psql(url, "SELECT count(*) FROM (SELECT FROM usage_record GROUP BY message_text HAVING count(*) > 1) AS doubled")
    assert doubled.strip() == "0", doubled
    stayed = psql(url, "SELECT count(*) FROM usage_record WHERE message_text ~ 'client [0246]$'")
    assert int(stayed) == len(answers) == 4 * ROUNDS
