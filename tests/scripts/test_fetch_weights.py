"""scripts/fetch_weights against a server in this process: whole, resumed, broken, wrong and refused."""

import hashlib
import http.server
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import threading

SCRIPT = pathlib.Path(__file__).resolve().parent.parent.parent / "scripts" / "fetch_weights"
PREFIX = "/openai-community/gpt2/resolve/main/"
FILES = {
    "config.json": b'{"model_type": "gpt2"}\n',
    "vocab.json": random.Random(1).randbytes(50_000),
    "merges.txt": random.Random(2).randbytes(40_000),
    "model.safetensors": random.Random(3).randbytes(700_000),
}
failures = 0


class Server(http.server.BaseHTTPRequestHandler):
    ranges = True  # answers Range requests
    stop_after = None  # breaks the connection after so many bytes of the large file
    wrong = None  # name of a file that comes with other bytes
    missing = None  # name of a file that is not there
    requests = []

    def do_GET(self):
        name = self.path.removeprefix(PREFIX)
        begin = self.headers.get("Range", "")
        begin = int(begin[len("bytes=") :].rstrip("-")) if begin and self.ranges else 0
        self.requests.append((name, begin))
        if name not in FILES or name == self.missing:
            self.send_error(404)
            return
        data = FILES[name]
        if name == self.wrong:
            data = data[:-1] + b"?"
        if begin >= len(data):
            self.send_error(416)
            return
        self.send_response(206 if begin else 200)
        self.send_header("Content-Length", str(len(data) - begin))
        if begin:
            self.send_header("Content-Range", f"bytes {begin}-{len(data) - 1}/{len(data)}")
        self.end_headers()
        data = data[begin:]
        if self.stop_after is not None and name == "model.safetensors":
            data = data[: self.stop_after]
        try:
            self.wfile.write(data)
        except ConnectionError:  # curl gives up on a server that cannot go on in the middle
            pass

    def log_message(self, *args):
        pass


def check(ok, what, *details):
    global failures
    if not ok:
        failures += 1
        print("FAIL", what, *details)


def main():
    if not shutil.which("curl"):
        print("curl is not installed")
        sys.exit(77)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as tmp:
        folder = pathlib.Path(tmp) / "with space" / "gpt2"
        sums = pathlib.Path(tmp) / "sums"
        sums.write_text(
            "".join(
                f"{hashlib.sha256(FILES[n]).hexdigest()}  gpt2/{n}\n"
                for n in ("vocab.json", "merges.txt", "model.safetensors")
            )
        )
        environment = {k: v for k, v in os.environ.items() if "proxy" not in k.lower()}
        environment["HF_ENDPOINT"] = f"http://127.0.0.1:{server.server_port}"

        def fetch(endpoint=None):
            env = environment | ({"HF_ENDPOINT": endpoint} if endpoint else {})
            del Server.requests[:]
            done = subprocess.run(
                ["sh", str(SCRIPT), "--into", str(folder), "--sums", str(sums)],
                env=env, capture_output=True, text=True, cwd=tmp, timeout=60,
            )  # fmt: skip
            return done.returncode, done.stderr

        def complete(what):
            for name, data in FILES.items():
                path = folder / name
                check(path.exists() and path.read_bytes() == data, what, name)
            left = [p.name for p in folder.iterdir() if p.name not in FILES]
            check(not left, what, "left behind:", left)

        # A connection that breaks, then the rest
        Server.stop_after = 300_000
        code, err = fetch()
        check(code == 1 and "run this again" in err, "broken connection", code, err)
        check(not (folder / "model.safetensors").exists(), "broken connection leaves no model")
        Server.stop_after = None
        code, err = fetch()
        check(code == 0, "resumed", code, err)
        starts = [begin for name, begin in Server.requests if name == "model.safetensors"]
        check(starts and starts[0] > 0, "resumed from", Server.requests)
        complete("resumed")

        # Nothing to do
        code, err = fetch()
        check(code == 0 and not Server.requests, "second run", code, err, Server.requests)

        # A file here that is damaged is fetched anew
        (folder / "merges.txt").write_bytes(b"damaged")
        code, err = fetch()
        check(code == 0, "damaged file", code, err)
        complete("damaged file")

        # A server without ranges, and an unfinished part: from the beginning
        Server.ranges = False
        (folder / "model.safetensors").rename(folder / "model.safetensors.part")
        os.truncate(folder / "model.safetensors.part", 100_000)
        code, err = fetch()
        check(code == 0, "no ranges", code, err)
        complete("no ranges")
        Server.ranges = True

        # A part that is whole but was never renamed
        (folder / "model.safetensors").rename(folder / "model.safetensors.part")
        code, err = fetch()
        check(code == 0 and not Server.requests, "whole part", code, err, Server.requests)
        complete("whole part")

        # A part that is longer than the file
        (folder / "model.safetensors").unlink()
        (folder / "model.safetensors.part").write_bytes(bytes(800_000))
        code, err = fetch()
        check(code == 0, "long part", code, err)
        complete("long part")

        # Other bytes than the published ones
        (folder / "model.safetensors").unlink()
        Server.wrong = "model.safetensors"
        code, err = fetch()
        check(code == 1 and "sha256" in err, "wrong bytes", code, err)
        check(not list(folder.glob("model.safetensors*")), "wrong bytes are removed")
        Server.wrong = None

        Server.missing = "model.safetensors"
        code, err = fetch()
        check(code == 1 and "refused" in err, "missing on the server", code, err)
        Server.missing = None

        code, err = fetch("http://127.0.0.1:1")
        check(code == 1 and "no connection" in err, "no server", code, err)
    server.shutdown()
    sys.exit(failures > 0)


main()
