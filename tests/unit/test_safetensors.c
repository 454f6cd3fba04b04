/* Each rule of the format, from both sides: the last case that passes and the first that does not.
 */
#include "check.h"
#include "safetensors.h"

#include <stdlib.h>

static struct safetensors st;
static gpt2c_error err;

/* A file of this header and n_data bytes, in a block of exactly its size. */
static gpt2c_status parse_bytes(const void *header, size_t n_header, uint64_t n_claimed,
                                size_t n_data)
{
    struct mapfile file = {.n_bytes = 8 + n_header + n_data, .path = strdup("test.safetensors")};
    unsigned char *data = calloc(file.n_bytes, 1);
    memcpy(data, &n_claimed, 8);
    memcpy(data + 8, header, n_header);
    file.data = data;
    err = (gpt2c_error){0};
    return safetensors_parse(&st, &file, &err);
}

static gpt2c_status parse(const char *header, size_t n_data)
{
    return parse_bytes(header, strlen(header), strlen(header), n_data);
}

struct rule {
    const char *header;
    size_t n_data;
    const char *problem; /* part of the message; NULL: accepted */
};

#define A8 "\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}"
#define NEST4(x) x x x x
#define NEST28(x) NEST4(x) NEST4(x) NEST4(x) NEST4(x) NEST4(x) NEST4(x) NEST4(x)

