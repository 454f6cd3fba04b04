/* gpt2c: GPT-2 on the CPU, and a look inside it.
 *
 * This header is the whole API and its manual.
 *
 *   gpt2c_error err;
 *   gpt2c_model *model = NULL;
 *   gpt2c_tokenizer *tk = NULL;
 *   gpt2c_session *s = NULL;
 *   gpt2c_token tok[64];
 *   size_t n_tok = 0;
 *   if (gpt2c_model_open(&model, "weights/default", NULL, &err) ||
 *       gpt2c_tokenizer_open(&tk, "weights/default", &err) ||
 *       gpt2c_session_create(&s, model, NULL, &err) ||
 *       gpt2c_tokenizer_encode(tk, "The dog", 7, GPT2C_SPECIAL_ALLOW, tok, 64, &n_tok, &err) ||
 *       gpt2c_session_eval(s, tok, (int32_t)n_tok, &err))
 *       fprintf(stderr, "%s\n", err.msg);
 *   else
 *       printf("%g\n", gpt2c_session_logits(s, 0)[13]);
 *   gpt2c_session_free(&s);
 *   gpt2c_tokenizer_close(&tk);
 *   gpt2c_model_close(&model);
 *
 * Three objects. A model is a file's weights and a tokenizer its vocabulary: both are immutable and
 * may be shared by any number of threads. A session is a timeline on a model: KV caches, positions
 * and the logits of the last evaluation; one thread at a time.
 *
 * Errors: every function that can fail returns a gpt2c_status, GPT2C_OK (0) or negative, and writes
 * one line of text into the caller's gpt2c_error; `err` may be NULL everywhere. The library never
 * exits, aborts, prints, reads the environment, or installs handlers.
 *
 * Shapes are row-major, [rows][columns]; sizes count elements unless the name ends in _bytes.
 * "Borrowed until X" means the pointer stays valid until X happens. Functions that end a life take
 * the address of the handle, accept NULL in it, and set it to NULL.
 */
#ifndef GPT2C_H
#define GPT2C_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32)
#define GPT2C_API
#else
#define GPT2C_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- status ---------------------------------------------------------------------------------- */

typedef enum gpt2c_status {
    GPT2C_OK = 0,
    GPT2C_E_ARG = -1,         /* an argument is out of range or contradicts another          */
    GPT2C_E_IO = -2,          /* the operating system refused a file, or a file shrank       */
    GPT2C_E_FORMAT = -3,      /* a model or tokenizer file breaks its format                 */
    GPT2C_E_UNSUPPORTED = -4, /* a well-formed file asks for what is not implemented         */
    GPT2C_E_NOMEM = -5,       /* memory, or the size of what was asked for                   */
    GPT2C_E_CONTEXT = -6,     /* more positions than the cache or the model has              */
    GPT2C_E_NUMERIC = -7,     /* NaN or infinity; the text names the layer where it began    */
    GPT2C_E_CANCELLED = -8    /* a callback of the caller asked to stop                      */
} gpt2c_status;

typedef struct gpt2c_error {
    gpt2c_status code;
    char msg[512]; /* one line, NUL-terminated; names file, tensor, expected and found */
} gpt2c_error;

GPT2C_API const char *gpt2c_status_text(gpt2c_status status); /* static, never NULL */
GPT2C_API const char *gpt2c_version(void);                    /* "1.0.0", static    */

/* Called with one line of information (no newline), never an error; `user` is passed through. */
typedef void (*gpt2c_log_fn)(void *user, const char *line);

/* ---- machine --------------------------------------------------------------------------------- */

typedef enum gpt2c_cpu { /* kernel tiers, each includes those before it */
    GPT2C_CPU_REF,
    GPT2C_CPU_AVX2,
    GPT2C_CPU_AVX512,
    GPT2C_CPU_AMX
} gpt2c_cpu;

GPT2C_API const char *gpt2c_cpu_name(gpt2c_cpu tier); /* "ref", "avx2", "avx512", "amx"; static */
GPT2C_API gpt2c_cpu gpt2c_cpu_best(void);             /* what CPU, OS and build offer           */
/* Physical cores allowed by the affinity mask and the cgroup quota (v1, v2), at least 1. */
GPT2C_API int32_t gpt2c_cpu_threads(void);
GPT2C_API bool gpt2c_has_openmp(void); /* false: one thread, whatever is asked for */

/* ---- model ----------------------------------------------------------------------------------- */

