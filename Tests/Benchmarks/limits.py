"""What nginx does at best: files of the same bytes, and an answer that it has itself."""

import pathlib
import subprocess

from nginx import Nginx
from processes import free_port

CONFIGURATION = """{user}
daemon off;
worker_processes 2;
pid "{folder}/nginx.pid";
error_log stderr warn;
events {{ worker_connections 2048; }}
http {{
    default_type application/json;
    sendfile on;
    access_log off;
    client_body_temp_path "{folder}/temp/body";
    fastcgi_temp_path "{folder}/temp/fastcgi";
    proxy_temp_path "{folder}/temp/proxy";
    scgi_temp_path "{folder}/temp/scgi";
    uwsgi_temp_path "{folder}/temp/uwsgi";
    server {{
        listen 127.0.0.1:{port};
        root "{folder}/files";
        location /health {{ return 200 '{{"status":"healthy","timestamp":"2024-01-15T16:00:00Z"}}'; }}
    }}
}}
"""


class Limits(Nginx):
    """An nginx with nothing behind it."""

    def __init__(self, folder, user):
        folder, port = pathlib.Path(folder), free_port()
        (folder / "temp").mkdir(parents=True)
        self.files = folder / "files"
        self.files.mkdir()
        (folder / "nginx.conf").write_text(CONFIGURATION.format(user=user, folder=folder, port=port))
        self.start(folder, port)

    def keep(self, name, address):
        """The address of a file with the same bytes as the answer of `address`."""
        subprocess.run(["curl", "-sS", "-f", "-o", self.files / name, address], check=True)
        return f"{self.address}/{name}"
