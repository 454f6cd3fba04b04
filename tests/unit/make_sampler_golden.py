#!/usr/bin/env python3
"""Writes sampler_golden.h: what the processors of Hugging Face generate() make of fixed logits.

Each case runs the processor list that generate() itself builds from the options. Needs torch and
transformers 5.x. Usage: make_sampler_golden.py > sampler_golden.h
"""
import sys

import torch
import transformers
from transformers import GPT2Config, GPT2LMHeadModel, GenerationConfig


def logits(n_vocab, step):
    """Multiples of `step` from -16 to 16: exact in float32, with ties when the step is coarse."""
    x = [(i * 2654435761 + 12345) % (1 << 32) / (1 << 32) for i in range(n_vocab)]
    return torch.tensor([[round((v * v * 32 - 16) / step) * step for v in x]], dtype=torch.float32)


HISTORY = [3, 17, 4, 5, 17, 4, 9, 3, 17]
CASES = [  # name, vocabulary, step, options, history, prompt length
    ("plain", 97, 0.5, {}, HISTORY, 9),
    ("bias", 97, 0.5, {"sequence_bias": [[[5], 2.25], [[0], -3.5], [[96], 40.0]]}, HISTORY, 9),
    ("repetition", 97, 0.5, {"repetition_penalty": 1.3}, HISTORY, 4),
    ("repetition_reward", 97, 0.5, {"repetition_penalty": 0.7}, HISTORY, 4),
    ("ngram_1", 97, 0.5, {"no_repeat_ngram_size": 1}, HISTORY, 4),
    ("ngram_2", 97, 0.5, {"no_repeat_ngram_size": 2}, HISTORY, 4),
    ("ngram_3", 97, 0.5, {"no_repeat_ngram_size": 3}, [3, 17, 4, 5, 3, 17], 4),
    ("ngram_long", 97, 0.5, {"no_repeat_ngram_size": 30}, HISTORY, 4),
    ("bad_words", 97, 0.5, {"bad_words_ids": [[7], [3, 17, 50], [17, 51], [4, 17, 52], [96]]}, HISTORY, 4),
    ("min_new", 97, 0.5, {"min_new_tokens": 6}, HISTORY, 4),
    ("min_new_reached", 97, 0.5, {"min_new_tokens": 5}, HISTORY, 4),
    ("greedy", 97, 0.5, {"do_sample": False, "repetition_penalty": 1.3}, HISTORY, 4),
    ("temperature", 97, 0.5, {"temperature": 0.7}, HISTORY, 9),
    ("top_k", 97, 0.001, {"top_k": 10}, HISTORY, 9),
    ("top_k_ties", 97, 4.0, {"top_k": 5}, HISTORY, 9),
    ("top_k_1", 97, 0.5, {"top_k": 1}, HISTORY, 9),
    ("top_k_over", 97, 0.5, {"top_k": 500}, HISTORY, 9),
    ("top_p", 97, 0.001, {"top_p": 0.9}, HISTORY, 9),
    ("top_p_tiny", 97, 0.001, {"top_p": 0.001}, HISTORY, 9),
    ("top_p_zero", 97, 0.001, {"top_p": 0.0}, HISTORY, 9),
    ("min_p", 97, 0.001, {"min_p": 0.05}, HISTORY, 9),
    ("min_p_one", 97, 0.5, {"min_p": 1.0}, HISTORY, 9),
    ("typical", 97, 0.001, {"typical_p": 0.6, "temperature": 3.0}, HISTORY, 9),
    ("typical_top_k", 97, 0.001, {"typical_p": 0.9, "top_k": 12}, HISTORY, 9),
    ("all", 97, 0.001, {"sequence_bias": [[[5], 2.25]], "repetition_penalty": 1.2, "no_repeat_ngram_size": 2,
                        "bad_words_ids": [[17, 51]], "min_new_tokens": 9, "temperature": 1.7, "top_k": 40,
                        "top_p": 0.98, "min_p": 0.01, "typical_p": 0.95}, HISTORY, 4),
    ("wide_top_k", 50257, 0.001, {"temperature": 0.8, "top_k": 50, "top_p": 0.95}, HISTORY, 9),
    ("wide_top_p", 50257, 0.001, {"temperature": 0.3, "top_p": 0.2}, HISTORY, 9),
    ("wide_typical", 50257, 0.001, {"temperature": 0.2, "typical_p": 0.1}, HISTORY, 9),
]


