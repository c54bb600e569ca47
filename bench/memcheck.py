"""valgrind's memcheck around a server: the command, and what it found. Only
errors with a frame of our module count."""

import pathlib
import re
import xml.etree.ElementTree as ElementTree

SUPPRESSIONS = (pathlib.Path(__file__).resolve().parent.parent
                / "t" / "lib" / "valgrind.supp")

REPORT = "memcheck.xml"


def command(folder):
    """The wrapper; the report goes to `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    report = folder / REPORT
    report.unlink(missing_ok=True)
    # nginx unloads its modules before it ends: their names are kept.
    return ["valgrind", "--tool=memcheck", "--vgdb=no", "--leak-check=full",
            "--show-leak-kinds=definite", "--errors-for-leak-kinds=definite",
            "--keep-debuginfo=yes", "--num-callers=40", "--xml=yes",
            f"--xml-file={report}", f"--suppressions={SUPPRESSIONS}"]


def problems(folder, module):
    """The errors of `module` as texts, and the number of all others."""
    text = (folder / REPORT).read_text(errors="replace")
    # Not well-formed if valgrind was killed: each error for itself.
    errors = re.findall(r"<error>.*?</error>", text, re.S)
    ours = []
    for error in map(ElementTree.fromstring, errors):
        frames = list(error.iter("frame"))
        if any((frame.findtext("obj") or "").endswith(f"/{module}") for frame in frames):
            what = error.findtext("what") or error.findtext("xwhat/text")
            names = [frame.findtext("fn") or frame.findtext("obj") or "?"
                     for frame in frames]
            ours.append("\n    ".join([f"memcheck: {what}", *names]))
    if "<state>FINISHED</state>" not in text:
        ours.append("memcheck did not finish")
    return ours, len(errors) - len(ours)
