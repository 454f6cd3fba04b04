/* In double: at position 1,023 a float32 angle would already be off in the fifth digit. */
#include "sinusoid.h"

#include <math.h>

static double entry(size_t pos, size_t dim, double exponent)
{
    const double angle = (double)pos * exp(-log(10000.0) * exponent);
    return dim % 2 ? cos(angle) : sin(angle);
}

double sinusoid(size_t pos, size_t dim, size_t n_dim)
{
    return entry(pos, dim, (double)(dim - dim % 2) / (double)n_dim);
}

double sinusoid_doubled(size_t pos, size_t dim, size_t n_dim)
{
    return entry(pos, dim, 2 * (double)(dim - dim % 2) / (double)n_dim);
}
