//! Unit tests of schemas.
