//! A node from outside: its core with memory, and whole nodes over loopback HTTP.

mod core;
mod golden;
mod http;
mod openapi;
mod town;
