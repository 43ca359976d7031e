//! A node from outside: its core with memory, and whole nodes over loopback HTTP.

mod golden;
mod http;
mod in_memory;
mod openapi;
mod town;
