#!/usr/bin/env bash
# streamlit 1.67.0: every run of a page, of a fragment too, ends with a full garbage collection of the
# whole process, so that a click costs by what the server holds and not by what the page shows.
#
# Expected: a page of one line takes the same time in whatever process; memory is Python's own affair.
# Seen: gc.collect(2) stands at the end of each run. In a process that holds a million small objects (an
#   index of studies, loaded libraries and models) the run of a one-line page takes more than five times
#   as long as in the same process with the collection off, and the lock of the interpreter is held
#   meanwhile: every other session and every route of the same server waits for it.
# AppTest leaves the collection out, so that a page's tests do not show it.
# What helps: --runner.postScriptGC=false (Python collects by itself), or gc.freeze() once all is loaded.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet streamlit==1.67.0
cd "$folder"
cat > page.py <<'PYTHON'
import streamlit as st

@st.cache_resource(show_spinner=False)
def index_of_studies():
    return [{"study": number, "images": [number]} for number in range(500_000)]

index_of_studies()
st.write("one line")
PYTHON
"$folder/venv/bin/python" - <<'PYTHON'
import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import connect

RUNS = 10

def cpu_ms(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) * 1000 / os.sysconf("SC_CLK_TCK")

def run(page):
    page.send(BackMsg(rerun_script={}).SerializeToString())
    while True:
        message = ForwardMsg.FromString(page.recv())
        if message.WhichOneof("type") == "script_finished":
            return

def ms_of_a_run(*flags):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = [f"--server.port={port}", "--server.headless=true", "--server.address=127.0.0.1"]
    options += ["--browser.gatherUsageStats=false", "--server.fileWatcherType=none", *flags]
    server = subprocess.Popen(
        [sys.executable, "-m", "streamlit", "run", "page.py", *options],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(100):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=1).close()
                break
            except OSError:
                time.sleep(0.2)
        with connect(f"ws://127.0.0.1:{port}/_stcore/stream", subprotocols=["streamlit"]) as page:
            run(page)
            time.sleep(2)
            before = cpu_ms(server.pid)
            for _ in range(RUNS):
                run(page)
                time.sleep(0.3)
            return (cpu_ms(server.pid) - before) / RUNS
    finally:
        server.terminate()
        server.wait(30)

by_default, without = ms_of_a_run(), ms_of_a_run("--runner.postScriptGC=false")
print(f"a run of a one-line page: {by_default:.0f} ms of CPU by default, {without:.0f} without the collection")
assert by_default > 5 * without
print("as described")
PYTHON
