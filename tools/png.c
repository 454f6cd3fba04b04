/* Only user of stb_image_write. It knows no pHYs chunk, so one is put in after the header. */
#include "png.h"

#include <stdlib.h>
#include <string.h>

#define STBIW_ASSERT(x) ((void)(x))
#define STB_IMAGE_WRITE_STATIC
#define STB_IMAGE_WRITE_IMPLEMENTATION
#include <stb_image_write.h>

enum { AFTER_HEADER = 8 + 12 + 13 }; /* signature, framing and body of IHDR */

bool png_size_ok(int64_t w, int64_t h)
{
    return w > 0 && h > 0 && w <= 1 << 20 && h <= 1 << 20 && (3 * w + 1) * h <= 1 << 30;
}

static void put32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++) {
        p[i] = (uint8_t)(v >> (24 - 8 * i));
    }
}

static uint32_t crc32_of(const uint8_t *p, size_t n)
{
    uint32_t crc = ~0U;
    for (size_t i = 0; i < n; i++) {
        crc ^= p[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320U : 0);
        }
    }
    return ~crc;
}

bool png_write(FILE *f, int w, int h, const uint8_t *rgb, double dpi)
{
    int n_bytes = 0;
    /* Our flat cells and letters pack best, and twice as fast, as they are. */
    stbi_write_force_png_filter = 0;
    unsigned char *png = stbi_write_png_to_mem(rgb, w * 3, w, h, 3, &n_bytes);
    if (!png) {
        return false;
    }
    uint8_t phys[12 + 9] = {0, 0, 0, 9, 'p', 'H', 'Y', 's'};
    const uint32_t per_metre = (uint32_t)(dpi / 0.0254 + 0.5);
    put32(phys + 8, per_metre);
    put32(phys + 12, per_metre);
    phys[16] = 1;
    put32(phys + 17, crc32_of(phys + 4, 13));
    fwrite(png, 1, AFTER_HEADER, f);
    fwrite(phys, 1, sizeof phys, f);
    fwrite(png + AFTER_HEADER, 1, (size_t)n_bytes - AFTER_HEADER, f);
    STBIW_FREE(png);
    return true;
}
