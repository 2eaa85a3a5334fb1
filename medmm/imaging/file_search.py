"""The files under a path: what may be opened, and why the rest is not."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from medmm.domain.errors import InputError
from medmm.imaging.dicom.files import dicom_border, irregular

_SKIPPED_NAMES = ("thumbs.db", "desktop.ini")
# filesystems(5) and the kernel's own documentation: what is read there is made on the spot, and may
# block or never end.
_KERNEL_FILE_SYSTEMS = frozenset(
    [
        "autofs",
        "binfmt_misc",
        "bpf",
        "cgroup",
        "cgroup2",
        "configfs",
        "debugfs",
        "devpts",
        "efivarfs",
        "fusectl",
        "mqueue",
        "nsfs",
        "proc",
        "pstore",
        "rpc_pipefs",
        "securityfs",
        "selinuxfs",
        "smackfs",
        "sysfs",
        "tracefs",
    ]
)


def find_files(path: Path) -> Iterator[Path | InputError]:
    """Yield the files under a path, folder by folder in sorted order.

    A file that is not opened comes as an error.

    Not opened are links out of the path, pipes, devices and sockets, folders on other file systems,
    and what the kernel shows as files: to open one of those may block, never end, or set something
    off.
    """
    if not os.path.isdir(path):  # unlike Path.is_dir it asks no permission
        yield checked(path, path)
        return
    try:
        device = path.stat().st_dev
    except OSError as error:
        yield _closed(path, error)
        return
    if device in _kernel_devices():
        yield _of_the_kernel(path)
        return
    yield from _walked(path, device)


def _walked(root: Path, device: int) -> Iterator[Path | InputError]:
    """Yield the files of each folder, then of the folders in it, to any depth.

    No folder is entered twice.
    """
    waiting, entered = [root], set()
    while waiting:
        folder = waiting.pop()
        try:
            state = folder.lstat() if folder != root else folder.stat()
            if state.st_dev != device:
                remedy = "name it itself, or copy its files here"
                yield InputError(
                    "a folder on another file system is not entered",
                    remedy=remedy,
                    path=str(folder),
                )
                continue
            if (state.st_dev, state.st_ino) in entered:  # the same folder mounted a second time
                continue
            entered.add((state.st_dev, state.st_ino))
            with os.scandir(folder) as entries:
                shown = sorted(
                    (e for e in entries if not e.name.startswith(".")), key=lambda e: e.name
                )
            below = [entry.is_dir(follow_symlinks=False) for entry in shown]
        except OSError as error:
            yield _closed(folder, error)
            continue
        for entry, is_folder in zip(shown, below, strict=True):
            if not is_folder and entry.name.lower() not in _SKIPPED_NAMES:
                yield checked(folder / entry.name, root)
        waiting += [
            folder / e.name
            for e, is_folder in zip(reversed(shown), reversed(below), strict=True)
            if is_folder
        ]


def checked(path: Path, root: Path) -> Path | InputError:
    """Return the path if it is a regular file, else the error.

    A link counts only if it stays under the root, or is the root itself.
    """
    try:
        with dicom_border(path, "find"):
            try:
                state = path.lstat()
                if stat.S_ISLNK(state.st_mode):
                    if path != root and not _stays_inside(path, root):
                        return InputError(
                            "a link is not followed", remedy="copy the file here", path=str(path)
                        )
                    state = path.stat()
            except (FileNotFoundError, NotADirectoryError):
                return InputError("no such file or folder", remedy="check the path", path=str(path))
            if not stat.S_ISREG(state.st_mode):  # a pipe or a device would block or never end
                return irregular(path)
            if path == root and state.st_dev in _kernel_devices():
                return _of_the_kernel(path)
            return path
    except InputError as error:
        return error


def _stays_inside(link: Path, root: Path) -> bool:
    """Tell whether a link leads to a file under the root, on its file system."""
    target, top = link.resolve(), root.resolve()
    if target.is_dir() or not target.is_relative_to(top):
        return False
    return not target.exists() or target.parent.stat().st_dev == top.stat().st_dev


def _kernel_devices() -> frozenset[int]:
    """List the devices of file systems that hold only what the kernel answers.

    Returns: none if nothing lists them.
    """
    devices = set()
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as mounts:  # proc(5)
            for line in mounts:
                before, _, after = line.partition(" - ")
                if after.split(" ", 1)[0] in _KERNEL_FILE_SYSTEMS:
                    major, minor = before.split(" ")[2].split(":")
                    devices.add(os.makedev(int(major), int(minor)))
    except OSError:
        return frozenset()
    return frozenset(devices)


def _closed(folder: Path, error: OSError) -> InputError:
    why = f"a folder can't be opened: {type(error).__name__}"
    return InputError(why, remedy="check its permissions", path=str(folder))


def _of_the_kernel(path: Path) -> InputError:
    why = "a file system of the kernel, which holds no images"
    return InputError(why, remedy="name a folder of image files", path=str(path))
