#!/usr/bin/env python3
"""A disk that runs full under the real program, page by page. `make test-full` builds it and runs this.

    full.py HAMSAYA WORK [--pages 0,4,8,16]

The five nodes of `hamsaya init demo` run on loopback; P1's folder is a small tmpfs. For each number of pages left a filler takes
all the rest and P1 is told things until it says 503 `paused`; with more pages the disk runs full further on in a commit, or room
comes by itself when staging is cleared, and is used up. Then P1 must live, answer what is read and
sign nothing; once the filler is gone it takes what it did not take, in the same process. At the end P1 is killed: every byte
fits and every acknowledged statement stands at its index.
"""
import argparse, errno, json, os, shutil, subprocess, sys, time, urllib.error, urllib.request
import faults

DISK_BYTES = 16 << 20
PAGE = 4096


def say(text):
    print("full:", text, flush=True)


def fail(text):
    print("full: FAILED:", text, flush=True)
    sys.exit(1)


faults.say, faults.fail = say, fail


class Town(faults.Town):
    """P1's folder is on a disk of its own, and small."""

    def start(self, name):
        folder = f"{self.place}/{name}"
        if name == "p1" and not os.path.ismount(folder):
            os.rename(folder, f"{folder}.made")
            os.mkdir(folder)
            subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", folder], check=True)
            shutil.copytree(f"{folder}.made", folder, dirs_exist_ok=True)
        super().start(name)

    def fill(self, pages):
        """Leaves so many pages."""
        with open(f"{self.place}/p1/filler", "wb", buffering=0) as filler:
            try:
                while True:
                    filler.write(b"." * PAGE)
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
            filler.truncate(max(0, filler.tell() - pages * PAGE))

    def empty(self):
        os.remove(f"{self.place}/p1/filler")

    def lock(self):
        return open(f"{self.place}/p1/log/lock", "rb").read()

    def signed(self):
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        return self.command("record", "append", f"{self.place}/p1", "--dry-run", "--kind", "sitrep", "--occurred", now,
                            "--precision", "second", "--field", "sector_of=S1", "--field", f"day={now}").strip()

    def send(self, statement):
        """Status and answer."""
        headers = {"content-type": "application/json"}
        request = urllib.request.Request(f"{self.url}/api/statements", statement.encode(), headers)
        try:
            with faults.OPENER.open(request, timeout=30) as answer:
                told = json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)
        self.acknowledged[told["statement_id"]] = told["index"]
        return 200, told


def one(town, pages):
    """How many statements were taken before it was full."""
    # What was said before is put in its place: that, too, would take room.
    time.sleep(6)
    town.rest()
    town.fill(pages)
    taken, rounds, statement = 0, 0, town.signed()
    while True:
        status, told = town.send(statement)
        if status == 200:
            taken, statement = taken + 1, town.signed()
            if taken > 200:
                fail(f"{pages} pages left: the disk does not run full")
            continue
        if (status, told["type"]) != (503, "urn:hamsaya:problem:paused"):
            fail(f"{pages} pages left: found {status} {told}, expected 503 paused")
        # What the public may read: a restricted read is written down, which takes room, or it is not answered.
        for path in ["/api/state", "/api/entries"]:
            if town.get(path) is None:
                fail(f"{pages} pages left: {path} is not answered")
        lock = town.lock()
        time.sleep(2.5)
        again = town.send(statement)[0]
        if again == 503 and town.lock() == lock:
            break
        # Staging was cleared meanwhile, so that there was room for one more.
        rounds += 1
        if rounds > 20:
            fail(f"{pages} pages left: the disk does not stay full")
        if again == 200:
            taken, statement = taken + 1, town.signed()
    alarms = town.get("/api/state")["alarms"]
    if not any("no room" in alarm for alarm in alarms):
        fail(f"{pages} pages left: no alarm says so: {alarms}")
    if town.nodes["p1"].poll() is not None:
        fail(f"{pages} pages left: the process ended")
    town.empty()
    faults.until(lambda: town.send(statement)[0] == 200, 30, f"{pages} pages left: nothing is taken when there is room again")
    return taken


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("hamsaya")
    parser.add_argument("work")
    parser.add_argument("--pages", default="0,2,4,8,12,16,20,24,28,32,40,48,56,64", help="left, in each round")
    asked = parser.parse_args()
    if "HAMSAYA_MOUNTS" not in os.environ:
        how = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-Urm"]
        if not shutil.which("unshare") or subprocess.run([*how, "true"], capture_output=True).returncode != 0:
            say("SKIPPED: nothing can be mounted here; hint: run it as root, or allow user namespaces")
            return
        os.environ["HAMSAYA_MOUNTS"] = "own"
        os.execvp(how[0], [*how, sys.executable, *sys.argv])
    place = os.path.join(os.path.abspath(asked.work), "town")
    shutil.rmtree(place, ignore_errors=True)
    town = Town(os.path.abspath(asked.hamsaya), place)
    try:
        begun = time.monotonic()
        faults.until(lambda: town.send(town.signed())[0] == 200, 60, "P1 takes nothing")
        taken = [one(town, int(pages)) for pages in asked.pages.split(",")]
        say(f"{asked.pages} pages left: 503 each time, nothing signed, reading goes on, and all is taken when there "
            f"is room again; taken before: {' '.join(map(str, taken))}")
        town.rest()
        town.nodes["p1"].kill()
        town.nodes["p1"].wait()
        town.must_hold("after all that")
        say(f"{len(town.acknowledged)} statements acknowledged, all are there and every byte fits; {time.monotonic() - begun:.0f} s")
    finally:
        town.end()
        subprocess.run(["umount", f"{place}/p1"], capture_output=True)


if __name__ == "__main__":
    main()
