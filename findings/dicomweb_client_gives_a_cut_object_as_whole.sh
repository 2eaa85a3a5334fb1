#!/usr/bin/env bash
# dicomweb-client 0.61.2: of a multipart answer that ends in the middle of an object (a server that
# is stopped, a proxy that gives up), that object is given as if it were whole, without an error: the
# delimiter that should close the message (RFC 2046 5.1.1) is never asked for.
#
# Expected: an error, as the message is incomplete.
# Seen: 2 objects, the second one of half its bytes, and no error. The same with stream=True.
# What helps: count the objects and their bytes yourself, or read the answer with a parser that says
#   whether it met the closing delimiter (python-multipart: on_end).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet dicomweb-client==0.61.2 retrying==1.4.2
"$folder/venv/bin/python" - <<'PYTHON'
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

from dicomweb_client.web import DICOMwebClient

HEAD = b"--b\r\nContent-Type: application/octet-stream\r\n\r\n"
BODY = HEAD + b"a" * 1000 + b"\r\n" + HEAD + b"b" * 500  # cut: the second has 1000, too


class Cut(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        kind = 'multipart/related; type="application/octet-stream"; boundary=b'
        self.send_header("Content-Type", kind)
        self.end_headers()
        self.wfile.write(BODY)

    def log_message(self, *words):
        pass


server = HTTPServer(("127.0.0.1", 0), Cut)
threading.Thread(target=server.serve_forever, daemon=True).start()
client = DICOMwebClient(f"http://127.0.0.1:{server.server_address[1]}")
frames = client.retrieve_instance_frames(
    "1.1", "1.2", "1.3", [1, 2], media_types=("application/octet-stream",)
)
print("bytes of each object:", [len(frame) for frame in frames])
PYTHON
