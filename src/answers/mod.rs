//! Fixed questions as typed results, without formatting.
