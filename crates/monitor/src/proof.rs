//! Why a formula holds or does not, node by node.
//!
//! ```text
//! EVENTUALLY[0,21600] ack(a, y)   at 0, holds, settled 2880
//!   ack(a, y)   at 2880, holds, settled 2880, by "…#7:ack"
//! ```
//! Below each node stand those from which it follows: all parts of a conjunction that holds, the first that failed of
//! one that does not, the witness of a window or the last instant at which one could still have come.
use crate::evidence::Evidence;
use crate::fact::{Instant, NEVER, SINCE_EVER};
use crate::formula::Name;
use crate::intervals::{minus, plus};
use crate::monitor::Proof;
use crate::program::{Kind, Node, Slot, V};
use crate::relation::{Env, far, pattern};
use crate::settle::{How, settle};

impl Evidence<'_> {
    /// The proof of a formula at an instant, as things are.
    pub(crate) fn prove(&mut self, node: &Node, env: &mut Env, how: How, at: Instant) -> Proof {
        let (sat, vio) = self.settled(node, env, how, at);
        let holds = sat < vio;
        let inner = How { since: None, ..how };
        let mut facts = Vec::new();
        let children = match &node.kind {
            Kind::Fact(predicate, args) => {
                facts = self.showing(*predicate, args, env, at);
                Vec::new()
            }
            Kind::True
            | Kind::Breached(..)
            | Kind::Reached(_)
            | Kind::Ts(_)
            | Kind::Compare(..)
            | Kind::Duration(..) => Vec::new(),
            Kind::Not(f) => vec![self.prove(f, env, how.swap(), at)],
            Kind::And(parts) => self.prove_parts(parts, env, how, at, holds, true),
            Kind::Or(parts) => self.prove_parts(parts, env, how, at, !holds, false),
            Kind::Exists(names, f) => self.prove_some(names, f, env, how, at),
            Kind::Call(definition, args) => {
                let program = self.program();
                let wanted = pattern(args, env);
                let mut best: Option<Proof> = None;
                for body in &program.derived[*definition].bodies {
                    let mut within = Env::new(body.slots);
                    let mut free: Vec<Slot> = Vec::new();
                    for (&slot, value) in body.params.iter().zip(&wanted) {
                        match value {
                            Some(value) => within.set(slot, *value),
                            None => free.push(slot),
                        }
                    }
                    let proof = self.prove_some(&free, &body.node, &mut within, inner, at).pop();
                    best = better(best, proof);
                }
                best.into_iter().collect()
            }
            Kind::Once(reach, f) => {
                let Some(far) = far(reach, env) else { return leaf(node, at, (sat, vio)) };
                let first = far.map_or(SINCE_EVER, |far| minus(at, far));
                let last = minus(at, reach.near);
                let witness = if holds { self.last_true(f, env, inner, first, last) } else { None };
                vec![self.prove(f, env, inner, witness.unwrap_or(last))]
            }
            Kind::Historically(reach, f) => {
                let Some(far) = far(reach, env) else { return leaf(node, at, (sat, vio)) };
                let first = far.map_or(SINCE_EVER, |far| minus(at, far));
                let last = minus(at, reach.near);
                let failed = if holds { None } else { self.last_false(f, env, inner, first, last) };
                vec![self.prove(f, env, inner, failed.unwrap_or(last))]
            }
            Kind::Since(reach, left, right) => {
                let Some(far) = far(reach, env) else { return leaf(node, at, (sat, vio)) };
                let first = far.map_or(SINCE_EVER, |far| minus(at, far));
                match self.last_true(right, env, inner, first, minus(at, reach.near)) {
                    Some(witness) if holds => {
                        let mut list = vec![self.prove(right, env, inner, witness)];
                        if witness < at {
                            list.push(self.prove(left, env, inner, at));
                        }
                        list
                    }
                    Some(witness) => match self.last_false(left, env, inner, plus(witness, 1), at) {
                        Some(failed) => vec![self.prove(left, env, inner, failed)],
                        None => vec![self.prove(right, env, inner, witness)],
                    },
                    None => vec![self.prove(right, env, inner, minus(at, reach.near))],
                }
            }
            Kind::Eventually(reach, f) | Kind::Always(reach, f) => {
                let Some(far) = far(reach, env) else { return leaf(node, at, (sat, vio)) };
                let always = matches!(node.kind, Kind::Always(..));
                let first = plus(how.since.map_or(at, |since| since.min(at)), reach.near);
                let last = far.map_or(NEVER, |far| plus(at, far));
                if first > last {
                    return leaf(node, at, (sat, vio));
                }
                let both = settle(self, f, env, inner, first, last);
                // What one instant settles, or what every instant had to settle.
                let s = match (always, holds) {
                    (false, true) => both.sat.where_least(),
                    (false, false) => both.vio.where_most(),
                    (true, false) => both.vio.where_least(),
                    (true, true) => both.sat.where_most(),
                };
                if s == NEVER { Vec::new() } else { vec![self.prove(f, env, inner, s)] }
            }
            Kind::Until(reach, left, right) => {
                let Some(far) = far(reach, env) else { return leaf(node, at, (sat, vio)) };
                let start = how.since.map_or(at, |since| since.min(at));
                let (first, last) = (plus(start, reach.near), far.map_or(NEVER, |far| plus(at, far)));
                if first > last {
                    return leaf(node, at, (sat, vio));
                }
                let g = settle(self, right, env, inner, first, last);
                let f = settle(self, left, env, inner, start, last);
                if holds {
                    let s = g.sat.where_least();
                    if s == NEVER { Vec::new() } else { vec![self.prove(right, env, inner, s)] }
                } else {
                    let s = f.vio.where_least();
                    let broken = s != NEVER && f.vio.at(s) == vio;
                    let s = if broken { s } else { g.vio.where_most() };
                    let part = if broken { left } else { right };
                    if s == NEVER { Vec::new() } else { vec![self.prove(part, env, inner, s)] }
                }
            }
        };
        Proof { facts, children, ..leaf(node, at, (sat, vio)) }
    }

    /// All parts of what holds (of a disjunction: of what does not), else the one that settled the matter first.
    fn prove_parts(
        &mut self,
        parts: &[Node],
        env: &mut Env,
        how: How,
        at: Instant,
        all: bool,
        and: bool,
    ) -> Vec<Proof> {
        if all {
            return parts.iter().map(|part| self.prove(part, env, how, at)).collect();
        }
        let settled = |world: &mut Self, env: &mut Env, part: &Node| {
            let (sat, vio) = world.settled(part, env, how, at);
            if and { vio } else { sat }
        };
        let times: Vec<Instant> = parts.iter().map(|part| settled(self, env, part)).collect();
        let first = (0..parts.len()).min_by_key(|&i| times[i]);
        first.map(|i| self.prove(&parts[i], env, how, at)).into_iter().collect()
    }

    fn prove_some(&mut self, names: &[Slot], inner: &Node, env: &mut Env, how: How, at: Instant) -> Vec<Proof> {
        let Some((&name, rest)) = names.split_first() else { return vec![self.prove(inner, env, how, at)] };
        let mut best: Option<(Instant, V)> = None;
        let mut values = self.range(name, inner, env);
        values.insert(V::Fresh);
        for value in values {
            env.set(name, value);
            let sat = self.some_settled(rest, inner, env, how, at);
            env.clear(name);
            if best.is_none_or(|(least, _)| sat < least) || value == V::Fresh && best.is_some_and(|(t, _)| t == NEVER) {
                best = Some((sat, value));
            }
        }
        let Some((_, value)) = best else { return Vec::new() };
        env.set(name, value);
        let proof = self.prove_some(rest, inner, env, how, at);
        env.clear(name);
        proof
    }

    /// The least sat over all values of some variables.
    fn some_settled(&mut self, names: &[Slot], inner: &Node, env: &mut Env, how: How, at: Instant) -> Instant {
        let Some((&name, rest)) = names.split_first() else { return self.settled(inner, env, how, at).0 };
        let mut values = self.range(name, inner, env);
        values.insert(V::Fresh);
        let mut least = NEVER;
        for value in values {
            env.set(name, value);
            least = least.min(self.some_settled(rest, inner, env, how, at));
            env.clear(name);
        }
        least
    }

    fn last_true(&mut self, node: &Node, env: &mut Env, how: How, first: Instant, last: Instant) -> Option<Instant> {
        settle(self, node, env, how, first, last).sat.last_settled()
    }

    fn last_false(&mut self, node: &Node, env: &mut Env, how: How, first: Instant, last: Instant) -> Option<Instant> {
        settle(self, node, env, how, first, last).vio.last_settled()
    }
}

/// The proof of a node without what it follows from.
fn leaf(node: &Node, at: Instant, (sat, vio): (Instant, Instant)) -> Proof {
    let node: Name = node.text.clone();
    Proof {
        node: node.to_string(),
        at,
        holds: sat < vio,
        settled: sat.min(vio),
        facts: Vec::new(),
        children: Vec::new(),
    }
}

/// The one that holds, else the first.
fn better(a: Option<Proof>, b: Option<Proof>) -> Option<Proof> {
    match (a, b) {
        (Some(a), Some(b)) => Some(if !a.holds && b.holds { b } else { a }),
        (a, b) => a.or(b),
    }
}
