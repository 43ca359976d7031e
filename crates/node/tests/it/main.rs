//! A node from outside: its core with memory, and whole nodes over loopback HTTP.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod attempts;
mod bucket;
mod disclosures;
mod files;
mod golden;
mod http;
mod in_memory;
mod mirrors;
mod openapi;
mod passkeys;
mod rights;
mod tls;
mod town;