typedef struct gpt2c_model gpt2c_model;
typedef int32_t gpt2c_token; /* 0 … n_vocab-1 */

typedef struct gpt2c_hparams {
    int32_t n_layer, n_head, n_embd;
    int32_t n_ctx;   /* positions: rows of wpe                     */
    int32_t n_vocab; /* rows of wte                                */
    int32_t n_ff;    /* MLP width, 4 * n_embd unless n_inner is set */
    float layer_norm_epsilon;
    gpt2c_token bos, eos; /* -1: none */
} gpt2c_hparams;

typedef enum gpt2c_dtype { /* precision of the matrix products; everything else is float32 */
    GPT2C_DTYPE_F32,       /* exact to the order of additions                                    */
    GPT2C_DTYPE_BF16X3,    /* prefill by three bfloat16 products where that is faster than f32   */
    GPT2C_DTYPE_BF16,      /* bfloat16 weights                                                   */
    GPT2C_DTYPE_INT8       /* int8 weights, scaled by groups                                     */
} gpt2c_dtype;

GPT2C_API const char *gpt2c_dtype_name(gpt2c_dtype dtype); /* "f32", "bf16x3", …; static */

typedef struct gpt2c_model_params {
    gpt2c_dtype dtype;
    gpt2c_cpu max_cpu;  /* highest kernel tier allowed                                      */
    int32_t n_threads;  /* for work at opening (quantizing); 0: gpt2c_cpu_threads()         */
    bool no_mmap;       /* read the file into memory: safe against a file that changes      */
    bool huge_pages;    /* copy the weights to huge pages: opening takes 0.2 s a GB, or 2 s  *
                         * in a virtual machine whose host must find the memory first; then  *
                         * decode reads a fifth faster. For hundreds of tokens.              */
    gpt2c_log_fn log;   /* notes on ignored keys and tensors; NULL ok                       */
    void *log_user;
} gpt2c_model_params;

GPT2C_API gpt2c_model_params gpt2c_model_default_params(void);

/* Opens a folder (config.json and model.safetensors, or model.safetensors.index.json and its
 * shards), or a .safetensors file with config.json beside it. params NULL: the defaults. */
GPT2C_API gpt2c_status gpt2c_model_open(gpt2c_model **out, const char *path,
                                        const gpt2c_model_params *params, gpt2c_error *err);
GPT2C_API void gpt2c_model_close(gpt2c_model **model); /* no session of it may remain */

GPT2C_API const gpt2c_hparams *gpt2c_model_hparams(const gpt2c_model *model); /* until close */
GPT2C_API gpt2c_dtype gpt2c_model_dtype(const gpt2c_model *model);
GPT2C_API gpt2c_cpu gpt2c_model_cpu(const gpt2c_model *model); /* the tier in use */
GPT2C_API int64_t gpt2c_model_n_params(const gpt2c_model *model);
GPT2C_API bool gpt2c_model_is_tied(const gpt2c_model *model); /* the head is wte */
/* Bytes of weights that one decoded token reads. */
GPT2C_API size_t gpt2c_model_decode_bytes(const gpt2c_model *model);

/* The tensors of the files as they stand there, in file order. */
typedef struct gpt2c_tensor_info {
    const char *name;  /* borrowed until close                                  */
    const char *dtype; /* "F32", "BF16", …; static                              */
    const char *file;  /* path of the file that holds it; borrowed until close  */
    const void *data;  /* borrowed until close; any alignment                   */
    int32_t n_dims;
    int64_t shape[8];
    uint64_t offset;   /* of the first byte in the file */
    uint64_t n_bytes;
    bool used;         /* false: a buffer or an unknown tensor, ignored */
} gpt2c_tensor_info;

GPT2C_API size_t gpt2c_model_n_tensors(const gpt2c_model *model);
GPT2C_API gpt2c_status gpt2c_model_tensor(const gpt2c_model *model, size_t i,
                                          gpt2c_tensor_info *out, gpt2c_error *err);

/* Mapped files, for a program that handles SIGBUS: a file that shrinks while it is mapped faults
 * inside [*base, *base + *n_bytes). i from 0; false past the last. None with no_mmap. */
GPT2C_API bool gpt2c_model_mapping(const gpt2c_model *model, size_t i, const void **base,
                                   size_t *n_bytes, const char **file);

/* Rows of the embedding tables, as float32, into out [n_embd]. */
GPT2C_API gpt2c_status gpt2c_model_wte(const gpt2c_model *model, gpt2c_token token, float *out,
                                       gpt2c_error *err);
