//! Logs of the monitor: any bytes are read or refused, in one piece as in two.
#![no_main]
#[allow(dead_code)] // Each target takes one function.
#[path = "../../crates/monitor/tests/it/foreign.rs"]
mod foreign;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| foreign::log(bytes));
