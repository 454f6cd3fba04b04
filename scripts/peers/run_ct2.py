"""CTranslate2's Generator. It has no step call: decode is the difference of a long and a short run."""
import json
import random
import time

import common

a = common.arguments()
import ctranslate2  # noqa: E402

generator = ctranslate2.Generator(a.model, device="cpu", inter_threads=1, intra_threads=a.threads,
                                  compute_type={"f32": "float32", "int8": "int8"}[a.dtype])
if a.cold:
    print(generator.generate_batch([["hello"] * 16], max_length=1, include_prompt_in_result=False, beam_size=1,
                                   sampling_topk=1)[0].sequences_ids)
    raise SystemExit
with open(a.model + "/vocabulary.json", encoding="utf8") as f:
    vocabulary = json.load(f)[:50000]
random.seed(1)


def seconds(n_seq, depth, n_new):
    prompts = [random.choices(vocabulary, k=depth) for _ in range(n_seq)]
    begin = time.perf_counter()
    results = generator.generate_batch(prompts, max_length=n_new, min_length=n_new, include_prompt_in_result=False,
                                       beam_size=1, sampling_topk=1, max_batch_size=0, end_token=[50256])
    took = time.perf_counter() - begin
    made = [len(r.sequences_ids[0]) for r in results]
    if made != [n_new] * n_seq:
        raise SystemExit(f"asked for {n_new} tokens of {n_seq} sequences, got {made}")
    return took


def prefill(n):
    return n / seconds(1, n, 1)


def decode(n_seq, depth, n_new):
    return n_seq * n_new / (seconds(n_seq, depth, n_new + 1) - seconds(n_seq, depth, 1))


common.measure(a, "CTranslate2", ctranslate2.__version__, prefill, decode)
