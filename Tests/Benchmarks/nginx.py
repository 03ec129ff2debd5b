"""The nginx in front of a contestant, tuned as nginx/orbital.conf tunes the one in front of ours."""

import os
import pathlib
import subprocess

from processes import Process, free_port, wait_for

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = "/usr/sbin/nginx"

# The outer part is that of Tests/dev/site, without an access log.
CONFIGURATION = """{user}
daemon off;
worker_processes 2;
pid "{folder}/nginx.pid";
error_log stderr warn;
events {{ worker_connections 2048; }}
http {{
    include /etc/nginx/mime.types;
    default_type application/octet-stream;
    sendfile on;
    access_log off;
    client_body_temp_path "{folder}/temp/body";
    fastcgi_temp_path "{folder}/temp/fastcgi";
    proxy_temp_path "{folder}/temp/proxy";
    scgi_temp_path "{folder}/temp/scgi";
    uwsgi_temp_path "{folder}/temp/uwsgi";
    # What the headers of our site name.
    map $uri $orbital_styles {{ default ""; }}
    map $uri $orbital_transport {{ default ""; }}
    upstream contestant {{
        server "{upstream}";
        keepalive {keepalive};
    }}
    server {{
        listen 127.0.0.1:{port};
        server_name _;
        include "{repository}/nginx/snippets/orbital-headers.conf";
        server_tokens off;
        charset utf-8;
        client_max_body_size 8m;
        large_client_header_buffers 4 32k;
        gzip on;
        gzip_vary on;
        gzip_comp_level 1;
        gzip_min_length 1024;
        gzip_types application/json;
        location / {{
{location}
            {protocol}_buffer_size          64k;
            {protocol}_buffers              16 64k;
            {protocol}_busy_buffers_size    256k;
            {protocol}_max_temp_file_size   1024m;
            {protocol}_connect_timeout      3s;
            {protocol}_read_timeout         120s;
            {protocol}_send_timeout         60s;
            {protocol}_next_upstream        error;
        }}
    }}
}}
"""

PROXY = """
            proxy_pass http://contestant;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
"""

FASTCGI = """
            fastcgi_pass contestant;
            fastcgi_keep_conn on;
            fastcgi_param REQUEST_METHOD    $request_method;
            fastcgi_param SCRIPT_NAME       $uri;
            fastcgi_param QUERY_STRING      $query_string;
            fastcgi_param CONTENT_TYPE      $content_type;
            fastcgi_param CONTENT_LENGTH    $content_length;
            fastcgi_param SERVER_PROTOCOL   $server_protocol;
            fastcgi_param GATEWAY_INTERFACE CGI/1.1;
            fastcgi_param REMOTE_ADDR       $remote_addr;
            fastcgi_param HTTP_HOST         $http_host;
            fastcgi_param HTTPS             $https if_not_empty;
            fastcgi_param HTTP_PROXY        "";
"""


class Nginx:
    """An nginx on a free port of the loopback address."""

    def __init__(self, folder, upstream, protocol, more="", keepalive=32):
        folder = pathlib.Path(folder, "nginx")
        (folder / "temp").mkdir(parents=True)
        port = free_port()
        location = PROXY if protocol == "proxy" else FASTCGI
        (folder / "nginx.conf").write_text(CONFIGURATION.format(
            user="user root;" if os.geteuid() == 0 else "", folder=folder, repository=REPOSITORY, port=port,
            upstream=upstream, protocol=protocol, location=location.strip("\n") + more, keepalive=keepalive))
        self.start(folder, port)

    def start(self, folder, port):
        self.address = f"http://127.0.0.1:{port}"
        self.process = Process("nginx", folder, [PROGRAM, "-e", "stderr", "-c", str(folder / "nginx.conf")])
        wait_for(f"{self.address}/health/live", self.process)

    def stop(self):
        self.process.stop()


class OrbitalNginx(Nginx):
    """The nginx of our own site, without an access log, for the others have none."""

    def __init__(self, folder, upstream):
        folder, port = pathlib.Path(folder, "nginx"), free_port()
        subprocess.run(
            [REPOSITORY / "Tests/dev/site", folder, f"127.0.0.1:{port}", upstream], check=True)
        file = folder / "nginx.conf"
        text = file.read_text()
        line = next(line for line in text.splitlines() if line.strip().startswith("access_log "))
        file.write_text(text.replace(line, "    access_log off;"))
        self.start(folder, port)
