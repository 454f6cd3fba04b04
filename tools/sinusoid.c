/* In double: at position 1,023 a float32 angle would already be off in the fifth digit. */
#include "sinusoid.h"

#include <math.h>

double sinusoid(size_t pos, size_t dim, size_t n_dim)
{
    const double pair = (double)(dim - dim % 2);
    const double angle = (double)pos * exp(-log(10000.0) * pair / (double)n_dim);
    return dim % 2 ? cos(angle) : sin(angle);
}
