//! The thread that drives a node, and the handle by which HTTP talks to it.
//!
//! ```text
//! HTTP ──► submit, ask ──► inbox ──► Node::handle ──► replies, hints, the wire, the bench
//!                            ▲                              │
//!                            └──────── answers ─────────────┘
//! ```
//! One thread owns the node, so that every event is handled whole and in order, and a slow disk never blocks a socket. A
//! question about the node is a closure that runs between two events.
use crate::bucket::Place;
use crate::clock::{Clock, ClockError};
use crate::docket::Docket;
use crate::node::{Action, Answer, At, Brought, Case, Event, Explain, Hint, Node, Ticket};
use crate::wire::{Peer, Wire};
use hamsaya_agreement::{JudgeError, Judgment};
use hamsaya_record::Instant;
use hamsaya_record::attempt::Attempt;
use hamsaya_record::key::SecretKey;
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::{oneshot, watch};

/// So many hints are kept for listeners that come back.
const HINTS_MAX: usize = 1_000;
/// Nobody waits longer for an index.
const PATIENCE: Duration = Duration::from_secs(60);
/// Without any event the clock is looked at this often: a system clock moves by itself.
const LOOK_MS: u64 = 30_000;
/// What could not be done is tried again, hint or not.
const MINUTE: Duration = Duration::from_secs(60);

pub(crate) enum Message {
    Event(Event),
    Ask(Box<dyn FnOnce(&mut Node<Place>) + Send>),
    Stop,
}

/// Talks to the node's thread.
#[derive(Clone)]
pub(crate) struct Shell {
    inner: Arc<Inner>,
}

struct Inner {
    inbox: Sender<Message>,
    waiting: Mutex<HashMap<Ticket, oneshot::Sender<Answer>>>,
    next_ticket: AtomicU64,
    clock: Clock,
    docket: Docket,
    hints: Mutex<VecDeque<(u64, Hint)>>,
    last_hint: watch::Sender<u64>,
    stopping: watch::Sender<bool>,
}

/// The node's thread is gone: the process is stopping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gone;

impl Shell {
    /// Starts the thread.
    pub(crate) fn start(node: Node<Place>, clock: Clock, peers: &[Peer]) -> (Shell, JoinHandle<()>) {
        let (inbox, messages) = channel();
        let inner = Inner {
            inbox,
            waiting: Mutex::new(HashMap::new()),
            next_ticket: AtomicU64::new(1),
            clock,
            docket: Docket::default(),
            hints: Mutex::new(VecDeque::new()),
            last_hint: watch::Sender::new(0),
            stopping: watch::Sender::new(false),
        };
        let shell = Shell { inner: Arc::new(inner) };
        let wire = Wire::new(peers, shell.inner.inbox.clone());
        let driver = shell.clone();
        let thread = in_thread("node", move || driver.drive(node, &messages, &wire));
        (shell, thread)
    }

    fn drive(&self, mut node: Node<Place>, messages: &Receiver<Message>, wire: &Wire) {
        let started = std::time::Instant::now();
        let at = || At {
            now: self.inner.clock.now(),
            elapsed_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        };
        let mut key = Arc::new(node.node_key().clone());
        // A node that was never told the time does not know what is due: a new one has its founding to log.
        for action in node.handle(Event::Tick, at()) {
            self.perform(action, wire, &key);
        }
        loop {
            let wake = node.wake_at().map_or(LOOK_MS, |wake| wake.saturating_sub(at().elapsed_ms)).min(LOOK_MS);
            let event = match messages.recv_timeout(Duration::from_millis(wake)) {
                Ok(Message::Event(event)) => event,
                Ok(Message::Ask(ask)) => {
                    ask(&mut node);
                    continue;
                }
                Err(RecvTimeoutError::Timeout) => Event::Tick,
                Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => return node.close(),
            };
            let actions = node.handle(event, at());
            // A key gives way while the node runs.
            if key.vkey() != node.node_key().vkey() {
                key = Arc::new(node.node_key().clone());
            }
            for action in actions {
                self.perform(action, wire, &key);
            }
        }
    }

    fn perform(&self, action: Action, wire: &Wire, key: &Arc<SecretKey>) {
        match action {
            Action::Reply { ticket, answer } => {
                if let Some(waiting) = lock(&self.inner.waiting).remove(&ticket) {
                    // Whoever asked may have gone; the answer stands in the log.
                    let _ = waiting.send(answer);
                }
            }
            Action::Announce(hint) => self.announce(hint),
            Action::Judge(case) => {
                let shell = self.clone();
                in_thread("judge", move || {
                    let judged = shell.inner.docket.changed(&case);
                    // The node may have stopped meanwhile.
                    let _ = shell.inner.inbox.send(Message::Event(Event::Judged(Box::new(judged))));
                });
            }
            outgoing => wire.send(outgoing, key),
        }
    }

    fn announce(&self, hint: Hint) {
        let mut hints = lock(&self.inner.hints);
        let number = self.last_hint() + 1;
        hints.push_back((number, hint));
        if hints.len() > HINTS_MAX {
            hints.pop_front();
        }
        self.inner.last_hint.send_replace(number);
    }

    /// Sends an event that somebody waits for.
    async fn event(&self, event: impl FnOnce(Ticket) -> Event) -> Result<Answer, Gone> {
        self.sent(event).await.map_err(|_| Gone)
    }