GPT2C_API gpt2c_status gpt2c_model_wpe(const gpt2c_model *model, int32_t pos, float *out,
                                       gpt2c_error *err);

/* Writes dir/model.safetensors and dir/config.json with the matrices in `dtype` (BF16 or INT8), in
 * the order in which the kernels read them; gpt2c_model_open takes the folder without further work.
 * dir must exist. */
GPT2C_API gpt2c_status gpt2c_model_convert(const gpt2c_model *model, gpt2c_dtype dtype,
                                           const char *dir, gpt2c_error *err);

/* ---- tokenizer ------------------------------------------------------------------------------- */

typedef struct gpt2c_tokenizer gpt2c_tokenizer;

typedef enum gpt2c_special { /* what <|endoftext|> in the text means (tiktoken's three policies) */
    GPT2C_SPECIAL_ALLOW,     /* the special token                                                */
    GPT2C_SPECIAL_TEXT,      /* ordinary characters                                              */
    GPT2C_SPECIAL_ERROR      /* GPT2C_E_ARG                                                      */
} gpt2c_special;

/* Opens vocab.json and merges.txt, or else tokenizer.json, in the folder `dir`. The special tokens
 * are the added tokens of tokenizer.json; of a vocab.json, <|endoftext|>, and tokens written as
 * <...> or [...] that no merge makes: these are decoded, and in a text they are ordinary. */
GPT2C_API gpt2c_status gpt2c_tokenizer_open(gpt2c_tokenizer **out, const char *dir,
                                            gpt2c_error *err);
GPT2C_API void gpt2c_tokenizer_close(gpt2c_tokenizer **tokenizer);
GPT2C_API int32_t gpt2c_tokenizer_n_vocab(const gpt2c_tokenizer *tokenizer);
GPT2C_API gpt2c_token gpt2c_tokenizer_eos(const gpt2c_tokenizer *tokenizer); /* -1: none */
GPT2C_API bool gpt2c_tokenizer_is_special(const gpt2c_tokenizer *tokenizer, gpt2c_token token);

/* Text to ids. Any bytes are text; what is not UTF-8 counts as "other" characters and comes back
 * byte for byte. Writes at most `cap` ids to out [cap] and the number needed to *n_tok: more than
 * cap is not an error, the ids past cap are then missing (out NULL, cap 0: count). A text of
 * text_bytes has at most text_bytes ids. */
GPT2C_API gpt2c_status gpt2c_tokenizer_encode(const gpt2c_tokenizer *tokenizer, const char *text,
                                              size_t text_bytes, gpt2c_special special,
                                              gpt2c_token *out, size_t cap, size_t *n_tok,
                                              gpt2c_error *err);

/* The bytes of one token, not NUL-terminated, perhaps a part of a UTF-8 character; NULL and 0 for
 * an id out of range. Borrowed until close. */
GPT2C_API const char *gpt2c_tokenizer_bytes(const gpt2c_tokenizer *tokenizer, gpt2c_token token,
                                            size_t *n_bytes);
/* The token with exactly these bytes; -1: none. */
GPT2C_API gpt2c_token gpt2c_tokenizer_find(const gpt2c_tokenizer *tokenizer, const char *bytes,
                                           size_t n_bytes);
/* The token as GPT-2's files write it, one character for one byte ("\u0120cat" for " cat"): UTF-8,
 * NUL-terminated, cut at a character to fit out [cap]. Returns the bytes of the whole name without
 * the NUL; 0 for an id out of range. Names have at most twice the bytes of their tokens. */
GPT2C_API size_t gpt2c_tokenizer_name(const gpt2c_tokenizer *tokenizer, gpt2c_token token,
                                      char *out, size_t cap);

/* Ids to text. Writes at most `cap` bytes to out [cap] and the number needed to *n_bytes, as encode
 * does. An id out of range is GPT2C_E_ARG; nothing is cleaned up, so encode and decode are
 * inverse. */
GPT2C_API gpt2c_status gpt2c_tokenizer_decode(const gpt2c_tokenizer *tokenizer,
                                              const gpt2c_token *tok, size_t n_tok, char *out,
                                              size_t cap, size_t *n_bytes, gpt2c_error *err);

/* Text that arrives in pieces which may end inside a UTF-8 character, such as the bytes of tokens.
 * Zero it to begin. The bytes come out as they went in, at the latest with those that show that
 * they are no character. */
