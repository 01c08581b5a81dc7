//! kernels-test
