"""What the benchmark scripts share: a quiet machine, a PostgreSQL and a daemon of their own, medians."""
import atexit
import contextlib
import http.client
import json
import multiprocessing
import os
import pathlib
import pwd
import secrets
import shutil
import socket
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
EMAIL, PASSWORD = "bench@example.com", secrets.token_urlsafe(18)
TICKS = os.sysconf("SC_CLK_TCK")


def _spin(answer):
    wall, cpu, total = time.perf_counter(), time.process_time(), 0
    for number in range(3_000_000):
        total += number
    answer.put((time.perf_counter() - wall) / (time.process_time() - cpu))


def probe():
    """Wall time over processor time of one busy loop per core: 1.0 when nobody else runs."""
    answer, cores = multiprocessing.Queue(), os.cpu_count() or 1
    loops = [multiprocessing.Process(target=_spin, args=(answer,)) for _ in range(cores)]
    for loop in loops:
        loop.start()
    worst = max(answer.get() for _ in loops)
    for loop in loops:
        loop.join()
    return worst


class Gate:
    """Lets a measurement count only when the machine was quiet before and after it."""
    def __init__(self, limit, patience):
        self.limit, self.deadline, self.seen, self.discarded = limit, time.monotonic() + patience, [], 0

    def wait(self):
        while (noise := probe()) > self.limit:
            if time.monotonic() > self.deadline:
                sys.exit(f"the machine was not quiet: the probe says {noise:.2f}, the limit is {self.limit}")
            time.sleep(3)
        return noise

    def measure(self, what):
        """Calls `what` until one call lies between two quiet probes; answers its answer and the worse probe."""
        while True:
            before = self.wait()
            answer = what()
            noise = max(before, probe())
            if noise <= self.limit:
                self.seen.append(noise)
                return answer, noise
            self.discarded += 1
            print(f"  discarded: the probe says {noise:.2f}", file=sys.stderr)

    def told(self):
        return (f"probe median {statistics.median(self.seen):.2f}, worst {max(self.seen):.2f} "
                f"(limit {self.limit}); {self.discarded} of {len(self.seen) + self.discarded} runs discarded")


class Postgres:
    """PostgreSQL with the configuration that initdb writes, on a port and in a folder of its own."""
    def __init__(self, folder):
        found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: path.parent.name)
        if not found and not shutil.which("initdb"):
            sys.exit("PostgreSQL is missing: install the package postgresql")
        self.bin = found[-1] if found else pathlib.Path(shutil.which("initdb")).parent
        self.home = pathlib.Path(folder) / "postgres"
        # The server refuses to be root.
        self.user = "postgres" if os.geteuid() == 0 else None
        shutil.rmtree(self.home, ignore_errors=True)
        self.home.mkdir(parents=True)
        if self.user:
            account = pwd.getpwnam(self.user)
            os.chown(self.home, account.pw_uid, account.pw_gid)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"postgres://postgres@127.0.0.1:{self.port}/postgres"
        self._run("initdb", "-D", self.home / "data", "-U", "postgres", "-A", "trust", "-E", "UTF8")
        atexit.register(self.stop)
        self._run("pg_ctl", "-D", self.home / "data", "-w", "-l", self.home / "log", "-o",
                  f"-p {self.port} -c listen_addresses=127.0.0.1 -k {self.home}", "start")
        self.version = self.ask("SHOW server_version")

    def _run(self, program, *arguments):
        subprocess.run([self.bin / program, *arguments], user=self.user, cwd="/", check=True,
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    def ask(self, sql):
        done = subprocess.run([self.bin / "psql", "-XAtq", "-c", sql, self.url], check=True, text=True,
                              stdout=subprocess.PIPE)
        return done.stdout.strip()

    def clear(self):
        """Drops what earlier runs left: its vacuum would work during the next one."""
        for name in self.ask("SELECT datname FROM pg_database WHERE datname LIKE 'bench_%'").split():
            self.ask(f"DROP DATABASE {name} WITH (FORCE)")
        self.ask("CHECKPOINT")

    def stop(self):
        if (self.home / "data/postmaster.pid").exists():
            self._run("pg_ctl", "-D", self.home / "data", "-m", "immediate", "stop")
        shutil.rmtree(self.home, ignore_errors=True)


class Daemon:
    """A daemon in a folder of its own, with an employee who may sign in."""
    def __init__(self, program, folder, database, settings=""):
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "data").mkdir(parents=True, mode=0o700)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.program, self.config, self.log = program, folder / "astrops.toml", folder / "stderr"
        url = f"[database]\nurl = {json.dumps(database)}\n" if database else ""
        self.config.write_text(f'[server]\nbind = "127.0.0.1:{self.port}"\n[data]\ndir = "{folder / "data"}"\n{url}'
                               f"{settings}")
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith("ASTROPS__")}
        subprocess.run([program, "user", "add", "--email", EMAIL, "--role", "employee", "--password-stdin", "--config",
                        self.config], input=PASSWORD.encode(), env=self.environment, check=True,
                       stdout=subprocess.DEVNULL)

    def start(self):
        """Milliseconds from exec until it is ready."""
        begin = time.monotonic()
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([self.program, "daemon", "--config", self.config], stderr=log,
                                            stdout=subprocess.DEVNULL, env=self.environment)
        while time.monotonic() - begin < 30 and self.process.poll() is None:
            with contextlib.suppress(OSError, http.client.HTTPException):
                if self.ask("GET", "/health/ready")[0] == 200:
                    return (time.monotonic() - begin) * 1000
            time.sleep(0.001)
        sys.exit(f"the daemon did not start: see {self.log}")

    def stop(self):
        self.process.terminate()
        self.process.wait(30)

    def ask(self, method, path, body=None, token=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
        connection.request(method, path, json.dumps(body) if body else None, headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read() or "null")

    def sign_in(self):
        return self.ask("POST", "/auth/login", {"email": EMAIL, "password": PASSWORD})[1]["token"]

    def rss(self):
        """MiB"""
        lines = pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))

    def cpu(self):
        """Seconds of processor time so far."""
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS


def bench_binary(name):
    """Builds a bench target and answers where it is."""
    done = subprocess.run(["cargo", "bench", "-p", "astrops-daemon", "--bench", name, "--no-run", "--locked",
                           "--message-format=json"], cwd=ROOT, check=True, text=True, stdout=subprocess.PIPE)
    messages = [json.loads(line) for line in done.stdout.splitlines()]
    return next(m["executable"] for m in messages if m.get("executable") and m["target"]["name"] == name)


def spread(values, digits=0):
    """`median (lowest - highest)`"""
    def text(value):
        return f"{value:,.{digits}f}"
    return f"{text(statistics.median(values))} ({text(min(values))} - {text(max(values))})"


def machine():
    """One line about this computer."""
    cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "?")
    memory = int(open("/proc/meminfo").readline().split()[1]) / 2**20
    return f"{os.cpu_count()} x {cpu}, {memory:.0f} GiB, Linux {os.uname().release}"
