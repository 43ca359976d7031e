//! The record's integration tests, in one binary.
mod growth;
