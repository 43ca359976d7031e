#!/usr/bin/env python3
"""Every system call of a commit fails once, in the real program. `make test-faults` builds it and runs this.

    faults.py HAMSAYA WORK [--kills N] [--calls fsync,link] [--towns N]

The five nodes of `hamsaya init demo` run on loopback. For each call on the write path (openat write fsync rename link unlink
close mkdir) and each time that a commit makes it, strace is attached to the thread of P1 that owns its disk, a statement is
sent, and that one call fails with EIO, fails with ENOSPC where room is asked for, or the process is killed as it makes it.
Then P1 is killed, `hamsaya verify` must find every byte fitting, and after a start without strace every statement that was
ever acknowledged stands at its index. At the end P1 is killed N times at random moments while statements arrive. A point is
mostly waiting, so several towns of five nodes take points in turn.
"""
import argparse, collections, concurrent.futures, glob, json, os, random, re, shutil, subprocess, sys, threading, time
import urllib.error, urllib.request

CALLS = ["openat", "write", "fsync", "fdatasync", "ftruncate", "rename", "renameat", "renameat2", "link", "linkat",
         "unlink", "unlinkat", "mkdir", "mkdirat", "close"]
FAULTS = {"EIO": "error=EIO", "ENOSPC": "error=ENOSPC", "KILL": "signal=KILL"}
# A full disk shows only where room is asked for.
TAKES_NO_ROOM = {"fsync", "fdatasync", "unlink", "unlinkat", "close"}
# Nothing changed for so long: that is rest.
REST_S = 1.5
# What follows a commit: cosignatures, publication, the entry that carries the cosignatures, tiles put in their places.
AFTER_S = 7
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def say(text):
    print("faults:", text, flush=True)


class Failed(Exception):
    """Something did not hold."""


def fail(text):
    raise Failed(text)


def until(done, seconds, what):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := done():
            return found
        time.sleep(0.02)
    fail(f"{what}, after {seconds} s")


class Town:
    """Five nodes; P1 is the one that suffers."""

    def __init__(self, hamsaya, place, port):
        self.hamsaya, self.place, self.nodes, self.acknowledged = hamsaya, place, {}, {}
        self.killed_by_strace = False
        self.command("init", "demo", place, "--port", str(port))
        settings = open(f"{place}/p1/node.toml").read()
        self.url = "http://" + re.search(r'listen = "(.*)"', settings)[1]
        for name in ["p2", "g1", "g2", "o1", "p1"]:
            self.start(name)
        self.await_p1()

    def command(self, *args):
        ran = subprocess.run([self.hamsaya, *args], capture_output=True, text=True)
        if ran.returncode != 0:
            fail(f"hamsaya {' '.join(args)} ended with {ran.returncode}\n{ran.stdout}{ran.stderr}")
        return ran.stdout

    def start(self, name):
        with open(f"{self.place}/{name}.log", "a") as log:
            command = [self.hamsaya, "serve", f"{self.place}/{name}"]
            self.nodes[name] = subprocess.Popen(command, stdout=log, stderr=log)

    def get(self, path):
        try:
            return json.load(OPENER.open(self.url + path, timeout=10))
        except (urllib.error.URLError, OSError, ValueError):
            return None

    def await_p1(self):
        until(lambda: (self.get("/api/state") or {}).get("status") == "running", 90, "P1 does not run")

    def rest(self):
        """Until nothing is logged any more."""
        held, since = None, time.monotonic()
        while time.monotonic() < since + REST_S:
            now = (self.get("/api/state") or {}).get("heads")
            sizes = [(head["origin"], head["size"], head.get("published_size")) for head in now or []]
            if sizes != held:
                held, since = sizes, time.monotonic()
            time.sleep(0.1)

    def end(self):
        for node in self.nodes.values():
            node.kill()
            node.wait()

    def says(self):
        """P1's chair says something by the command; the answer is read later."""
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        command = [self.hamsaya, "record", "append", f"{self.place}/p1", "--kind", "sitrep", "--occurred", now,
                   "--precision", "second", "--field", "sector_of=S1", "--field", f"day={now}"]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def hears(self, said):
        """Notes what was acknowledged. Whoever is not answered soon is not answered."""
        try:
            out, _ = said.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            said.kill()
            out = said.communicate()[0]
        found = re.search(r"#(\d+)  statement (\w+)", out)
        if found:
            self.acknowledged[found[2]] = int(found[1])
        return bool(found)

    def thread(self):
        """The thread that owns the disk."""
        for task in glob.glob(f"/proc/{self.nodes['p1'].pid}/task/*"):
            if open(f"{task}/comm").read().strip() == "node":
                return task.rsplit("/", 1)[1]
        fail("P1 has no thread named `node`")

    def strace(self, *args):
        out = f"{self.place}/strace.out"
        tracer = subprocess.Popen(["strace", "-qq", "-o", out, "-p", self.thread(), *args], stderr=subprocess.DEVNULL)
        status = f"/proc/{self.nodes['p1'].pid}/task/{self.thread()}/status"
        until(lambda: "TracerPid:\t0" not in open(status).read(), 10, "strace is not attached")
        return tracer, out

    def commit(self, tracer, out, hit):
        """A statement, and what follows it, until the fault came."""
        said = self.says()
        while said.poll() is None and not hit(out) and self.nodes["p1"].poll() is None:
            time.sleep(0.02)
        end = time.monotonic() + AFTER_S
        while time.monotonic() < end and not hit(out) and self.nodes["p1"].poll() is None:
            time.sleep(0.02)
        # The process may still answer, or stop; nobody waits for one that is gone.
        answered = self.hears(said)
        self.killed_by_strace = self.nodes["p1"].poll() is not None
        self.nodes["p1"].kill()
        self.nodes["p1"].wait()
        tracer.wait()
        return answered

    def must_hold(self, what):
        """Every byte fits, and P1 starts and has what it acknowledged."""
        verified = subprocess.run([self.hamsaya, "verify", f"{self.place}/p1"], capture_output=True, text=True)
        if verified.returncode != 0:
            fail(f"{what}: verify ended with {verified.returncode}\n{verified.stdout}{verified.stderr}")
        self.start("p1")
        self.await_p1()
        # As the chair, who reads what P1 says here.
        listed = self.command("record", "list", self.url, "--as", f"{self.place}/p1/keys/chair.key", "--format", "json")
        indexes = {e["statement_id"]: e["index"] for e in json.loads(listed)}
        missing = {name: index for name, index in self.acknowledged.items() if indexes.get(name) != index}
        if missing:
            fail(f"{what}: acknowledged and not there: {missing}")


