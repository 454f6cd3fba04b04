/* SHA-256 as the standard writes it. */
#include "sha256.h"

#include <stdio.h>
#include <string.h>

static const uint32_t k[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t rotated(uint32_t x, int n)
{
    return x >> n | x << (32 - n);
}

static void add_block(uint32_t state[8], const unsigned char *p)
{
    uint32_t w[64];
    uint32_t s[8];
    for (int i = 0; i < 16; i++, p += 4) {
        w[i] = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
    }
    for (int i = 16; i < 64; i++) {
        const uint32_t a = w[i - 15];
        const uint32_t b = w[i - 2];
        w[i] = w[i - 16] + (rotated(a, 7) ^ rotated(a, 18) ^ a >> 3) + w[i - 7] +
               (rotated(b, 17) ^ rotated(b, 19) ^ b >> 10);
    }
    memcpy(s, state, sizeof s);
    for (int i = 0; i < 64; i += 8) {
        for (int r = 0; r < 8; r++) { /* the registers move by one a round: s[(x - r) & 7] */
            const uint32_t a = s[-r & 7];
            const uint32_t e = s[(4 - r) & 7];
            const uint32_t t1 = s[(7 - r) & 7] + (rotated(e, 6) ^ rotated(e, 11) ^ rotated(e, 25)) +
                                ((e & s[(5 - r) & 7]) ^ (~e & s[(6 - r) & 7])) + k[i + r] +
                                w[i + r];
            const uint32_t t2 =
                (rotated(a, 2) ^ rotated(a, 13) ^ rotated(a, 22)) +
                ((a & s[(1 - r) & 7]) ^ (a & s[(2 - r) & 7]) ^ (s[(1 - r) & 7] & s[(2 - r) & 7]));
            s[(3 - r) & 7] += t1;
            s[(7 - r) & 7] = t1 + t2;
        }
    }
    for (int i = 0; i < 8; i++) {
        state[i] += s[i];
    }
}

void sha256_start(struct sha256 *s)
{
    *s = (struct sha256){.state = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f,
                                   0x9b05688c, 0x1f83d9ab, 0x5be0cd19}};
}

void sha256_add(struct sha256 *s, const void *data, size_t n_bytes)
{
    const unsigned char *p = data;
    while (n_bytes > 0) {
        const size_t at = s->n_bytes % 64;
        const size_t n = n_bytes < 64 - at ? n_bytes : 64 - at;
        memcpy(s->block + at, p, n);
        s->n_bytes += n;
        p += n;
        n_bytes -= n;
        if (s->n_bytes % 64 == 0) {
            add_block(s->state, s->block);
        }
    }
}

void sha256_finish(struct sha256 *s, char text[SHA256_TEXT])
{
    static const unsigned char padding[64] = {0x80};
    const uint64_t n_bits = s->n_bytes * 8;
    unsigned char length[8];
    for (int i = 0; i < 8; i++) {
        length[i] = (unsigned char)(n_bits >> (56 - 8 * i));
    }
    sha256_add(s, padding, 1 + (119 - s->n_bytes % 64) % 64);
    sha256_add(s, length, sizeof length);
    for (int i = 0; i < 8; i++) {
        snprintf(text + 8 * i, 9, "%08x", s->state[i]);
    }
}