static const struct rule rules[] = {
    {"{}", 0, NULL},
    {"{" A8 "}", 8, NULL},
    {" \t\r\n{" A8 "} \t\r\n", 8, NULL},
    /* strict JSON */
    {"", 0, "ends too early"},
    {"[]", 0, "expected an object"},
    {"\xef\xbb\xbf{}", 0, "expected a JSON value"},
    {"{" A8 ",}", 8, "expected a string"},
    {"{" A8 "", 8, "ends too early"},
    {"{} {}", 0, "more after the end"},
    {"{'a':1}", 0, "expected a string"},
    {"{/* */}", 0, "expected a string"},
    {"{\"a\" 1}", 0, "expected ':'"},
    {"{\"a\":NaN}", 0, "expected a JSON value"},
    {"{\"a\":tru}", 0, "expected true"},
    {"{\"a\n\":1}", 0, "control character"},
    {"{\"a\\x\":1}", 0, "bad escape"},
    {"{\"\\ud800\":1}", 0, "lone surrogate"},
    {"{\"\\udc00\\ud800\":1}", 0, "lone surrogate"},
    {"{\"\\u00g0\":1}", 0, "bad escape"},
    {"{\"\\u0000\":1}", 0, "NUL"},
    {"{\"\xc0\x80\":1}", 0, "not UTF-8"},
    {"{\"\xed\xa0\x80\":1}", 0, "not UTF-8"},
    {"{\"\xf4\x90\x80\x80\":1}", 0, "not UTF-8"},
    {"{\"\xe2\x82\":1}", 0, "not UTF-8"},
    {"{\"\xf0\x9f\x98\x80 "
     "\\ud83d\\ude00\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}}",
     0, NULL},
    /* __metadata__ */
    {"{\"__metadata__\":null}", 0, NULL},
    {"{\"__metadata__\":{\"a\":\"b\",\"a\":\"c\"}}", 0, NULL},
    {"{\"__metadata__\":{\"a\":1}}", 0, "expected a string"},
    {"{\"__metadata__\":[]}", 0, "expected an object"},
    {"{\"__metadata__\":{},\"__metadata__\":{}}", 0, "twice"},
    /* fields of a tensor */
    {"{\"a\":[\"F32\",[2],[0,8]]}", 8, "expected an object"},
    {"{\"a\":{\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "dtype is missing"},
    {"{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,8]}}", 8, "shape is missing"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2]}}", 8, "data_offsets is missing"},
    {"{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8,
     "dtype stands there twice"},
    {"{\"a\":{\"dtype\":\"f32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "a known type"},
    {"{\"a\":{\"dtype\":3,\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "a known type"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8],\"x\":[[{}]]}}", 8, NULL},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[-2],\"data_offsets\":[0,8]}}", 8, "whole number"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2.0],\"data_offsets\":[0,8]}}", 8, "whole number"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2e0],\"data_offsets\":[0,8]}}", 8, "whole number"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[02],\"data_offsets\":[0,8]}}", 8, "leading zero"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[\"2\"],\"data_offsets\":[0,8]}}", 8, "whole numbers"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":2,\"data_offsets\":[0,8]}}", 8, "whole numbers"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0]}}", 8, "[begin, end]"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8,8]}}", 8, "[begin, end]"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,0]}}", 8, "[begin, end]"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,2],\"data_offsets\":[0,8]}}", 8, NULL},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,2],\"data_offsets\":[0,8]}}", 8,
     "at most 8"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}}", 4, NULL},
    {"{\"\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}}", 4, NULL},
    {"{\"../../x\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}}", 4, NULL},
    /* sizes */
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[281474976710656,0],\"data_offsets\":[0,0]}}", 0, NULL},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[281474976710657,0],\"data_offsets\":[0,0]}}", 0, "2^48"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[9007199254740993],\"data_offsets\":[0,0]}}", 0,
     "9007199254740991"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[18446744073709551616],\"data_offsets\":[0,0]}}", 0,
     "9007199254740991"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[0,281474976710656,281474976710656],"
     "\"data_offsets\":[0,0]}}",
     0, NULL},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[281474976710656,281474976710656,0],"
     "\"data_offsets\":[0,0]}}",
     0, "overflows"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[281474976710656,65535],\"data_offsets\":[0,0]}}", 0,
     "overflows"},
    {"{\"a\":{\"dtype\":\"F4\",\"shape\":[2],\"data_offsets\":[0,1]}}", 1, NULL},
    {"{\"a\":{\"dtype\":\"F4\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1, "whole byte"},
    {"{\"a\":{\"dtype\":\"F6_E2M3\",\"shape\":[4],\"data_offsets\":[0,3]}}", 3, NULL},
    {"{\"a\":{\"dtype\":\"C64\",\"shape\":[1],\"data_offsets\":[0,8]}}", 8, NULL},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,8]}}", 8,
     "expected 12 bytes, found 8"},
    /* the data is covered, without holes, overlap, or sharing */
    {"{" A8 ",\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[8,10]}}", 10, NULL},
    {"{\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[8,10]}," A8 "}", 10, NULL},
    {"{" A8 ",\"b\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[8,8]}}", 8, NULL},
    {"{" A8 ",\"b\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}}", 8, NULL},
    {"{" A8 ",\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[9,11]}}", 11, "to begin at"},
    {"{" A8 ",\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[7,9]}}", 9, "to begin at"},
    {"{" A8 ",\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "to begin at"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[1,9]}}", 9, "to begin at"},
    {"{" A8 "}", 9, "to end at byte"},
    {"{" A8 "}", 7, "the file ends at"},
    /* duplicate names, which the reference accepts */
    {"{" A8 ",\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,16]}}", 16, "twice"},
    {"{" A8 ",\"\\u0061\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,16]}}", 16, "twice"},
    /* depth: the header, the tensor and the field are three levels */
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0],\"x\":" NEST28(
         "[") "[["
              "]]" NEST28("]") "}}",
     0, NULL},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0],\"x\":" NEST28(
         "[") "[[["
              "]]]" NEST28("]") "}}",
     0, "nested too deep"},
};

static void check_rules(void)
{
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        const struct rule *r = &rules[i];
        const gpt2c_status code = parse(r->header, r->n_data);
        if (!CHECK_INT(code, r->problem ? GPT2C_E_FORMAT : GPT2C_OK)) {
            fprintf(stderr, "  header %s: %s\n", r->header, err.msg);
        }
        if (r->problem && code) {
            CHECK_HAS(err.msg, r->problem);
            CHECK_HAS(err.msg, "test.safetensors");
        }
        safetensors_close(&st);
    }
}

static void check_lengths(void)
{
    struct mapfile file = {.data = calloc(7, 1), .n_bytes = 7, .path = strdup("short")};
    CHECK_INT(safetensors_parse(&st, &file, &err), GPT2C_E_FORMAT);
    CHECK_HAS(err.msg, "at least 8 bytes");
    CHECK_INT(parse_bytes("{}", 2, 3, 0), GPT2C_E_FORMAT);
    CHECK_HAS(err.msg, "expected a header of 3 bytes, found 2");
    CHECK_INT(parse_bytes("{}", 2, 100000001, 0), GPT2C_E_FORMAT);
    CHECK_HAS(err.msg, "at most 100000000 bytes");
    CHECK_INT(parse_bytes("{}", 2, 100000000, 0), GPT2C_E_FORMAT);
    CHECK_HAS(err.msg, "expected a header of 100000000 bytes, found 2");
    CHECK_INT(parse_bytes("{}", 2, UINT64_MAX, 0), GPT2C_E_FORMAT);
    CHECK_INT(parse_bytes("{}\0", 3, 3, 0), GPT2C_E_FORMAT); /* NUL is no padding */
    CHECK_INT(parse_bytes("{}", 2, 2, 0), GPT2C_OK);
    safetensors_close(&st);
}

