//! Big zeroed buffers on huge pages.
