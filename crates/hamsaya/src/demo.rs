//! The demo's parts: processes, the script, playing it, saying what changed, comparing with what is expected.
pub mod expect;
pub mod narrate;
pub mod play;
pub mod processes;
