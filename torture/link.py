#!/usr/bin/env python3
"""Five nodes of the real program over 2G: each in a network namespace of its own, on a slow and lossy line. `make test-link` runs this.

    link.py HAMSAYA WORK [--kbit 64] [--delay-ms 800] [--loss 5] [--seed 1] [--rates 0.1,1] [--seconds 240] [--cut-s 180]

    P1 ── tun0 ──► lost? ──► 64 kbit/s up ──► 800 ms ──► 64 kbit/s down ──► tun0 ── P2, G1, G2, O1

The air between them is this program: it reads the IP packets of each namespace from a TUN device, loses, delays and passes
them on, as `tc qdisc add dev tun0 root netem delay 800ms rate 64kbit loss 5%` in each namespace would, and narrow on the way
in too. Many kernels have no netem; this needs TUN and namespaces only. TCP, with its retransmissions, is the kernel's own.

Measured with the pacing that ships: from a statement's answer (durable at P1) until P1 publishes a checkpoint of a quorum
that covers it; bytes that all nodes send, as the kernel counts them at their devices. Then P2 is cut off while both parties
go on saying things, and comes back: every statement that was acknowledged must be on every node, and all verdicts equal.
"""
import argparse, ctypes, fcntl, heapq, http.client, json, math, os, queue, random, re, select, shutil, socket, struct
import subprocess, sys, threading, time

NAMES = ["P1", "P2", "G1", "G2", "O1"]
KEEP_A_LOG = NAMES[:4]
PORT = 7411
# As much as may wait before a line, in bytes: half a minute of it.
LINE_BYTES_MAX = 256_000
LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000


def say(text):
    print("link:", text, flush=True)


def fail(text):
    print("link: FAILED:", text, flush=True)
    # Threads read devices and wait for answers: nobody waits for them.
    end_all()
    os._exit(1)


def skip(why, hint):
    say(f"SKIPPED: {why}; hint: {hint}")
    sys.exit(0)


