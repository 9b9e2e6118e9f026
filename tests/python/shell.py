"""Drives `roletrail shell` under a pseudo-terminal, as somebody at a keyboard would."""

import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time
import fcntl

program, store, folder = sys.argv[1:4]
LIMIT = 60


class Terminal:
    def __init__(self, columns, lines, **env):
        self.seen = ""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            # Only what the test gives, and a place for the history.
            os.execve(
                program,
                [program, "--store", store, "shell"],
                {"PATH": "/usr/bin:/bin", "TERM": "xterm", "HOME": folder, **env},
            )
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def type(self, text):
        os.write(self.fd, text.encode())

    def read(self, seconds=0.2):
        ready, _, _ = select.select([self.fd], [], [], seconds)
        if not ready:
            return False
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            return False
        self.seen += data.decode(errors="replace")
        return bool(data)

    def until(self, wanted):
        """What came until the text that was waited for; control sequences are left out."""
        start = time.time()
        while time.time() - start < LIMIT:
            plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[>=]|\r", "", self.seen)
            if wanted in plain:
                before, _, _ = plain.partition(wanted)
                self.seen = plain[len(before) + len(wanted):]
                return before + wanted
            self.read()
        raise SystemExit(f"{wanted!r} did not come; there is {self.seen!r}")

    def end(self):
        self.type("\\q\r")
        start = time.time()
        while time.time() - start < LIMIT:
            self.read(0.05)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)
        raise SystemExit("the shell did not end")


def check(what, good):
    print(f"{'ok' if good else 'FAILED'} {what}")
    if not good:
        raise SystemExit(what)


PROMPT = "roletrail=> "

wide = Terminal(120, 40, PAGER="cat")
wide.until(PROMPT)

wide.type("SELECT role_name\r")
wide.type("FROM sessions WHERE role_name LIKE 'Security%' ORDER BY 1;\r")
answer = wide.until("(2 rows)")
check("a statement of two lines is one", "SecurityAnalystRole" in answer and "SecurityBreakGlassRole" in answer)

wide.type("\\d links\r")
check("\\d shows columns", "child_session_id" in wide.until("rows)"))
wide.type("\\df cidr\r")
check("\\df finds functions", "ip_in_cidr" in wide.until("(1 row)"))

wide.type("SELECT rol_name FROM sessions;\r")
wide.until("error: there is no column rol_name")
check("errors name near columns", "role_name" in wide.until("did you mean role_name"))

wide.type("SELECT count(*) AS attributed FROM attributio\t")
wide.until("FROM attributions")
wide.type(";\r")
check("names are completed", "attributed" in wide.until("(1 row)"))

wide.type("\\run role-users role=SecurityAnalystRole\r")
check("\\run runs a saved query", "IAMUser" in wide.until("(1 row)"))

wide.type("\\x\r")
wide.until("rows as lists: on")
wide.type("SELECT 1 AS one;\r")
check("\\x shows lists", "-[ RECORD 1 ]" in wide.until("(1 row)"))
wide.type("\\x\r")
wide.until("rows as lists: off")

wide.type("\\timing\r")
wide.until("timing: on")
wide.type("SELECT 2 AS two;\r")
wide.until("(1 row)")
wide.until("time: ")

out = os.path.join(folder, "answer.csv")
for line in ["\\format csv", f"\\o {out}", "SELECT 3 AS three;", "\\o", "\\format table"]:
    wide.until(PROMPT)
    wide.type(line + "\r")
    wide.until(line)
wide.until(PROMPT)
wide.type("SELECT 4 AS four;\r")
wide.until("(1 row)")
check("\\o writes to a file", open(out).read() == "three\n3\n")

# Something that takes long is stopped, and the shell answers again.
wide.type("SELECT count(*) FROM generate_series(1, 100000000) a, generate_series(1, 1000000) b WHERE a.value * b.value % 7 = 3;\r")
time.sleep(1.5)
os.kill(wide.pid, signal.SIGINT)
wide.until("stopped")
wide.type("SELECT 5 AS five;\r")
check("Ctrl-C stops a statement and not the program", "five" in wide.until("(1 row)"))

wide.until(PROMPT)
wide.type("SELECT 'given up")
wide.until("given up")
wide.type("\x03")
wide.until(PROMPT)
wide.type("SELECT 6 AS six;\r")
check("Ctrl-C gives up a line", "six" in wide.until("(1 row)"))
check("\\q ends with 0", wide.end() == 0)

again = Terminal(120, 40, PAGER="cat")
again.until(PROMPT)
again.type("\x1b[A\x1b[A")
again.until("SELECT 6 AS six;")
again.type("\r")
check("the history is kept", "6" in again.until("(1 row)"))
check("ends again", again.end() == 0)
mode = os.stat(os.path.join(folder, ".roletrail_history")).st_mode & 0o777
check(f"nobody else reads the history ({mode:o})", mode & 0o077 == 0)

low = Terminal(80, 12, PAGER="sed s/^/PAGED:/")
low.until(PROMPT)
low.type("SELECT event_name FROM events;\r")
check("long answers go through the pager", "PAGED:" in low.until("rows)"))
low.type("SELECT 1;\r")
check("short ones do not", "PAGED:" not in low.until("(1 row)"))
check("ends at last", low.end() == 0)
