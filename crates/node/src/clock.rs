//! Where instants come from: the system, or a scenario that moves only when it is told to.
//!
//! ```text
//! POST /api/clock {"now":"2026-11-24T20:00:00Z"}        200, the clock stands there
//! POST /api/clock {"now":"2026-11-24T19:00:00Z"}        409, a clock never goes back
//! ```
//! Stamps come from here. Pacing does not: it is measured in milliseconds of real time since the node started.
use hamsaya_record::Instant;
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

/// A node's clock.
#[derive(Debug)]
pub enum Clock {
    /// The machine's.
    System,
    /// A scenario's; `None` until it is first set, and then nothing is stamped.
    Scenario(Mutex<Option<Instant>>),
}

/// Why a clock was not moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClockError {
    /// The machine's clock is not set over HTTP.
    #[error("this node follows the system's clock")]
    System,
    /// It never goes back.
    #[error("found {to}, allowed are instants from {now} on")]
    Back {
        /// Where it stands.
        now: Instant,
        /// Where it was to go.
        to: Instant,
    },
}

impl Clock {
    /// A scenario's clock, not set yet.
    pub fn scenario() -> Clock {
        Clock::Scenario(Mutex::new(None))
    }

    /// `system` or `scenario`.
    pub fn name(&self) -> &'static str {
        match self {
            Clock::System => "system",
            Clock::Scenario(_) => "scenario",
        }
    }

    /// Now.
    pub fn now(&self) -> Option<Instant> {
        match self {
            Clock::System => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                Some(Instant(i64::try_from(since.as_secs()).unwrap_or(i64::MAX)))
            }
            Clock::Scenario(at) => *at.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }

    /// Moves a scenario's clock.
    pub fn set(&self, to: Instant) -> Result<(), ClockError> {
        let Clock::Scenario(at) = self else { return Err(ClockError::System) };
        let mut at = at.lock().unwrap_or_else(PoisonError::into_inner);
        match *at {
            Some(now) if now > to => Err(ClockError::Back { now, to }),
            _ => {
                *at = Some(to);
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scenario_goes_forward_only() {
        let clock = Clock::scenario();
        assert_eq!(clock.now(), None);
        assert_eq!(clock.set(Instant(5)), Ok(()));
        assert_eq!(clock.set(Instant(5)), Ok(()));
        assert_eq!(clock.set(Instant(4)), Err(ClockError::Back { now: Instant(5), to: Instant(4) }));
        assert_eq!(clock.now(), Some(Instant(5)));
        assert_eq!(Clock::System.set(Instant(5)), Err(ClockError::System));
    }
}
