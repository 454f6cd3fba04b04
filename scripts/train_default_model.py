"""Trains the built-in default model: a small GPT-2 with GPT-2's own tokenizer, on a CPU.

    python scripts/train_default_model.py --corpus DIR --out DIR [--minutes 65] [--init CKPT]

DIR of the corpus holds stories.txt, picture-books.txt, fairy-tales.txt and stories-heldout.txt:
documents separated by a line with <|endoftext|>. weights/README.md says what they were. The result is
an ordinary GPT-2 folder (config.json, model.safetensors in BF16, vocab.json, merges.txt), and beside it
OUT.ckpt, from which --init goes on. Needs torch, numpy, tokenizers, safetensors (requirements.txt).

The vocabulary keeps all 50,257 ids, but the text uses about 13,600 of them. Training therefore keeps
one row of wte for each used id and one shared row for all others: its logit gets log(number of unused
ids) added, which makes the loss exactly that of the full softmax with the row repeated. The export
repeats the row.

The committed weights: once with --batch 16, then --batch 8 --minutes 50 --init on its checkpoint;
about 75 minutes on 2 cores with AMX, 4,000 tokens/s in bf16 autocast with torch.compile and these
allocator settings (without them the kernel maps and clears hundreds of MB in every step):

    GLIBC_TUNABLES=glibc.malloc.hugetlb=1 MALLOC_MMAP_MAX_=0 \
    MALLOC_TRIM_THRESHOLD_=100000000000 MALLOC_TOP_PAD_=100000000

The wall clock sets the number of steps and the learning rate, so another run gives other weights.
"""

import argparse
import json
import math
import pathlib
import shutil
import time

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from tokenizers import ByteLevelBPETokenizer
from torch import nn

N_LAYER, N_HEAD, N_EMBD, N_CTX, N_VOCAB, EOT = 12, 12, 192, 1024, 50257, 50256
D_HEAD = N_EMBD // N_HEAD
TEXTS = ("stories", "picture-books", "fairy-tales")
HELD_OUT = "stories-heldout"
SEED = 1337


# ---- model ----------------------------------------------------------------------------------------


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(N_EMBD), nn.LayerNorm(N_EMBD)
        self.c_attn = nn.Linear(N_EMBD, 3 * N_EMBD)
        self.attn_c_proj = nn.Linear(N_EMBD, N_EMBD)
        self.c_fc = nn.Linear(N_EMBD, 4 * N_EMBD)
        self.mlp_c_proj = nn.Linear(4 * N_EMBD, N_EMBD)
        # GPT-2's 0.02 belongs to width 768; what writes to the residual stream is scaled by depth.
        std = 0.02 * math.sqrt(768 / N_EMBD)
        std_residual = std / math.sqrt(2 * N_LAYER)
        for linear, s in (
            (self.c_attn, std),
            (self.c_fc, std),
            (self.attn_c_proj, std_residual),
            (self.mlp_c_proj, std_residual),
        ):
            nn.init.normal_(linear.weight, std=s)
            nn.init.zeros_(linear.bias)

    def forward(self, x, mask):
        b, t, _ = x.shape
        qkv = self.c_attn(self.ln_1(x)).view(b, t, 3, N_HEAD, D_HEAD)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        # Plain matmuls: faster here than the fused kernel.
        att = (q * D_HEAD**-0.5) @ k.transpose(-1, -2) + mask
        y = (F.softmax(att, -1, dtype=torch.bfloat16) @ v).transpose(1, 2).reshape(b, t, N_EMBD)
        x = x + self.attn_c_proj(y)
        return x + self.mlp_c_proj(F.gelu(self.c_fc(self.ln_2(x)), approximate="tanh"))


