"""Receives events of budgets on PORT: pip install standardwebhooks; WEBHOOK_SECRET is that of `orbitalctl notify`."""
import http.server
import os

from standardwebhooks import Webhook, WebhookVerificationError


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            event = Webhook(os.environ["WEBHOOK_SECRET"]).verify(body, dict(self.headers))
            print(self.headers["webhook-id"], event["type"], event["data"], flush=True)  # Twice: do nothing.
            self.send_response(204)
        except WebhookVerificationError:
            self.send_response(401)  # It is tried again.
        self.end_headers()


http.server.HTTPServer(("127.0.0.1", int(os.environ.get("PORT", "8001"))), Receiver).serve_forever()