    /// Sends an event; the answer comes later. Events arrive in the order in which they are sent.
    fn sent(&self, event: impl FnOnce(Ticket) -> Event) -> oneshot::Receiver<Answer> {
        let ticket = self.inner.next_ticket.fetch_add(1, Ordering::Relaxed);
        let (tell, told) = oneshot::channel();
        lock(&self.inner.waiting).insert(ticket, tell);
        if self.inner.inbox.send(Message::Event(event(ticket))).is_err() {
            lock(&self.inner.waiting).remove(&ticket);
        }
        told
    }

    /// Sends a statement and waits for its index. Whoever waits too long is told to send it again: it is logged once.
    pub(crate) async fn submit(&self, bytes: Vec<u8>) -> Result<Answer, Gone> {
        let answer = self.event(|ticket| Event::Submitted { ticket, bytes });
        let late = |_| Ok(Answer::Paused("the node waits for its witnesses before it signs anything".to_string()));
        tokio::time::timeout(PATIENCE, answer).await.unwrap_or_else(late)
    }

    /// Sends statements in order; their answers come in the same order.
    pub(crate) async fn submit_all(&self, all: Vec<Vec<u8>>) -> Result<Vec<Answer>, Gone> {
        let sent: Vec<_> =
            all.into_iter().map(|bytes| self.sent(|ticket| Event::Submitted { ticket, bytes })).collect();
        let mut answers = Vec::with_capacity(sent.len());
        for told in sent {
            answers.push(told.await.map_err(|_| Gone)?);
        }
        Ok(answers)
    }

    /// Somebody sent more than is read.
    pub(crate) async fn overlong(&self) -> Result<Answer, Gone> {
        self.event(|ticket| Event::Overlong { ticket }).await
    }

    /// Asks the witness.
    pub(crate) async fn witness(&self, body: Vec<u8>) -> Result<Answer, Gone> {
        self.event(|ticket| Event::WitnessAsked { ticket, body }).await
    }

    /// Brings the mirror something.
    pub(crate) async fn mirror(&self, brought: Brought, body: Vec<u8>) -> Result<Answer, Gone> {
        self.event(|ticket| Event::MirrorAsked { ticket, brought, body }).await
    }

    /// Another's log was brought to a member's mirror, or could not be.
    pub(crate) fn attempted(&self, attempt: Attempt) {
        // The node may have stopped: then it is tried again after the next start.
        let _ = self.inner.inbox.send(Message::Event(Event::Attempted(attempt)));
    }

    /// Asks the node something, between two events.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut Node<Place>) -> T + Send + 'static,
    ) -> Result<T, Gone> {
        let (tell, told) = oneshot::channel();
        let ask = Box::new(move |node: &mut Node<Place>| {
            // Whoever asked may have gone.
            let _ = tell.send(question(node));
        });
        self.inner.inbox.send(Message::Ask(ask)).map_err(|_| Gone)?;
        told.await.map_err(|_| Gone)
    }

    /// Moves a scenario's clock.
    pub(crate) fn set_clock(&self, to: Instant) -> Result<(), ClockError> {
        self.inner.clock.set(to)?;
        let _ = self.inner.inbox.send(Message::Event(Event::Tick));
        Ok(())
    }

    /// Judges, away from the threads that answer, and explains at least these verdicts.
    pub(crate) async fn judge(&self, case: Case, explain: Explain) -> Result<Result<Arc<Judgment>, JudgeError>, Gone> {
        let shell = self.clone();
        tokio::task::spawn_blocking(move || shell.judge_here(&case, &explain)).await.map_err(|_| Gone)
    }

    /// The same, in this thread.
    pub(crate) fn judge_here(&self, case: &Case, explain: &Explain) -> Result<Arc<Judgment>, JudgeError> {
        self.inner.docket.judge(case, explain)
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.inner.clock
    }

    /// Number of the last hint.
    pub(crate) fn last_hint(&self) -> u64 {
        *self.inner.last_hint.borrow()
    }

    /// Wakes when there is another hint.
    pub(crate) fn hints(&self) -> watch::Receiver<u64> {
        self.inner.last_hint.subscribe()
    }

    /// Waits for another hint than those already seen, a minute at most; false: the process is to stop.
    pub(crate) async fn hint_or_minute(&self, hints: &mut watch::Receiver<u64>) -> bool {
        let mut stopping = self.stopping();
        tokio::select! {
            changed = hints.changed() => changed.is_ok(),
            () = tokio::time::sleep(MINUTE) => true,
            _ = stopping.wait_for(|stop| *stop) => false,
        }
    }

    /// Hints after this number; `None`: some of them are not kept any more.
    pub(crate) fn hints_after(&self, number: u64) -> Option<Vec<(u64, Hint)>> {
        let hints = lock(&self.inner.hints);
        let oldest = hints.front().map_or(self.last_hint() + 1, |(n, _)| *n);
        let known = number + 1 >= oldest && number <= self.last_hint();
        known.then(|| hints.iter().filter(|(n, _)| *n > number).cloned().collect())
    }

    /// Turns true when the process is to stop.
    pub(crate) fn stopping(&self) -> watch::Receiver<bool> {
        self.inner.stopping.subscribe()
    }

    /// Lets everything that waits come to an end.
    pub(crate) fn stop_waiting(&self) {
        self.inner.stopping.send_replace(true);
    }

    /// Stops the thread after what it has already been told.
    pub(crate) fn stop(&self) {
        let _ = self.inner.inbox.send(Message::Stop);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A thread with a name, for whoever looks at the process.
pub(crate) fn in_thread<T: Send + 'static>(name: &str, work: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    let spawned = std::thread::Builder::new().name(name.to_string()).spawn(work);
    spawned.expect("the system gives a thread, or nothing works at all")
}