class GPT2(nn.Module):
    """Row n_used of wte stands for every unused id."""

    def __init__(self, n_used):
        super().__init__()
        self.n_used = n_used
        self.wte, self.wpe = nn.Embedding(n_used + 1, N_EMBD), nn.Embedding(N_CTX, N_EMBD)
        nn.init.normal_(self.wte.weight, std=0.03)
        nn.init.normal_(self.wpe.weight, std=0.01)
        self.h = nn.ModuleList(Block() for _ in range(N_LAYER))
        self.ln_f = nn.LayerNorm(N_EMBD)
        bias = torch.zeros(n_used + 1)
        bias[n_used] = math.log(N_VOCAB - n_used)
        self.register_buffer("bias", bias)
        causal = torch.full((N_CTX, N_CTX), float("-inf")).triu(1)
        self.register_buffer("mask", causal.bfloat16())

    def forward(self, x, y, pos):
        t = x.shape[1]
        h = self.wte(x) + self.wpe(pos)
        for block in self.h:
            h = block(h, self.mask[:t, :t])
        logits = F.linear(self.ln_f(h), self.wte.weight) + self.bias
        logits = logits.float().view(-1, self.n_used + 1)
        return F.cross_entropy(logits, y.reshape(-1), ignore_index=self.n_used)


# ---- text -----------------------------------------------------------------------------------------


def read_ids(path, tokenizer):
    """The ids of all documents of a file, each after <|endoftext|>."""
    ids = []
    for document in path.read_text(encoding="utf8").split("<|endoftext|>"):
        ids += [EOT] + tokenizer.encode(document.strip()).ids
    return np.array(ids)


def used_ids(ids):
    """Ids that get a row of their own: seen often, in any story, or a single byte."""
    count = np.bincount(np.concatenate(list(ids.values())), minlength=N_VOCAB)
    in_stories = np.unique(np.concatenate([ids["stories"], ids[HELD_OUT]]))
    used = np.union1d(np.where(count >= 4)[0], in_stories)
    return np.union1d(used, np.append(np.arange(256), EOT))


def draw_batch(ids, n_seq, n_tok):
    starts = torch.randint(0, len(ids) - n_tok - 1, (n_seq,)).tolist()
    rows = torch.stack([ids[s : s + n_tok + 1] for s in starts])
    return rows[:, :-1].contiguous(), rows[:, 1:].contiguous()


# ---- result ---------------------------------------------------------------------------------------

CONFIG = {
    "architectures": ["GPT2LMHeadModel"],
    "model_type": "gpt2",
    "activation_function": "gelu_new",
    "n_layer": N_LAYER,
    "n_head": N_HEAD,
    "n_embd": N_EMBD,
    "n_positions": N_CTX,
    "n_ctx": N_CTX,
    "vocab_size": N_VOCAB,
    "layer_norm_epsilon": 1e-5,
    "bos_token_id": EOT,
    "eos_token_id": EOT,
    "attn_pdrop": 0.0,
    "embd_pdrop": 0.0,
    "resid_pdrop": 0.0,
    "initializer_range": 0.02,
    "scale_attn_weights": True,
    "tie_word_embeddings": True,
    "dtype": "bfloat16",
}

CHECKPOINT_NAMES = {
    "ln_1": "ln_1",
    "ln_2": "ln_2",
    "c_attn": "attn.c_attn",
    "attn_c_proj": "attn.c_proj",
    "c_fc": "mlp.c_fc",
    "mlp_c_proj": "mlp.c_proj",
}


def export(net, used, tokenizer_dir, out):
    """Writes the Hugging Face folder. Its matrices (Conv1D) are [n_in][n_out]."""
    out.mkdir(parents=True, exist_ok=True)
    wte = net.wte.weight[net.n_used].repeat(N_VOCAB, 1)
    wte[torch.from_numpy(used)] = net.wte.weight[: net.n_used]
    tensors = {
        "wte.weight": wte,
        "wpe.weight": net.wpe.weight,
        "ln_f.weight": net.ln_f.weight,
        "ln_f.bias": net.ln_f.bias,
    }
    for il, block in enumerate(net.h):
        for ours, theirs in CHECKPOINT_NAMES.items():
            module = getattr(block, ours)
            matrix = module.weight if ours.startswith("ln") else module.weight.t()
            tensors[f"h.{il}.{theirs}.weight"] = matrix
            tensors[f"h.{il}.{theirs}.bias"] = module.bias
    tensors = {k: v.detach().to(torch.bfloat16).contiguous() for k, v in tensors.items()}
    save_file(tensors, out / "model.safetensors", metadata={"format": "pt"})
    (out / "config.json").write_text(json.dumps(CONFIG, indent=2) + "\n")
    for name in ("vocab.json", "merges.txt"):
        shutil.copy(tokenizer_dir / name, out)