typedef struct gpt2c_utf8 {
    unsigned char held[3];
    unsigned char n_held;
} gpt2c_utf8;

/* Takes n_bytes and writes what is complete to out [n_bytes + 3]; returns how many bytes. */
GPT2C_API size_t gpt2c_utf8_push(gpt2c_utf8 *utf8, const char *bytes, size_t n_bytes, char *out);
/* Writes what is still held, a character without its end, to out [3]; returns how many bytes. */
GPT2C_API size_t gpt2c_utf8_finish(gpt2c_utf8 *utf8, char *out);
/* Bytes of the character at text, 1 … 4; 0 when the first byte begins none. n_bytes > 0. */
GPT2C_API size_t gpt2c_utf8_char(const char *text, size_t n_bytes);

typedef struct gpt2c_range {
    size_t begin, end;
} gpt2c_range;

/* Where each token of text lies in it: ranges of bytes and of characters, [n_tok] each, NULL ok. A
 * byte that is not UTF-8 counts as one character; a token that holds a part of a character spans it
 * whole. GPT2C_E_ARG when the tokens are not those of the text. */
GPT2C_API gpt2c_status gpt2c_tokenizer_ranges(const gpt2c_tokenizer *tokenizer, const char *text,
                                              size_t text_bytes, const gpt2c_token *tok,
                                              size_t n_tok, gpt2c_range *bytes, gpt2c_range *chars,
                                              gpt2c_error *err);

/* A text of any length in bounded memory, and many texts in a row: what is learnt of one text makes
 * the next one faster. One thread at a time. */
typedef struct gpt2c_encoder gpt2c_encoder;
/* Takes the next tok [n_tok], borrowed during the call; non-zero ends it: GPT2C_E_CANCELLED. */
typedef int (*gpt2c_tokens_fn)(void *user, const gpt2c_token *tok, size_t n_tok);

/* n_threads: 0 for gpt2c_cpu_threads(); the ids do not depend on it. More than one are used for
 * pieces of text of a megabyte and more, each fed in one call. */
GPT2C_API gpt2c_status gpt2c_encoder_create(gpt2c_encoder **out, const gpt2c_tokenizer *tokenizer,
                                            gpt2c_special special, int32_t n_threads,
                                            gpt2c_tokens_fn fn, void *user, gpt2c_error *err);
GPT2C_API void gpt2c_encoder_free(gpt2c_encoder **encoder); /* before the tokenizer is closed */
/* The next bytes of the text, cut anywhere. The ids are those that one call of encode gives for the
 * whole text. They come some time after no later byte can change them, the last ones with
 * finish. */
GPT2C_API gpt2c_status gpt2c_encoder_feed(gpt2c_encoder *encoder, const char *text,
                                          size_t text_bytes, gpt2c_error *err);
/* Ends the text; the encoder is then ready for the next one. After a failure of either call,
 * too. */
GPT2C_API gpt2c_status gpt2c_encoder_finish(gpt2c_encoder *encoder, gpt2c_error *err);

/* How the ids come about: the text is cut into pieces, each begins as one token per byte, and the
 * merge of lowest rank is applied, the leftmost of equals, until none is left. */
typedef struct gpt2c_explain_step {
    gpt2c_range piece; /* in bytes of the text                                             */
    int32_t step;      /* 0: the piece as it begins; n: after its n-th merge               */
    int32_t rank;      /* of that merge, from 0; -1 at step 0                              */
    int32_t at;        /* the index in tok of the token made, which was two; -1 at step 0  */
    bool last;         /* no merge applies any more: tok are the ids of the piece          */
    const gpt2c_token *tok; /* [n_tok], borrowed during the call                           */
    size_t n_tok;
} gpt2c_explain_step;

/* Non-zero ends it: GPT2C_E_CANCELLED. */
typedef int (*gpt2c_explain_fn)(void *user, const gpt2c_explain_step *step);
/* Calls fn for each step of each piece. A special token, and a piece of more than 1,024 bytes, is
 * one step with its ids. */
GPT2C_API gpt2c_status gpt2c_tokenizer_explain(const gpt2c_tokenizer *tokenizer, const char *text,
                                               size_t text_bytes, gpt2c_special special,
                                               gpt2c_explain_fn fn, void *user, gpt2c_error *err);

/* ---- session --------------------------------------------------------------------------------- */

typedef struct gpt2c_session gpt2c_session;

