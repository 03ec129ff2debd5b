"""Records 50,000 messages from 20 clients while clients, responder and database backends are killed.

Every batch is sent again until it is acknowledged, and many are sent though they were. In the end
every message is stored once, with the model's credits."""

import http.client
import json
import random
import subprocess
import threading
import time

from orbital import Client, psql
from service import BUILT

CLIENTS, MESSAGES = 20, 50_000


def messages(rng):
    made = []
    for message_id in range(1, MESSAGES + 1):
        message = {"message_id": message_id, "message_text": "x" * rng.randrange(300)}
        if rng.random() < 0.5:
            message["timestamp"] = f"2024-01-{rng.randrange(1, 29):02d}T{rng.randrange(24):02d}:00:00Z"
        if rng.random() < 0.3:
            message["report_name"] = rng.choice(["Lease", "é", "b"])
        made.append(message)
    return made


class Storm:
    """What all clients share."""

    def __init__(self, service, rng):
        self.service, self.site, self.url, self.key = service, service.site, service.url, service.key()
        self.messages = messages(rng)
        self.credits = {m["message_id"]: max(100, 10 * len(m["message_text"])) for m in self.messages}
        self.acknowledged = set()
        self.lock = threading.Lock()
        self.work = self.batches(rng)
        self.kills = {"client": 0, "responder": 0, "backend": 0}
        self.faults = []
        self.ends = threading.Event()
        self.deadline = time.monotonic() + 60

    def batches(self, rng):
        """Each message in one batch at least, and every third once more, in other company."""
        ids = list(range(MESSAGES)) + rng.sample(range(MESSAGES), MESSAGES // 3)
        rng.shuffle(ids)
        batches = []
        while ids:
            size = rng.choice([1, 1, rng.randrange(1, 20), rng.randrange(1, 60)])
            batches.append([self.messages[i] for i in ids[:size]])
            del ids[:size]
        return batches

    def kill_now_and_then(self, rng):
        turn = 0
        while not self.ends.wait(rng.uniform(0.02, 0.2)):
            turn += 1
            if turn % 4 == 0:
                self.service.responder.kill()
                self.service.responder.wait()
                self.service.launch(BUILT / "orbital-fcgi")
                self.kills["responder"] += 1
            else:
                killed = psql(self.url, """
                    SELECT count(pg_terminate_backend(pid)) FROM (
                        SELECT pid FROM pg_stat_activity WHERE application_name = 'orbital-fcgi'
                        AND datname = current_database() ORDER BY random() LIMIT 3) AS victims""")
                self.kills["backend"] += int(killed)

    def run_client(self, seed):
        rng = random.Random(seed)
        client = Client(self.site)
        while True:
            with self.lock:
                if self.work:
                    batch = self.work.pop()
                elif min(self.kills.values()) < 5 and time.monotonic() < self.deadline:
                    # The storm has to go on: what is recorded is sent once more.
                    batch = rng.sample(self.messages, 20)
                else:
                    return
            if rng.random() < 0.1:
                batch = batch + rng.sample(batch, rng.randrange(1, len(batch) + 1))
            for attempt in range(500):
                if rng.random() < 0.05:
                    self.abort(client, batch, rng)
                    client = Client(self.site)
                    continue
                results = self.send(client, batch)
                if results is None:
                    client.close()
                    time.sleep(rng.uniform(0, 0.05))
                    continue
                self.acknowledge(batch, results)
                break
            else:
                self.faults.append("a batch was never acknowledged")

    def body(self, batch):
        return json.dumps(batch).encode()

    def abort(self, client, batch, rng):
        """Goes away in the middle of the request, or before the answer."""
        body = self.body(batch)
        head = (f"POST /usage HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {self.key}\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n").encode()
        client.close()
        client.connect()
        whole = head + body
        client.sock.sendall(whole[:rng.choice([len(whole), rng.randrange(len(whole))])])
        client.close()
        with self.lock:
            self.kills["client"] += 1

    def send(self, client, batch):
        """The results; None if there was no response, or one that requires a retry."""
        try:
            client.request("POST", "/usage", self.body(batch), {
                "Content-Type": "application/json", "Authorization": f"Bearer {self.key}"})
            response = client.getresponse()
            body = response.read()
        except (http.client.HTTPException, OSError):
            return None
        if response.status == 200:
            return json.loads(body)["results"]
        if response.status not in (502, 503, 504):
            self.faults.append(f"{response.status} {body[:300]}")
        return None

    def acknowledge(self, batch, results):
        if len(results) != len(batch):
            self.faults.append("an answer has not as many results as messages")
        for message, result in zip(batch, results):
            known = result["status"] in ("created", "duplicate") and result["message_id"] == message["message_id"]
            if not known or round(result["credits_used"] * 100) != self.credits[message["message_id"]]:
                self.faults.append(f"{message} {result}")
        with self.lock:
            self.acknowledged |= {m["message_id"] for m in batch}


def test_50_000_messages_are_stored_once_each_through_a_storm_of_kills_and_retries(start_site):
    service = start_site()
    storm = Storm(service, random.Random(20261124))
    killer = threading.Thread(target=storm.kill_now_and_then, args=(random.Random(1),))
    killer.start()
    clients = [threading.Thread(target=storm.run_client, args=(seed,)) for seed in range(CLIENTS)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    storm.ends.set()
    killer.join()
    service.responder.terminate()
    assert service.responder.wait() == 0
    assert not storm.faults, storm.faults[:5]
    assert len(storm.acknowledged) == MESSAGES
    stored = psql(service.url, "SELECT count(*), sum(credit_hundredths), sum(char_length(message_text)) FROM usage_record").strip()
    lengths = sum(len(m["message_text"]) for m in storm.messages)
    assert stored == f"{MESSAGES}|{sum(storm.credits.values())}|{lengths}", stored
    assert min(storm.kills.values()) >= 5, storm.kills
    verified = subprocess.run([BUILT / "orbitalctl", "verify"], env=service.environment, capture_output=True, text=True)
    assert verified.stdout.startswith(f"verified {MESSAGES} records, "), verified
    assert verified.stdout.endswith(" credits: 0 differences\n"), verified