def run(n_vocab, step, options, history, n_prompt):
    model = GPT2LMHeadModel(GPT2Config(n_layer=1, n_head=1, n_embd=2, n_positions=64, vocab_size=n_vocab,
                                       bos_token_id=n_vocab - 1, eos_token_id=n_vocab - 1))
    config = GenerationConfig(**{"do_sample": True, "top_k": 0, "temperature": 1.0, "top_p": 1.0,
                                 "eos_token_id": n_vocab - 1, "pad_token_id": n_vocab - 1, **options})
    model._prepare_special_tokens(config, kwargs_has_attention_mask=True)
    ids = torch.tensor([history])
    processors = model._get_logits_processor(config, input_ids_seq_length=n_prompt, encoder_input_ids=ids,
                                             prefix_allowed_tokens_fn=None, logits_processor=[], device="cpu")
    return processors(ids, logits(n_vocab, step))[0]


def c_ints(values):
    return "{" + ", ".join(str(v) for v in values) + "}"


def main():
    out = sys.stdout.write
    out("/* Made by make_sampler_golden.py with torch %s and transformers %s; do not edit. */\n"
        % (torch.__version__.split("+")[0], transformers.__version__))
    rows = []
    for name, n_vocab, step, options, history, n_prompt in CASES:
        scores = run(n_vocab, step, options, history, n_prompt)
        kept = torch.nonzero(scores > -float("inf")).flatten().tolist()
        bias = [(t[0], b) for t, b in options.get("sequence_bias", [])]
        words = options.get("bad_words_ids", [])
        out("static const gpt2c_token history_%s[] = %s;\n" % (name, c_ints(history)))
        out("static const struct kept kept_%s[] = {\n" % name)
        for i in range(0, len(kept), 4):
            out("    " + " ".join("{%d, %sf}," % (k, float(scores[k]).hex()) for k in kept[i:i + 4]) + "\n")
        out("};\n")
        if bias:
            out("static const gpt2c_logit_bias bias_%s[] = {%s};\n"
                % (name, ", ".join("{%d, %rf}" % b for b in bias)))
        if words:
            for i, w in enumerate(words):
                out("static const gpt2c_token word_%s_%d[] = %s;\n" % (name, i, c_ints(w)))
            out("static const gpt2c_token_list words_%s[] = {%s};\n"
                % (name, ", ".join("{word_%s_%d, %d}" % (name, i, len(w)) for i, w in enumerate(words))))
        temperature = options.get("temperature", 1.0) if options.get("do_sample", True) else 0
        rows.append(
            '    {"%s", %d, %r, history_%s, %d, %d, kept_%s, %d,\n'
            "     {.bias = %s, .n_bias = %d, .repetition_penalty = %r, .no_repeat_ngram_size = %d,\n"
            "      .bad_words = %s, .n_bad_words = %d, .min_new_tokens = %d, .eos = %d,\n"
            "      .temperature = %r, .top_k = %d, .top_p = %r, .min_p = %r, .typical_p = %r}},\n"
            % (name, n_vocab, step, name, len(history), n_prompt, name, len(kept),
               "bias_" + name if bias else "NULL", len(bias), options.get("repetition_penalty", 1.0),
               options.get("no_repeat_ngram_size", 0), "words_" + name if words else "NULL", len(words),
               options.get("min_new_tokens", 0), n_vocab - 1, temperature, options.get("top_k", 0),
               options.get("top_p", 1.0), options.get("min_p", 0.0), options.get("typical_p", 1.0)))
    out("static const struct golden goldens[] = {\n%s};\n" % "".join(rows))


if __name__ == "__main__":
    main()