typedef struct gpt2c_session_params {
    int32_t n_seq;     /* sequences, each with a cache of its own; 0: 1                         */
    int32_t n_ctx;     /* positions each cache holds; 0: the model's n_ctx                      */
    int32_t n_batch;   /* most rows worked on at once, longer input is cut: memory; 0: 512      */
    int32_t n_logits;  /* rows of logits kept of one eval; 0: n_seq                             */
    int32_t n_threads; /* 0: gpt2c_cpu_threads(). The results do not depend on it               */
} gpt2c_session_params;

GPT2C_API gpt2c_session_params gpt2c_session_default_params(void); /* all 0 */
/* What gpt2c_session_create would allocate; SIZE_MAX when that overflows. params NULL: defaults. */
GPT2C_API size_t gpt2c_session_bytes(const gpt2c_model *model, const gpt2c_session_params *params);
GPT2C_API gpt2c_status gpt2c_session_create(gpt2c_session **out, const gpt2c_model *model,
                                            const gpt2c_session_params *params, gpt2c_error *err);
GPT2C_API void gpt2c_session_free(gpt2c_session **session);
GPT2C_API const gpt2c_model *gpt2c_session_model(const gpt2c_session *session);
GPT2C_API int32_t gpt2c_session_threads(const gpt2c_session *session);

/* Appends n_tok tokens to sequence 0 and computes the logits of the last one (row 0). All or
 * nothing: on failure the position is what it was. */
GPT2C_API gpt2c_status gpt2c_session_eval(gpt2c_session *session, const gpt2c_token *tok,
                                          int32_t n_tok, gpt2c_error *err);

typedef struct gpt2c_span { /* tokens to append to one sequence */
    int32_t seq;
    const gpt2c_token *tok; /* [n_tok] */
    int32_t n_tok;
    int32_t n_logits; /* logits of the last n_logits of them, 0 … n_tok */
} gpt2c_span;

/* Several sequences in one pass over the weights; each sequence at most once. The rows of logits
 * stand in the order of the spans, within a span in the order of its tokens; together at most the
 * session's n_logits. Rows that an eval adds to a sequence alone or in company of up to 32 rows in
 * all (spans of up to 8 tokens) are bitwise the same. */
GPT2C_API gpt2c_status gpt2c_session_eval_batch(gpt2c_session *session, const gpt2c_span *spans,
                                                int32_t n_spans, gpt2c_error *err);

/* [n_vocab] of one row of the last eval; NULL when there is none. Borrowed until the next call that
 * changes the session; the caller may write to it. */
GPT2C_API float *gpt2c_session_logits(gpt2c_session *session, int32_t row);
GPT2C_API int32_t gpt2c_session_pos(const gpt2c_session *session, int32_t seq); /* tokens so far */
/* Forgets what follows the first `pos` tokens of seq. */
GPT2C_API gpt2c_status gpt2c_session_rewind(gpt2c_session *session, int32_t seq, int32_t pos,
                                            gpt2c_error *err);
/* Makes sequence dst a copy of src. */
GPT2C_API gpt2c_status gpt2c_session_copy(gpt2c_session *session, int32_t src, int32_t dst,
                                          gpt2c_error *err);

/* Asked between layers, on the thread that called eval; non-zero ends it: GPT2C_E_CANCELLED. */
typedef int (*gpt2c_cancel_fn)(void *user);
GPT2C_API void gpt2c_session_set_cancel(gpt2c_session *session, gpt2c_cancel_fn fn, void *user);

/* ---- activations ----------------------------------------------------------------------------- */

typedef enum gpt2c_what { /* a set of these */
    GPT2C_HIDDEN = 1 << 0,   /* layers 0 … n_layer: [n_embd]; 0 is wte+wpe, n_layer is after ln_f */
    GPT2C_ATTN = 1 << 1,     /* by head, after softmax: [n_kv], exactly 0 after its position      */
    GPT2C_SCORES = 1 << 2,   /* by head, before softmax, scaled: [n_kv], masked: -infinity        */
    GPT2C_Q = 1 << 3,        /* by head: [d_head]                                                 */
    GPT2C_K = 1 << 4,
    GPT2C_V = 1 << 5,
    GPT2C_Z = 1 << 6,        /* by head: attention-weighted values, before c_proj: [d_head]       */
    GPT2C_MLP_POST = 1 << 7, /* after the activation function: [n_ff]                             */
    GPT2C_MLP_OUT = 1 << 8,  /* what the MLP adds to the residual stream: [n_embd]                */
    GPT2C_LOGITS = 1 << 9    /* of every row: [n_vocab]                                           */
} gpt2c_what;

