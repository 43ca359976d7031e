//! Points, facts and withdrawals in any order, with questions between them: the last answer is that of the facts alone.
#![no_main]
#[allow(dead_code)] // Each target takes one function.
#[path = "../../crates/monitor/tests/it/foreign.rs"]
mod foreign;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| foreign::history(bytes));