# ---- training -------------------------------------------------------------------------------------


def learning_rate(peak, step, done, hold):
    """Warm-up of 60 steps, constant for the share `hold` of the time, then a cosine to 2%."""
    decay = 1.0
    if done >= hold:
        decay = 0.02 + 0.49 * (1 + math.cos(math.pi * (done - hold) / (1 - hold)))
    return peak * min(1, (step + 1) / 60) * decay


def mixture(done):
    """Shares of the three texts: the stories, which the model is to imitate, come to the fore."""
    if done < 0.4:
        return 0.6, 0.12, 0.28
    if done < 0.75:
        return 0.75, 0.12, 0.13
    return 0.9, 0.1, 0.0


def train(net, data, args):
    matrices = [p for p in net.parameters() if p.dim() > 1]
    vectors = [p for p in net.parameters() if p.dim() < 2]
    optimizer = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}],
        args.lr,
        betas=(0.9, 0.95),
        fused=True,
    )
    loss_of = torch.compile(net, dynamic=False)

    @torch.no_grad()
    def held_out(n_batches):
        loss = 0.0
        for _ in range(n_batches):
            with torch.autocast("cpu", torch.bfloat16):
                loss += loss_of(*draw_batch(data[HELD_OUT], args.batch, 256), torch.arange(256)).item()
        return loss / n_batches

    start, step, n_trained = time.time(), 0, 0
    while (done := (time.time() - start) / (args.minutes * 60)) < 1:
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(args.lr, step, done, args.hold)
        name = TEXTS[np.random.choice(3, p=mixture(done))]
        n_tok, n_seq = (N_CTX, max(1, args.batch // 4)) if step % 12 == 11 else (256, args.batch)
        # Short sequences begin anywhere now and then, so that every position gets trained.
        first = 0
        if n_tok < N_CTX and np.random.rand() > 0.7:
            first = int(np.random.randint(0, N_CTX - n_tok + 1))
        with torch.autocast("cpu", torch.bfloat16):
            x, y = draw_batch(data[name], n_seq, n_tok)
            loss = loss_of(x, y, torch.arange(first, first + n_tok))
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        step += 1
        n_trained += n_seq * n_tok
        if step % 500 == 0:
            print(
                f"step {step} tokens {n_trained / 1e6:.1f}M loss {loss.item():.3f}"
                f" held-out {held_out(12):.3f}",
                flush=True,
            )
    print(f"held-out loss {held_out(40):.4f} after {n_trained / 1e6:.1f}M tokens")


def main():
    here = pathlib.Path(__file__).resolve().parent.parent
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--corpus", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument(
        "--tokenizer",
        type=pathlib.Path,
        default=here / "weights" / "default",
        help="folder of vocab.json and merges.txt",
    )
    parser.add_argument("--minutes", type=float, default=65)
    parser.add_argument("--batch", type=int, default=8, help="sequences of 256 tokens in a step")
    parser.add_argument("--lr", type=float, default=1.6e-3)
    parser.add_argument("--hold", type=float, default=0.15, help="share of the time at full --lr")
    parser.add_argument("--init", type=pathlib.Path, help="checkpoint to go on from")
    args = parser.parse_args()

    torch.manual_seed(SEED)
    np.random.seed(SEED)
    tokenizer = ByteLevelBPETokenizer(
        str(args.tokenizer / "vocab.json"), str(args.tokenizer / "merges.txt")
    )
    ids = {n: read_ids(args.corpus / f"{n}.txt", tokenizer) for n in (*TEXTS, HELD_OUT)}
    used = used_ids(ids)
    row = np.full(N_VOCAB, len(used))
    row[used] = np.arange(len(used))
    data = {n: torch.from_numpy(row[v]) for n, v in ids.items()}

    net = GPT2(len(used))
    if args.init:
        net.load_state_dict(torch.load(args.init))
    train(net, data, args)
    torch.save(net.state_dict(), args.out.with_name(args.out.name + ".ckpt"))
    export(net, used, args.tokenizer, args.out)


if __name__ == "__main__":
    main()