typedef struct gpt2c_activation { /* a block of rows */
    gpt2c_what what;
    int32_t layer; /* GPT2C_LOGITS: n_layer             */
    int32_t head;  /* -1 where there are no heads       */
    int32_t seq, pos;       /* the first row's sequence and position */
    int32_t n_rows, n_cols;
    size_t ld;         /* elements from one row to the next      */
    const float *data; /* [n_rows][ld], borrowed during the call */
} gpt2c_activation;

/* Called on the thread that called eval, layer by layer, in blocks of rows of no fixed size;
 * non-zero ends the eval: GPT2C_E_CANCELLED. */
typedef int (*gpt2c_tap_fn)(void *user, const gpt2c_activation *a);
/* `what` is a set of gpt2c_what; fn NULL or what 0: off, which costs nothing. */
GPT2C_API void gpt2c_session_set_tap(gpt2c_session *session, uint32_t what, gpt2c_tap_fn fn,
                                     void *user);

/* ln_f (when `norm`) and the head applied to rows of the residual stream x [n_rows][n_embd], n_rows
 * at most the session's n_logits, into its logits rows 0 … n_rows-1: the logit lens. */
GPT2C_API gpt2c_status gpt2c_session_unembed(gpt2c_session *session, const float *x,
                                             int32_t n_rows, bool norm, gpt2c_error *err);

/* ---- sampling -------------------------------------------------------------------------------- */

typedef struct gpt2c_logit_bias {
    gpt2c_token token;
    float bias;
} gpt2c_logit_bias;

typedef struct gpt2c_token_list {
    const gpt2c_token *tok; /* [n_tok] */
    int32_t n_tok;
} gpt2c_token_list;

/* The processors of Hugging Face generate() 5.x, applied in this order, with its tie rules and in
 * float32 as there. The values in brackets switch one off. With temperature 0 (do_sample=False) the
 * order ends before it. */
typedef struct gpt2c_sample_params {
    const gpt2c_logit_bias *bias; /* [n_bias], added; of a token that comes twice the last counts */
    int32_t n_bias;               /* (0)                                                          */
    double repetition_penalty;    /* (1) the prompt counts; once per token, however often it came */
    int32_t no_repeat_ngram_size; /* (0)                                                          */
    const gpt2c_token_list *bad_words; /* [n_bad_words]; borrowed while in use; {eos} is ignored  */
    int32_t n_bad_words;          /* (0)                                                          */
    int32_t min_new_tokens;       /* (0) eos is impossible before                                 */
    gpt2c_token eos;              /* (-1)                                                         */
    double temperature;           /* (1); 0: greedy, the lowest id of equals                      */
    int32_t top_k;                /* (0) those equal to the k-th stay                             */
    double top_p;                 /* (1) at least one stays; of equals the higher ids             */
    double min_p;                 /* (0) of the largest probability                               */
    double typical_p;             /* (1)                                                          */
} gpt2c_sample_params;

GPT2C_API gpt2c_sample_params gpt2c_sample_default_params(void); /* all off, temperature 1 */

typedef struct gpt2c_sampler gpt2c_sampler; /* scratch of one caller; not thread-safe */
GPT2C_API gpt2c_status gpt2c_sampler_create(gpt2c_sampler **out, int32_t n_vocab,
                                            const gpt2c_sample_params *params, gpt2c_error *err);
GPT2C_API void gpt2c_sampler_free(gpt2c_sampler **sampler);

/* Applies the processors in place to logits [n_vocab]; what they forbid becomes -infinity.
 * history [n_history]: the prompt's n_prompt tokens and those generated since. */
GPT2C_API gpt2c_status gpt2c_sampler_process(gpt2c_sampler *sampler, float *logits,
                                             const gpt2c_token *history, size_t n_history,
                                             size_t n_prompt, gpt2c_error *err);
/* Draws from softmax(logits), or takes the largest when the temperature is 0. *rng is the state of
 * the random numbers (splitmix64): seed it with any value, it advances by one draw. */
GPT2C_API gpt2c_status gpt2c_sampler_draw(gpt2c_sampler *sampler, const float *logits,
                                          uint64_t *rng, gpt2c_token *out, gpt2c_error *err);
/* A state to begin with: streams of one seed are independent of each other. */
GPT2C_API uint64_t gpt2c_sampler_rng(uint64_t seed, uint64_t stream);

#ifdef __cplusplus
}
#endif
#endif
