//! curio.