def enter(namespace):
    """The calling thread alone; what it starts is there too."""
    if LIBC.setns(namespace, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


class Node:
    """A namespace, its one line to the air, and later a process."""

    def __init__(self, name, number):
        self.name, self.address, self.process = name, f"10.77.0.{number}", None
        here = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        if LIBC.unshare(CLONE_NEWNET) != 0:
            skip("namespaces cannot be made here", "run it as root, or allow user namespaces")
        self.namespace = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        try:
            self.tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
            # IFF_TUN | IFF_NO_PI
            fcntl.ioctl(self.tun, 0x400454CA, struct.pack("16sH", b"tun0", 0x1001))
        except OSError as error:
            skip(f"no TUN device can be made ({error})", "modprobe tun")
        with open("/proc/sys/net/ipv6/conf/all/disable_ipv6", "w") as setting:
            setting.write("1")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
            address = lambda text: struct.pack("16sHH4s8s", b"tun0", socket.AF_INET, 0, socket.inet_aton(text), b"")
            fcntl.ioctl(asked, 0x8916, address(self.address))
            fcntl.ioctl(asked, 0x891C, address("255.255.255.0"))
            for device in [b"tun0", b"lo"]:
                # IFF_UP | IFF_RUNNING
                fcntl.ioctl(asked, 0x8914, struct.pack("16sH", device, 0x41))
        enter(here)
        os.close(here)

    def start(self, hamsaya, place):
        with open(f"{place}/{self.name.lower()}.log", "a") as log:
            command = [hamsaya, "serve", f"{place}/{self.name.lower()}"]
            self.process = subprocess.Popen(self.within(command), stdout=log, stderr=log)

    def within(self, command):
        return ["nsenter", f"--net=/proc/{os.getpid()}/fd/{self.namespace}", *command]

    def sent_bytes(self):
        """Of all that went out at its device, by the kernel's count."""
        for line in open(f"/proc/{self.process.pid}/net/dev"):
            if line.strip().startswith("tun0:"):
                return int(line.split()[9])
        return fail(f"{self.name} has no device")


class Air(threading.Thread):
    """Carries packets between the namespaces."""

    def __init__(self, nodes, asked):
        super().__init__(daemon=True)
        self.lines = {socket.inet_aton(node.address): node.tun for node in nodes}
        self.names = {socket.inet_aton(node.address): node.name for node in nodes}
        self.second_bytes = asked.kbit * 1000 / 8
        self.delay_s, self.loss, self.chance = asked.delay_ms / 1000, asked.loss / 100, random.Random(asked.seed)
        self.free = {}
        self.cut = set()
        self.on_the_way, self.count = [], 0
        self.carried = self.lost = self.choked = 0

    def run(self):
        tuns = list(self.lines.values())
        while True:
            wait = self.on_the_way[0][0] - time.monotonic() if self.on_the_way else None
            for tun in select.select(tuns, [], [], wait if wait is None else max(wait, 0))[0]:
                self.sent(os.read(tun, 65536))
            while self.on_the_way and self.on_the_way[0][0] <= time.monotonic():
                _, _, step, packet = heapq.heappop(self.on_the_way)
                step(packet)

    def later(self, at, step, packet):
        self.count += 1
        heapq.heappush(self.on_the_way, (at, self.count, step, packet))

    def through(self, line, packet, delay_s, step):
        """A narrow line: one packet after the other."""
        now = time.monotonic()
        free = max(now, self.free.get(line, 0))
        if (free - now) * self.second_bytes > LINE_BYTES_MAX:
            self.choked += 1
            return
        self.free[line] = free + len(packet) / self.second_bytes
        self.later(self.free[line] + delay_s, step, packet)

    def is_cut(self, packet):
        return self.names.get(packet[12:16]) in self.cut or self.names.get(packet[16:20]) in self.cut

    def sent(self, packet):
        if packet[16:20] not in self.lines or self.is_cut(packet):
            return
        if self.chance.random() < self.loss:
            self.lost += 1
            return
        self.through(("up", packet[12:16]), packet, self.delay_s, self.arrived)

    def arrived(self, packet):
        self.through(("down", packet[16:20]), packet, 0, self.delivered)

    def delivered(self, packet):
        if not self.is_cut(packet):
            self.carried += 1
            os.write(self.lines[packet[16:20]], packet)


def at(node, work):
    """Does this within a node's namespace, in a thread of its own, and gives what came of it."""
    came = queue.Queue()

    def run():
        try:
            enter(node.namespace)
            came.put((work(), None))
        except Exception as error:
            came.put((None, error))

    threading.Thread(target=run, daemon=True).start()
    found, error = came.get()
    if error:
        raise error
    return found


def ask(node, method, path, body=None, headers={}, timeout=60):
    """Of a node, from its own machine: this does not go over the air."""
    connection = http.client.HTTPConnection(node.address, PORT, timeout=timeout)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.getheader("etag"), answer.read()
    finally:
        connection.close()


def got(node, path):
    try:
        status, _, body = at(node, lambda: ask(node, "GET", path))
        return json.loads(body) if status == 200 else None
    except (OSError, ValueError):
        return None


def until(done, seconds, what, every_s=0.25):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := done():
            return found
        time.sleep(every_s)
    return fail(f"{what}, after {seconds} s")


class Watch(threading.Thread):
    """Notes when P1 publishes which size; it holds the question until there is another."""

    def __init__(self, node):
        super().__init__(daemon=True)
        self.node, self.published = node, []

    def run(self):
        enter(self.node.namespace)
        etag = ""
        while True:
            try:
                headers = {"prefer": "wait=20", "if-none-match": etag}
                status, etag, body = ask(self.node, "GET", "/log/checkpoint", headers=headers)
                if status == 200:
                    self.published.append((time.monotonic(), int(body.split(b"\n")[1])))
            except (OSError, ValueError):
                etag = ""
                time.sleep(0.1)
            etag = etag or ""

    def size(self):
        return self.published[-1][1] if self.published else 0


def settle_down(place):
    """The demo's folders, on their own machines and with the pacing that ships."""
    for name in NAMES:
        path = f"{place}/{name.lower()}/node.toml"
        text = open(path).read()
        text = re.sub(r'listen = ".*"', f'listen = "{NODES[name].address}:{PORT}"', text)
        text = re.sub(r"\[pacing\]\n(.+\n)*", "", text)
        peer = lambda found: f'name = "{found[1]}"\n{found[2]}url = "http://{NODES[found[1]].address}:{PORT}"'
        text = re.sub(r'name = "(\w+)"\n(role = ".*"\n)url = ".*"', peer, text)
        open(path, "w").write(text)


NODES = {}


def end_all():
    for node in NODES.values():
        if node.process:
            node.process.kill()
            node.process.wait()


class Town:
    def __init__(self, asked):
        self.hamsaya, self.place = os.path.abspath(asked.hamsaya), os.path.join(os.path.abspath(asked.work), "town")
        shutil.rmtree(self.place, ignore_errors=True)
        made = subprocess.run([self.hamsaya, "init", "demo", self.place], capture_output=True, text=True)
        if made.returncode != 0:
            fail(f"hamsaya init demo ended with {made.returncode}\n{made.stdout}{made.stderr}")
        settle_down(self.place)
        self.acknowledged = {}

    def says(self, name):
        """A chair says something; the moment at which it was answered, and its place. None: no answer, or a refusal."""
        node, now = NODES[name], time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        command = [self.hamsaya, "record", "append", f"{self.place}/{name.lower()}", "--dry-run", "--kind", "sitrep",
                   "--occurred", now, "--precision", "second", "--field", "sector_of=S1", "--field", f"day={now}"]
        signed = subprocess.run(node.within(command), capture_output=True)
        if signed.returncode != 0:
            fail(f"a statement cannot be signed: {signed.stdout + signed.stderr}")
        headers = {"content-type": "application/json"}
        status, _, body = at(node, lambda: ask(node, "POST", "/api/statements", signed.stdout.strip(), headers))
        if status != 200:
            fail(f"{name} answered {status}: {body}")
        answer, moment = json.loads(body), time.monotonic()
        self.acknowledged[answer["statement_id"]] = (answer["origin"], answer["index"])
        return moment, answer["index"], len(signed.stdout.strip())

    def sent_bytes(self):
        return {name: node.sent_bytes() for name, node in NODES.items()}

    def missing(self, name):
        """What was acknowledged and this node does not hold."""
        held, origins = {}, {origin for origin, _ in self.acknowledged.values()}
        for origin in origins:
            start = 0
            while start is not None:
                page = self.asked(name, f"/api/entries?origin={origin.replace('/', '%2F')}&from={start}&limit=1000")
                if page is None:
                    return set(self.acknowledged)
                held.update({e["statement_id"]: (origin, e["index"]) for e in page["entries"]})
                start = page.get("next")
        return {statement for statement, place in self.acknowledged.items() if held.get(statement) != place}

    def asked(self, name, path):
        """What a member's own chair or observer is answered; None: nothing."""
        node, office = NODES[name], "chair" if name.startswith("P") else "observer"
        command = [self.hamsaya, "ask", f"http://{node.address}:{PORT}{path}", "--as", f"{self.place}/{name.lower()}/keys/{office}.key"]
        answer = subprocess.run(node.within(command), capture_output=True)
        return json.loads(answer.stdout) if answer.returncode == 0 else None

    def heads(self, name):
        state = got(NODES[name], "/api/state")
        return sorted((head["origin"], head.get("published_size")) for head in state["heads"]) if state else None

    def agree(self):
        """Whether all hold all that was acknowledged and stand at the same heads."""
        heads = [self.heads(name) for name in KEEP_A_LOG]
        same = None not in heads and all(head == heads[0] for head in heads)
        return same and not any(self.missing(name) for name in KEEP_A_LOG)


def share(times, share):
    times = sorted(times)
    return times[min(len(times) - 1, math.ceil(len(times) * share) - 1)]


def idle(town, seconds):
    before = town.sent_bytes()
    time.sleep(seconds)
    sent = sum(town.sent_bytes().values()) - sum(before.values())
    say(f"at rest, heartbeats only: {sent * 60 / seconds / len(NODES):.0f} bytes a minute and node")


def measure(town, watch, rate, seconds):
    """Statements at this rate, until the last is published."""
    before, began, said = town.sent_bytes(), time.monotonic(), []
    for n in range(max(int(rate * seconds), 2)):
        time.sleep(max(0, began + n / rate - time.monotonic()))
        said.append(town.says("P1"))
    last = said[-1][1]
    until(lambda: watch.size() > last, 600, f"{rate}/s: P1's #{last} is not published")
    ended = time.monotonic()
    # The entry that carries the cosignatures, and everybody's copy of it.
    until(town.agree, 600, "not all nodes hold all that was acknowledged")
    sent = {name: bytes_ - before[name] for name, bytes_ in town.sent_bytes().items()}
    waits = [next(at for at, size in watch.published if size > index) - moment for moment, index, _ in said]
    size = sum(length for _, _, length in said) // len(said)
    say(f"{len(said)} statements of {size} bytes, one in {1 / rate:.0f} s: answered until a quorum's checkpoint covers it: "
        f"{share(waits, 0.5):.1f} s p50, {share(waits, 0.99):.1f} s p99, {max(waits):.1f} s most")
    say(f"  on the wire, all nodes: {sum(sent.values()) // len(said)} bytes a statement, "
        + ", ".join(f"{name} {count // len(said)}" for name, count in sent.items())
        + f"; the last on all nodes {time.monotonic() - ended:.0f} s after it was published")


def partition(town, air, seconds):
    say(f"P2 is cut off for {seconds} s; P1 and P2 go on saying things")
    air.cut.add("P2")
    end, said = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        town.says("P1")
        town.says("P2")
        said += 2
        time.sleep(12)
    if not town.missing("P2") or not town.missing("P1"):
        fail("the cut did not cut")
    air.cut.clear()
    healed = time.monotonic()
    until(town.agree, 600, "not all nodes hold all that was acknowledged after the cut")
    say(f"  healed: all {said} statements of that time are on all nodes after {time.monotonic() - healed:.0f} s")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("hamsaya")
    parser.add_argument("work")
    parser.add_argument("--kbit", type=float, default=64)
    parser.add_argument("--delay-ms", type=float, default=800, help="one way")
    parser.add_argument("--loss", type=float, default=5, help="of a hundred packets")
    parser.add_argument("--seed", type=int, default=1, help="of the losses")
    parser.add_argument("--rates", default="0.1,1", help="statements a second")
    parser.add_argument("--seconds", type=float, default=240, help="for each rate")
    parser.add_argument("--idle-s", type=float, default=120)
    parser.add_argument("--cut-s", type=float, default=180)
    asked = parser.parse_args()
    if not sys.platform.startswith("linux") or not shutil.which("nsenter"):
        skip("network namespaces and nsenter are Linux's", "run it on Linux, with util-linux")
    if os.geteuid() != 0:
        if subprocess.run(["unshare", "-Ur", "true"], capture_output=True).returncode != 0:
            skip("only root can make namespaces here", "run it as root, or allow user namespaces")
        os.execvp("unshare", ["unshare", "-Ur", sys.executable, *sys.argv])
    for number, name in enumerate(NAMES, 1):
        NODES[name] = Node(name, number)
    air = Air(NODES.values(), asked)
    air.start()
    try:
        play(Town(asked), air, asked)
    finally:
        end_all()


def play(town, air, asked):
    say(f"{asked.kbit:.0f} kbit/s each way, {asked.delay_ms:.0f} ms from node to node, {asked.loss:g} of 100 packets lost")
    began = time.monotonic()
    for node in NODES.values():
        node.start(town.hamsaya, town.place)
    watch = Watch(NODES["P1"])
    watch.start()
    until(lambda: watch.size() > 0, 300, "P1's founding is not published")
    town.says("P1")
    until(town.agree, 300, "not all nodes hold the first statement")
    say(f"started: the first statement is on all nodes after {time.monotonic() - began:.0f} s")
    idle(town, asked.idle_s)
    for rate in asked.rates.split(","):
        measure(town, watch, float(rate), asked.seconds)
    partition(town, air, asked.cut_s)
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    digests = {}

    def equal():
        digests.update({name: (town.asked(name, f"/api/digest?as_of={now}&known_by={now}") or {}).get("digest") for name in KEEP_A_LOG})
        return None not in digests.values() and len(set(digests.values())) == 1

    until(equal, 120, f"verdicts differ: {digests}")
    say(f"{len(town.acknowledged)} statements acknowledged in all: all are on all nodes, one digest {digests['P1'][:16]}")
    say(f"packets carried {air.carried}, lost {air.lost}, too many waiting {air.choked}; {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
