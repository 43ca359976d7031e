//! One party's node: takes statements, exchanges checkpoints, answers HTTP.
//!
//! ```text
//! let running = serve(Path::new("p1"), Options::default()).await?;
//! println!("{}", running.url());
//! running.stop().await;
//! ```
//! [`node`] is the node itself: events in, actions out, no sockets, files, time or threads. [`serve`] is the shell around
//! it: one thread drives the node, HTTP comes in through `api` and goes out through `wire`, the folder holds the bytes.
//! Only `api` and `wire` know status codes. Nothing here prints.

pub mod accounts;
pub mod api;
mod attempts;
mod author;
pub mod bench;
pub mod bringing;
pub mod bucket;
pub mod c2pa;
pub mod clock;
pub mod compare;
pub mod config;
pub mod copies;
mod dark;
pub mod disclosures;
pub mod docket;
pub mod erased;
pub mod files;
pub mod folder;
mod grid;
pub mod held;
pub mod media;
mod mirrors;
mod naming;
pub mod node;
pub mod own;
pub mod passkeys;
pub mod readers;
pub mod reads;
pub mod receipts;
mod recovery;
pub mod refusals;
mod room;
mod scrub;
mod serve;
mod shell;
mod sight;
pub mod signed;
mod state;
pub mod tls;
mod wire;

pub use clock::Clock;
pub use node::{Action, Answer, At, Event, Node};
pub use serve::{Options, Running, ServeError, serve};
