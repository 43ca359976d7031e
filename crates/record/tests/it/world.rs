//! Two parties, two guarantors and a witness: logs with real statements, cosigned.
pub(crate) use fixture::World;
use hamsaya_record::accept::Acceptance;
use hamsaya_record::cosignature;
use hamsaya_record::envelope::Envelope;
use hamsaya_record::instant::Instant;
use hamsaya_record::log::Log;
use hamsaya_record::note::Note;
use hamsaya_record::statement::{Act, FieldValue, Statement};
use hamsaya_record::store::Store;

#[path = "../../src/fixture.rs"]
mod fixture;

pub(crate) const P1: &str = "p1.example/hamsaya/1";
pub(crate) const START: i64 = 1_795_550_400;

pub(crate) fn uuid(n: u64) -> String {
    format!("0193a1b2-c3d4-7e5f-8a9b-{n:012x}")
}

/// A log, of P1 if nothing else is said, that takes statements as a node would.
pub(crate) struct Writer<S> {
    party: &'static str,
    pub(crate) world: World,
    pub(crate) log: Log<S>,
    pub(crate) acceptance: Acceptance,
    said: u64,
}

impl<S: Store> Writer<S> {
    pub(crate) fn new(store: S) -> Writer<S> {
        Writer::of("P1", store)
    }

    pub(crate) fn of(party: &'static str, store: S) -> Writer<S> {
        let world = World::new();
        let origin = world.founding.member(party).and_then(|member| member.origin.clone()).unwrap();
        let mut log = Log::open(store, world.key(&origin).clone(), |_, _| ()).unwrap();
        log.append(&[&world.founding_leaf], Instant(START)).unwrap();
        let acceptance = Acceptance::found(&origin, &world.founding_leaf).unwrap();
        Writer { party, world, log, acceptance, said: 0 }
    }

    fn host(&self, what: &str) -> String {
        format!("{}{what}", self.party.to_lowercase())
    }

    pub(crate) fn statement(&mut self, act: Act, kind: &str) -> Statement {
        self.said += 1;
        let mut s = Statement::new(
            fixture::AGREEMENT,
            act,
            kind,
            &uuid(self.said),
            self.party,
            self.acceptance.origin(),
            Instant(START + self.said as i64),
        );
        s.source = self.host("/node");
        (s.seq, s.prev) = self.acceptance.next_of(self.party, &s.source);
        s
    }

    /// Signs, accepts and appends; gives the index.
    pub(crate) fn say(&mut self, statement: &Statement, now: i64) -> u64 {
        let key = self.world.key(&self.host(".example/node")).clone();
        self.take(&Envelope::sign(statement.to_payload(), &[&key]), now)
    }

    /// Accepts and appends; gives the index.
    pub(crate) fn take(&mut self, envelope: &Envelope, now: i64) -> u64 {
        let accepted = self.acceptance.check(envelope).unwrap();
        self.acceptance.apply(&accepted);
        self.log.append(&[envelope.to_leaf()], Instant(now)).unwrap().first_index
    }

    pub(crate) fn notice(&mut self, now: i64) -> u64 {
        let s = self.statement(Act::Notify, "op_notice");
        self.say(&s, now)
    }

    /// The newest checkpoint, cosigned by these witnesses at these times.
    pub(crate) fn cosigned(&self, times: &[(&str, i64)]) -> Note {
        cosign(&self.world, self.log.signed().unwrap(), times)
    }

    /// Logs notes as a `checkpoints` entry.
    pub(crate) fn carry(&mut self, notes: &[&Note], now: i64) -> u64 {
        let mut s = self.statement(Act::Record, "checkpoints");
        let notes = notes.iter().map(|note| FieldValue::Text(note.to_text())).collect();
        s.fields.insert("notes".to_owned(), FieldValue::List(notes));
        self.say(&s, now)
    }
}

pub(crate) fn cosign(world: &World, note: &Note, times: &[(&str, i64)]) -> Note {
    let mut note = note.clone();
    for (witness, time) in times {
        let key = world.key(&format!("{witness}.example/witness"));
        note.add(cosignature::sign(&note.text, *time as u64, key).unwrap());
    }
    note
}
