#!/usr/bin/env bash
# dicomweb-client 0.61.2: store_instances gives back what a server says of each object (PS3.18 10.5.3), if the server
# names its media type as the library spells it.
#
# Expected: whoever calls learns which objects were not stored, or gets an error.
# Seen: an answer 200 that is a page for people (a sign-in page before the server) and an answer 202 of media type
#   "application/dicom+json; charset=utf-8" that lists an object as failed both give an empty Dataset, as an answer
#   without a body does: no error, no failed object. A 409 raises HTTPError, and the list in it is not read.
#   The same 202 without "; charset=utf-8" gives the list.
# What helps: demand that each SOP Instance UID that was sent stands in ReferencedSOPSequence (0008,1199), and read
#   the list from `error.response` of an HTTPError; an empty Dataset is no success.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet dicomweb-client==0.61.2 pydicom==3.0.2 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import requests
from dicomweb_client.api import DICOMwebClient
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import BasicTextSRStorage, ExplicitVRLittleEndian, generate_uid

made = Dataset()
made.SOPClassUID, made.SOPInstanceUID = BasicTextSRStorage, generate_uid()
made.StudyInstanceUID, made.SeriesInstanceUID = generate_uid(), generate_uid()
made.PatientID, made.Modality = "MADE-UP", "SR"
made.file_meta = FileMetaDataset()
made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID
made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
made.preamble = bytes(128)

failed = Dataset()
failed.ReferencedSOPInstanceUID, failed.FailureReason = made.SOPInstanceUID, 0xA900
answer = Dataset()
answer.FailedSOPSequence = [failed]
LIST = json.dumps(answer.to_json_dict()).encode()

def says(status, kind, content):
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.handle_request).start()
    try:
        client = DICOMwebClient(f"http://127.0.0.1:{server.server_address[1]}")
        return [one.FailureReason for one in client.store_instances([made]).get("FailedSOPSequence", [])]
    except requests.HTTPError as error:
        return type(error).__name__
    finally:
        server.server_close()

page = says(200, "text/html", b"<html>Please sign in</html>")
charset = says(202, "application/dicom+json; charset=utf-8", LIST)
plain = says(202, "application/dicom+json", LIST)
conflict = says(409, "application/dicom+json", LIST)
print("a sign-in page:        failed objects", page)
print("202, list and charset: failed objects", charset)
print("202 and list:          failed objects", plain)
print("409 and list:         ", conflict)
assert (page, charset, plain, conflict) == ([], [], [0xA900], "HTTPError")
print("as described")
PYTHON