/* n tensors of no bytes, their names of n_name bytes or more. */
static gpt2c_status parse_many(size_t n, int n_name)
{
    const size_t cap = n * ((size_t)n_name + 80) + 8;
    char *text = malloc(cap);
    size_t at = (size_t)snprintf(text, cap, "{");
    for (size_t i = 0; i < n; i++) {
        at +=
            (size_t)snprintf(text + at, cap - at,
                             "%s\"%0*zu\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}",
                             i ? "," : "", n_name, n - i);
    }
    at += (size_t)snprintf(text + at, cap - at, "}");
    const gpt2c_status code = parse_bytes(text, at, at, 0);
    free(text);
    return code;
}

static void check_limits(void)
{
    CHECK_INT(parse_many(65536, 5), GPT2C_OK);
    CHECK_INT((intmax_t)st.n_tensors, 65536);
    CHECK(safetensors_find(&st, "00001") && safetensors_find(&st, "65536"));
    CHECK(!safetensors_find(&st, "65537"));
    safetensors_close(&st);
    CHECK_INT(parse_many(65538, 5), GPT2C_E_FORMAT);
    CHECK_INT(parse_many(1, 1024), GPT2C_OK);
    safetensors_close(&st);
    CHECK_INT(parse_many(1, 1025), GPT2C_E_FORMAT);
    CHECK_HAS(err.msg, "at most 1024 bytes, found 1025");
}

/* Bombs end in a message, soon. */
static void check_bombs(void)
{
    const size_t n = 20000000;
    char *text = malloc(n);
    memset(text, '[', n);
    CHECK_INT(parse_bytes(text, n, n, 0), GPT2C_E_FORMAT);
    CHECK_HAS(err.msg, "nested too deep");
    for (size_t i = 0; i < n; i++) {
        text[i] = i % 2 ? ',' : '1';
    }
    memcpy(text, "{\"\":[ ", 6);
    CHECK_INT(parse_bytes(text, n, n, 0), GPT2C_E_FORMAT);
    CHECK_HAS(err.msg, "too many values");
    memset(text, 'x', n);
    memcpy(text, "{\"", 2);
    memcpy(text + n - 4, "\":1}", 4);
    CHECK_INT(parse_bytes(text, n, n, 0), GPT2C_E_FORMAT);
    CHECK_HAS(err.msg, "at most 1024 bytes");
    free(text);
}

static void check_index(void)
{
    CHECK_INT(parse("{\"__metadata__\":{\"format\":\"pt\",\"gpt2c\":\"x\"},"
                    "\"b\":{\"dtype\":\"BF16\",\"shape\":[2,3],\"data_offsets\":[4,16]},"
                    "\"c\":{\"shape\":[],\"data_offsets\":[0,4],\"dtype\":\"F32\"}}  ",
                    16),
              GPT2C_OK);
    CHECK_INT((intmax_t)st.n_tensors, 2);
    CHECK_STR(st.tensors[0].name, "c");
    CHECK_STR(st.format, "x");
    const struct tensor *b = safetensors_find(&st, "b");
    CHECK_INT(b->n_dims, 2);
    CHECK_INT(b->shape[1], 3);
    CHECK_INT((intmax_t)b->n_bytes, 12);
    CHECK_INT(b->data - st.file.data, (intmax_t)b->offset);
    CHECK_INT((intmax_t)(b->offset + b->n_bytes), (intmax_t)st.file.n_bytes);
    CHECK_STR(safetensors_dtype_name(b->dtype), "BF16");
    CHECK(safetensors_find(&st, "a") == NULL);
    safetensors_close(&st);
    safetensors_close(&st); /* once more is harmless */
}

int main(void)
{
    check_rules();
    check_lengths();
    check_limits();
    check_bombs();
    check_index();
    return check_result();
}
