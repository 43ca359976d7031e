//! What a monitor is told.
//!
//! ```text
//! ack("A1", "P1") @ [1_795_204_800, 1_795_204_800]  admitted   id "p1.example/hamsaya/1#7:ack"
//! ```
use crate::ratio::Ratio;
use std::fmt;
use std::sync::Arc;

/// Seconds on one ordered line; the monitor gives them no other meaning.
pub type Instant = i64;

/// Later than every instant: an obligation that nothing settles.
pub const NEVER: Instant = i64::MAX;

/// Earlier than every instant: where a fact begins that has always held.
pub const SINCE_EVER: Instant = i64::MIN;

/// One argument of a fact.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Value {
    /// A whole number, a duration in seconds or an instant.
    Int(i64),
    /// Text, compared by its UTF-8 bytes.
    Text(Arc<str>),
    /// An exact fraction, e.g. a decimal or an average. Points domain only.
    Decimal(Ratio),
}

impl Value {
    /// Text from anything that reads as `str`.
    pub fn text(text: impl AsRef<str>) -> Value {
        Value::Text(Arc::from(text.as_ref()))
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Int(number) => write!(f, "{number}"),
            Value::Text(text) => write!(f, "\"{text}\""),
            Value::Decimal(ratio) => write!(f, "{ratio}"),
        }
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Value {
        Value::Int(number)
    }
}

/// The caller's name for one fact. Ids sort by bytes, and that order settles every tie.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FactId(pub Arc<str>);

impl FactId {
    /// An id from its text.
    pub fn new(id: impl AsRef<str>) -> FactId {
        FactId(Arc::from(id.as_ref()))
    }
}

/// A tuple of a predicate over a closed interval of instants.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fact {
    /// Name of the predicate, as in the signature.
    pub predicate: Arc<str>,
    /// One value for each column of the signature.
    pub args: Vec<Value>,
    /// First instant at which it holds; [`SINCE_EVER`] if it always did. An event has `from == to`.
    pub from: Instant,
    /// Last instant at which it holds; [`NEVER`] if it does not end.
    pub to: Instant,
    /// `true`: admitted. `false`: only asserted, so it can make a verdict disputed, never breached.
    pub admitted: bool,
}