def count(town):
    """How often a commit makes each call at least: of three, the one with the fewest."""
    counts = []
    for _ in range(3):
        town.rest()
        tracer, out = town.strace("-e", "trace=" + ",".join(CALLS))
        if not town.commit(tracer, out, lambda out: False):
            fail("a statement without a fault is not acknowledged: `hamsaya record append` says why")
        town.must_hold("a commit without a fault")
        made = re.findall(r"^(\w+)\(", open(out).read(), re.M)
        counts.append({call: made.count(call) for call in CALLS})
    fewest = {call: min(counted[call] for counted in counts) for call in CALLS}
    return {call: n for call, n in fewest.items() if n}


def inject(town, call, n, fault):
    """Whether the fault came, and whether the statement was acknowledged all the same."""
    town.rest()
    rule = f"inject={call}:{FAULTS[fault]}:when={n}"
    tracer, out = town.strace("-e", "trace=" + call, "-e", rule)
    mark = "killed by SIGKILL" if fault == "KILL" else "(INJECTED)"
    hit = lambda out: os.path.exists(out) and mark in open(out).read()
    answered = town.commit(tracer, out, hit)
    # The kill that ends a commit is the same signal: strace marks only its own.
    came = "(INJECTED)" in open(out).read() if fault != "KILL" else town.killed_by_strace
    town.must_hold(f"{call} number {n} with {fault}")
    return came, answered


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("hamsaya")
    parser.add_argument("work")
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--calls", help="only these, with commas")
    parser.add_argument("--towns", type=int, default=3)
    asked = parser.parse_args()
    if not shutil.which("strace"):
        say("SKIPPED: strace was not found; hint: apt-get install strace")
        return
    if subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True).returncode != 0:
        say("SKIPPED: strace may not trace here; hint: is ptrace allowed (kernel.yama.ptrace_scope, the container)?")
        return
    work = os.path.abspath(asked.work)
    shutil.rmtree(work, ignore_errors=True)
    # Apart, so that the nodes of one do not take the ports of another.
    ports = [20000 + 100 * n for n in random.sample(range(100), asked.towns)]
    towns = []
    try:
        towns += [Town(os.path.abspath(asked.hamsaya), f"{work}/town{n}", port) for n, port in enumerate(ports)]
        play(towns, asked)
    except Failed as failed:
        print("faults: FAILED:", failed, flush=True)
        sys.exit(1)
    finally:
        for town in towns:
            town.end()


def play(towns, asked):
    begun = time.monotonic()
    counted = count(towns[0])
    say("a commit makes " + ", ".join(f"{n} {call}" for call, n in counted.items()))
    chosen = [call for call in counted if not asked.calls or call in asked.calls.split(",")]
    faults = {call: [f for f in FAULTS if not (f == "ENOSPC" and call in TAKES_NO_ROOM)] for call in chosen}
    points = collections.deque((c, f, n) for c in chosen for f in faults[c] for n in range(1, counted[c] + 1))
    left = {call: counted[call] * len(faults[call]) for call in chosen}
    came, failed, lock = collections.Counter(), threading.Event(), threading.Lock()
    say(f"{len(points)} times a call fails or kills, in {len(towns)} towns")

    def work(town):
        answered = 0
        while not failed.is_set():
            try:
                call, fault, n = points.popleft()
            except IndexError:
                break
            try:
                hit, told = inject(town, call, n, fault)
            except BaseException:
                failed.set()
                raise
            answered += told
            with lock:
                came[call, fault] += hit
                left[call] -= 1
                if not left[call]:
                    all_came = ", ".join(f"{came[call, f]} with {f}" for f in faults[call])
                    say(f"{call}: {all_came}: all holds, {time.monotonic() - begun:.0f} s")
        return answered

    with concurrent.futures.ThreadPoolExecutor(len(towns)) as pool:
        answered = sum([work.result() for work in [pool.submit(work, town) for town in towns]])
    say(f"{came.total()} injection points, {answered} statements acknowledged meanwhile, {time.monotonic() - begun:.0f} s: "
        "after each every byte fits and every acknowledged statement is there")
    town, chance = towns[0], random.Random(7)
    for n in range(asked.kills):
        said = [town.says() for _ in range(3)]
        time.sleep(chance.uniform(0, 0.6))
        town.nodes["p1"].kill()
        town.nodes["p1"].wait()
        for one in said:
            town.hears(one)
        town.must_hold(f"kill number {n}")
    held = sum(len(town.acknowledged) for town in towns)
    say(f"{asked.kills} kills at random moments; {held} statements acknowledged in all: all are there")


if __name__ == "__main__":
    main()
