// The basis that the flags name, polynomials where none is. Each file defines a list of the functions' derivatives of
// order KAN_DERIVATIVE at a point: kan_begin(x, first) stands before function `first`, kan_next gives one after the other.
#if bspline
#import kan/bases/bspline
#else
#if rbf
#import kan/bases/rbf
#else
#if fourier
#import kan/bases/fourier
#else
#if relu_kan
#import kan/bases/relu_kan
#else
#if bernstein
#import kan/bases/bernstein
#else
#import kan/bases/polynomial
#endif
#endif
#endif
#endif
#endif
