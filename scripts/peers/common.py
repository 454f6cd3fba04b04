"""What the peers' runners share: options, the form of a result line, and the repetitions.

A runner measures, for one engine in one precision,
  prefillN   N tokens to the logits of the last position, tokens/s
  decode@N   greedy tokens with a cache after an N-token prompt, prefill excluded, tokens/s
  batchB@16  the same for B sequences at once, tokens/s of all together
  cold       nothing here: one token of a 16-token prompt, timed from outside by bench_peers
and prints one JSON line a metric: {"engine", "ver", "dtype", "threads", "metric", "vals", "rss_mib"}.
"""
import argparse
import json
import resource


def arguments():
    ap = argparse.ArgumentParser()
    ap.add_argument("--model", required=True, help="the engine's own form of the model")
    ap.add_argument("--dtype", required=True)
    ap.add_argument("--threads", type=int, required=True)
    ap.add_argument("--reps", type=int, default=3)
    ap.add_argument("--tokens", type=int, default=64, help="tokens of one decode measurement")
    ap.add_argument("--prefill", default="512,1023")
    ap.add_argument("--depth", default="16,512")
    ap.add_argument("--batch", default="8,16")
    ap.add_argument("--cold", action="store_true", help="one token of a 16-token prompt, then exit")
    a = ap.parse_args()
    for name in ("prefill", "depth", "batch"):
        setattr(a, name, [int(x) for x in getattr(a, name).split(",") if x])
    return a


def measure(a, engine, version, prefill, decode):
    """prefill(n) and decode(n_seq, depth, n_new) return tokens/s of one run."""

    def report(metric, vals):
        rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        print(json.dumps({"engine": engine, "ver": version, "dtype": a.dtype, "threads": a.threads, "metric": metric,
                          "vals": [round(v, 2) for v in vals], "rss_mib": rss}), flush=True)

    for n in a.prefill:
        prefill(n)  # warm-up
        report(f"prefill{n}", [prefill(n) for _ in range(a.reps)])
    for n in a.depth:
        decode(1, n, 8)
        report(f"decode@{n}", [decode(1, n, a.tokens) for _ in range(a.reps)])
    for b in a.batch:
        decode(b, 16, 4)
        report(f"batch{b}@16", [decode(b, 16, min(a.tokens, 48)) for _ in range(a.reps)])
