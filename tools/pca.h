/* The first two principal components of the rows of a matrix: what scikit-learn's
 * PCA(n_components=2, svd_solver="full").fit_transform gives, computed in double.
 *
 * Sign rule (scikit-learn 1.5 and later, svd_flip by the rows of V): of each component's loadings
 * on the columns of x the one largest in absolute value is positive; of equals the first decides.
 * Where the data have no variance left the coordinates, variance and ratio are exactly 0. */
#ifndef PCA_H
#define PCA_H

#include <stdbool.h>
#include <stddef.h>

struct pca {
    double variance[2]; /* explained variance, of n_row - 1 degrees of freedom   */
    double ratio[2];    /* its share of the variance of all columns; 0 when none */
};

/* Bytes of scratch memory that pca_fit takes; SIZE_MAX when that overflows. */
size_t pca_bytes(size_t n_row, size_t n_col);
/* x [n_row][n_col], all finite, both sizes at least 1, to xy [n_row][2]. False: no memory. */
bool pca_fit(const float *x, size_t n_row, size_t n_col, double *xy, struct pca *out);

#endif
