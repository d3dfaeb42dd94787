//! Programs that use curio.
