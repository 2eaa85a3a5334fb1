#!/usr/bin/env bash
# openvino 2026.4.1 on a processor with AMX: the thread that compiles a model is left with a stack for
# signals that is freed with the model.
#
# Expected: a compiled model that is released leaves nothing behind in the threads of the caller.
# Seen: compile_model gives the calling thread an alternate signal stack (sigaltstack). Where the model is
#   released in that thread, the stack is taken away again, and one that stood there before is not put back.
#   Where it is released in another thread, as a garbage collector does it, the address stays and its memory
#   does not. Handlers of Python run on that stack: the next signal, such as Ctrl-C, ends the process
#   instead of stopping it (not done here). Without AMX no stack is given.
# What helps: compile in a thread that ends.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
grep -q amx_tile /proc/cpuinfo || { echo "this processor has no AMX: nothing to see"; exit 0; }
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet openvino==2026.4.1
"$folder/venv/bin/python" - <<'PYTHON'
import ctypes
import threading

import numpy as np
import openvino
from openvino import opset13 as ops

class Stack(ctypes.Structure):
    _fields_ = [("address", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t)]

def signal_stack():
    found = Stack()
    ctypes.CDLL(None).sigaltstack(None, ctypes.byref(found))
    return found.address

def is_mapped(address):
    ranges = (line.split()[0].split("-") for line in open("/proc/self/maps"))
    return any(int(low, 16) <= address < int(high, 16) for low, high in ranges)

def compiled():
    image = ops.parameter([1, 1, 64, 64], np.float32)
    kernel = ops.constant(np.ones((4, 1, 3, 3), np.float32))
    model = openvino.Model([ops.convolution(image, kernel, [1, 1], [1, 1], [1, 1], [1, 1])], [image])
    core = openvino.Core()
    return [core, core.compile_model(model, "CPU")]

def in_a_thread(work):
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()

assert signal_stack() is None
made = []
in_a_thread(lambda: made.extend(compiled()))
print("compiled in another thread:", signal_stack())
assert signal_stack() is None
made.clear()
made = compiled()
assert signal_stack() is not None and is_mapped(signal_stack())
in_a_thread(made.clear)
print("compiled here, released in another thread:", hex(signal_stack()), "mapped" if is_mapped(signal_stack()) else "not mapped")
assert not is_mapped(signal_stack())
print("as described")
PYTHON
