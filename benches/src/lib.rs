//! Benchmarks of curio beside other runtimes.
