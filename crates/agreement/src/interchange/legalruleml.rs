//! LegalRuleML 1.0 in its compact form, as `http://docs.oasis-open.org/legalruleml/ns/v1.0/` defines it.
//!
//! ```text
//! <lrml:PrescriptiveStatement key="C14">                         the duty, where nothing says otherwise
//!   <ruleml:Rule><ruleml:if> lodged(allegation: a, …)
//!     <ruleml:then><lrml:Obligation> bearer y, toward x; eventually, within PT6H, ack(allegation: a, by: y)
//! <lrml:PrescriptiveStatement key="C14.exception.flash"> …       the duty of the exception
//! <lrml:OverrideStatement> over="#C14.exception.flash" under="#C14"
//! <lrml:ReparationStatement key="C14.remedy"> …                  what follows from a breach
//! ```
//!
//! The format has no word for time within a formula, for the calendar, nor for what is asserted and not yet admitted. It
//! lets a document bring operators (`ruleml:Operation`), relations and types of its own: those here begin with `hs:` and are
//! explained in docs/reference/interchange.md, with what they do not carry over. It has a place for whom a duty binds and
//! toward whom, for exceptions and remedies, and for where the law stands; these are said in its own words.
use super::akn::{self, definition_key, key};
use super::work;
use super::xml::{Element, element};
use crate::block::{
    Argument, Bearers, Clauses, CommitmentBlock, Compared, Effect, Exception, Expr, IntWord, Item, Must, Named,
    Operator, Span, Term,
};
use crate::calendar::Tick;
use crate::source::Agreement;
use hamsaya_record::instant::Instant;
use std::collections::{BTreeMap, BTreeSet};

const LRML: &str = "http://docs.oasis-open.org/legalruleml/ns/v1.0/";
/// Operators, relations and types that are ours.
const OURS: &str = "urn:hamsaya:rules:v1:";

pub(super) fn document(agreement: &Agreement) -> Element {
    let mut rules = Rules { agreement, statements: Vec::new(), penalties: BTreeSet::new(), placed: BTreeMap::new() };
    rules.all();
    let prefix = |pre: &str, of: &str| element("lrml:Prefix").with("pre", pre).with("refID", of);
    let penalties = rules.penalties.iter().map(|remedy| penalty(agreement, remedy));
    let context = element("lrml:Context")
        .with("key", "context")
        .child(keyref("lrml:appliesTemporalCharacteristic", "inForce.starts"))
        .child(keyref("lrml:inScope", "rules"));
    element("lrml:LegalRuleML")
        .with("xmlns:lrml", LRML)
        .with("xmlns:ruleml", "http://ruleml.org/spec")
        .with("xmlns:xs", "http://www.w3.org/2001/XMLSchema")
        .with("xmlns:xsi", "http://www.w3.org/2001/XMLSchema-instance")
        .child(prefix("ag", &format!("{}/!rules#", work(agreement))))
        .child(prefix("hs", OURS))
        .child(prefix("lv", &format!("{LRML}vocab#")))
        .child(references(agreement))
        .children(times(agreement))
        .child(agents(agreement))
        .child(roles(agreement))
        .child(associations(&rules.placed))
        .children(agreement.in_force().map(|_| context))
        .child(element("lrml:Statements").with("key", "rules").children(rules.statements).children(penalties))
}

fn keyref(name: &'static str, key: &str) -> Element {
    element(name).with("keyref", format!("#{key}"))
}

fn has_type(iri: String) -> Element {
    element("lrml:hasType").with("iri", iri)
}

/// Every paragraph and article, by its address in the Akoma Ntoso document.
fn references(agreement: &Agreement) -> Element {
    let addresses = agreement.articles().iter().flat_map(|a| {
        let below = a.paragraphs.iter().map(|p| &p.address);
        [&a.address].into_iter().chain(below)
    });
    let references = addresses.map(|address| {
        element("lrml:LegalReference")
            .with("refersTo", reference_key(address))
            .with("refID", format!("{}/!main#{address}", work(agreement)))
            .with("refIDSystemName", "AkomaNtoso3.0")
    });
    element("lrml:LegalReferences").children(references)
}

fn reference_key(address: &str) -> String {
    format!("ref.{address}")
}

/// From when all of it binds.
fn times(agreement: &Agreement) -> Vec<Element> {
    let Some(bound) = agreement.in_force() else { return Vec::new() };
    let time = element("ruleml:Time").with("key", ":inForce").child(data("xs:dateTime", bound.to_string()));
    let starts = element("lrml:TemporalCharacteristic")
        .with("key", "inForce.starts")
        .child(element("lrml:forStatus").with("iri", "lv:InForce"))
        .child(element("lrml:hasStatusDevelopment").with("iri", "lv:Starts"))
        .child(keyref("lrml:atTime", "inForce"));
    vec![element("lrml:Times").child(time), element("lrml:TemporalCharacteristics").child(starts)]
}

fn agent_key(name: &str) -> String {
    format!("agent.{}", akn::identifier(name))
}

fn agents(agreement: &Agreement) -> Element {
    let agents = agreement.members().iter().map(|m| {
        element("lrml:Agent")
            .with("key", agent_key(&m.name))
            .with_some("sameAs", m.origin.as_ref().map(|origin| format!("urn:hamsaya:origin:{origin}")))
            .child(has_type(format!("hs:{}", m.role.word())))
    });
    element("lrml:Agents").children(agents)
}

/// Offices that rules name. One that no member fills stands empty.
fn roles(agreement: &Agreement) -> Element {
    let roles = agreement.charter().roles.iter().map(|(role, filled)| {
        let member = agreement.members().iter().find(|m| m.name == *filled);
        element("lrml:Role")
            .with("key", format!("role.{role}"))
            .with("iri", format!("ag:role.{role}"))
            .children(member.map(|m| keyref("lrml:filledBy", &agent_key(&m.name))))
    });
    element("lrml:Roles").children(roles)
}

/// Which statements render which paragraph.
fn associations(placed: &BTreeMap<String, Vec<String>>) -> Element {
    let associations = placed.iter().map(|(address, keys)| {
        let source = keyref("lrml:appliesSource", &reference_key(address));
        let targets = keys.iter().map(|key| keyref("lrml:toTarget", key));
        element("lrml:Association").child(source).children(targets)
    });
    element("lrml:Associations").children(associations)
}

fn penalty_key(remedy: &str) -> String {
    format!("remedy.{}", akn::identifier(remedy))
}

/// What a remedy is: a commitment that the breach opens, or a measure that the text describes.
fn penalty(agreement: &Agreement, remedy: &str) -> Element {
    let opens = agreement.commitments().iter().any(|c| c.id == *remedy);
    let relation = if opens { "hs:opens" } else { "hs:measure" };
    let individual = element("ruleml:Ind").with("iri", format!("ag:{remedy}"));
    element("lrml:PenaltyStatement").with("key", penalty_key(remedy)).child(atom(relation, [individual]))
}

/// The statements of all rule blocks, and what they refer to.
struct Rules<'a> {
    agreement: &'a Agreement,
    statements: Vec<Element>,
    penalties: BTreeSet<String>,
    /// Keys of statements by the address of the paragraph that they render.
    placed: BTreeMap<String, Vec<String>>,
}

impl<'a> Rules<'a> {
    fn all(&mut self) {
        let agreement = self.agreement;
        let mut cases = BTreeMap::<&str, usize>::new();
        for source in agreement.items() {
            match &source.item {
                Item::Broken(_) => {}
                Item::Define(define) => {
                    let key = case_key(&mut cases, &define.name.name);
                    let rule = self.definition(&define.name, &define.head, &define.body);
                    self.constitutive(&source.file, &define.name, key, "hs:defined", rule);
                }
                Item::Assert(assert) => {
                    let key = case_key(&mut cases, &assert.name.name);
                    let rule = self.definition(&assert.name, &assert.head, &assert.asserted);
                    self.constitutive(&source.file, &assert.name, key.clone(), "hs:asserted", rule);
                    if let Some(admitted) = &assert.admitted {
                        let rule = self.definition(&assert.name, &assert.head, admitted);
                        self.constitutive(&source.file, &assert.name, format!("{key}.admitted"), "hs:admitted", rule);
                    }
                }
                Item::Commitment(block) => {
                    let address = agreement.commitments().get(source.first_commitment).map(|c| c.address.as_str());
                    self.commitment(block, address.unwrap_or_default());
                }
            }
        }
    }

    fn place(&mut self, address: &str, key: String) {
        self.placed.entry(address.to_string()).or_default().push(key);
    }

    fn definition(&self, name: &Named, head: &[Argument], body: &Expr) -> Element {
        let scope = Scope { agreement: self.agreement, lets: BTreeMap::new() };
        let head = scope.atom(&format!("ag:{}", name.name), head);
        element("ruleml:Rule")
            .with("closure", "universal")
            .child(element("ruleml:if").child(scope.formula(body, Inside::AnyFormula)))
            .child(element("ruleml:then").child(head))
    }

    fn constitutive(&mut self, file: &str, name: &Named, key: String, what: &str, rule: Element) {
        if let Some(address) = akn::standing(self.agreement, file, name.at.line) {
            self.place(&address, key.clone());
        }
        let statement = element("lrml:ConstitutiveStatement").with("key", key).child(has_type(what.into()));
        self.statements.push(statement.child(rule));
    }

    fn commitment(&mut self, block: &CommitmentBlock, address: &str) {
        if let Some(by) = &block.audited {
            // No rule can look: who does stands in the comment, as the block says it. Beside parts it is the rest.
            let id = &block.id.name;
            let key = if block.parts.is_empty() { id.clone() } else { format!("{id}.rest.audited") };
            self.place(address, key.clone());
            let statement = element("lrml:PrescriptiveStatement")
                .with("key", key)
                .child(element("lrml:Comment").text(by))
                .children(types(block))
                .child(has_type("hs:audited".into()));
            self.statements.push(statement);
        }
        for clauses in &block.parts {
            let lets = block.lets.iter().chain(&clauses.lets).map(|(n, f)| (n.name.as_str(), f)).collect();
            let scope = Scope { agreement: self.agreement, lets };
            let key = key(&block.id.name, clauses.part.as_ref().map(|p| p.name.as_str()));
            self.part(block, clauses, &scope, &key, address);
        }
    }

    fn part(&mut self, block: &CommitmentBlock, clauses: &Clauses, scope: &Scope, key: &str, address: &str) {
        let (Some(opens), Some(must), Some(bearers)) = (&clauses.opens, &clauses.must, &clauses.bearer) else { return };
        let duty = Duty { scope, opens, must, bearers, toward: &clauses.toward };
        let mut types = types(block);
        types.extend(clauses.by_receipt.then(|| has_type("hs:byReceipt".into())));
        let mut add = |key: String, rule: Element| {
            self.place(address, key.clone());
            let statement = element("lrml:PrescriptiveStatement").with("key", key).children(types.iter().cloned());
            self.statements.push(statement.child(rule));
        };
        add(key.to_string(), duty.plain());
        let exception_key = |name: &str| format!("{key}.exception.{name}");
        for exception in &clauses.exceptions {
            add(exception_key(&exception.name.name), duty.under(exception));
        }
        for (n, lapse) in clauses.lapses.iter().enumerate() {
            add(format!("{key}.lapse.{}", n + 1), duty.lapsed(lapse));
        }
        for exception in &clauses.exceptions {
            let over = exception_key(&exception.name.name);
            self.overrides(&over, key);
            if let Some(weaker) = &exception.over {
                self.overrides(&over, &exception_key(&weaker.name));
            }
        }
        for n in 1..=clauses.lapses.len() {
            self.overrides(&format!("{key}.lapse.{n}"), key);
        }
        self.repair(key, &clauses.remedies);
    }

    fn overrides(&mut self, over: &str, under: &str) {
        let pair = element("lrml:Override").with("over", format!("#{over}")).with("under", format!("#{under}"));
        self.statements.push(element("lrml:OverrideStatement").child(pair));
    }

    fn repair(&mut self, key: &str, remedies: &[String]) {
        if remedies.is_empty() {
            return;
        }
        self.penalties.extend(remedies.iter().cloned());
        let penalties = remedies.iter().map(|remedy| keyref("lrml:appliesPenalty", &penalty_key(remedy)));
        let reparation =
            element("lrml:Reparation").children(penalties).child(keyref("lrml:toPrescriptiveStatement", key));
        let statement = element("lrml:ReparationStatement").with("key", format!("{key}.remedy"));
        self.statements.push(statement.child(reparation));
    }
}

/// `def.absent`, then `def.absent.2` for another case of the same definition.
fn case_key<'a>(cases: &mut BTreeMap<&'a str, usize>, name: &'a str) -> String {
    let n = cases.entry(name).or_default();
    *n += 1;
    if *n == 1 { definition_key(name) } else { format!("{}.{n}", definition_key(name)) }
}

fn types(block: &CommitmentBlock) -> Vec<Element> {
    let severity = format!("severity{}", block.severity);
    block.nature.split(", ").chain([severity.as_str()]).map(|t| has_type(format!("hs:{t}"))).collect()
}

/// A part of a commitment, as its rules are made from it.
struct Duty<'a> {
    scope: &'a Scope<'a>,
    opens: &'a Expr,
    must: &'a Must,
    bearers: &'a Bearers,
    toward: &'a [Named],
}

impl Duty<'_> {
    fn plain(&self) -> Element {
        let premise = self.scope.formula(self.opens, Inside::AnyFormula);
        rule("lrml:DefeasibleStrength", premise, self.demand(self.bearers, None))
    }

    /// Under an exception the duty has another clock or another bearer, or is none.
    fn under(&self, exception: &Exception) -> Element {
        let premise = [self.opens, &exception.when].map(|f| self.scope.formula(f, Inside::AnyFormula));
        let premise = element("ruleml:And").children(premise);
        match &exception.effect {
            Effect::Within(d) | Effect::For(d) => {
                rule("lrml:DefeasibleStrength", premise, self.demand(self.bearers, Some(*d)))
            }
            Effect::Bearer(other) => rule("lrml:DefeasibleStrength", premise, self.demand(other, None)),
            Effect::None => rule("lrml:Defeater", premise, self.leave()),
        }
    }

    /// What was opened ends without breach.
    fn lapsed(&self, lapse: &Expr) -> Element {
        let opened = operation("hs:once", [interval(0, None), self.scope.formula(self.opens, Inside::AnyFormula)]);
        let premise = element("ruleml:And").child(opened).child(self.scope.formula(lapse, Inside::AnyFormula));
        rule("lrml:Defeater", premise, self.leave())
    }

    /// What must be, or must not.
    fn demand(&self, bearers: &Bearers, instead: Option<i64>) -> Element {
        let name = if self.is_barred() { "lrml:Prohibition" } else { "lrml:Obligation" };
        element(name).children(self.slots(bearers)).child(self.course(instead))
    }

    /// Nothing is owed: leave to do what was barred, or not to do what was asked.
    fn leave(&self) -> Element {
        let course = self.course(None);
        let course = if self.is_barred() { course } else { element("ruleml:Neg").child(course) };
        element("lrml:Permission").children(self.slots(self.bearers)).child(course)
    }

    fn is_barred(&self) -> bool {
        matches!(self.must, Must::NotFor(..) | Must::NotUntil(..))
    }

    /// The course of things that is owed or barred, with its clock.
    fn course(&self, instead: Option<i64>) -> Element {
        let inside = |f: &Expr| self.scope.formula(f, Inside::AnyFormula);
        match self.must {
            Must::Now(f) => self.scope.formula(f, Inside::Strong),
            Must::Within(f, d) | Must::NotFor(f, d) => {
                operation("hs:eventually", [interval(0, Some(instead.unwrap_or(*d))), inside(f)])
            }
            Must::NotUntil(f, g) => operation("hs:before", [inside(f), inside(g)]),
        }
    }

    fn slots(&self, bearers: &Bearers) -> Vec<Element> {
        let slot = |role: Element, name: &Named| element("ruleml:slot").child(role).child(self.scope.named(name));
        // One duty of all of them, or one of each: the format has a word for neither.
        let how = match (bearers.names.len(), bearers.jointly) {
            (0 | 1, _) => None,
            (_, true) => Some("hs:jointly"),
            (_, false) => Some("hs:each"),
        };
        let bound = bearers.names.iter().map(|n| slot(element("lrml:Bearer").with_some("iri", how), n));
        bound.chain(self.toward.iter().map(|n| slot(element("lrml:AuxiliaryParty"), n))).collect()
    }
}

fn rule(strength: &'static str, premise: Element, conclusion: Element) -> Element {
    element("ruleml:Rule")
        .with("closure", "universal")
        .child(element("lrml:hasStrength").child(element(strength)))
        .child(element("ruleml:if").child(premise))
        .child(element("ruleml:then").child(conclusion))
}

fn operation(iri: &str, operands: impl IntoIterator<Item = Element>) -> Element {
    element("ruleml:Operation").with("type", iri).children(operands)
}

/// Seconds away, both ends included; without a second end, without end.
fn interval(from: i64, to: Option<i64>) -> Element {
    let ends = [Some(from), to].into_iter().flatten();
    element("ruleml:Interval").children(ends.map(|s| data("xs:duration", duration(s))))
}

fn duration(seconds: i64) -> String {
    let sign = if seconds < 0 { "-" } else { "" };
    match seconds.unsigned_abs() {
        0 => "PT0S".into(),
        s if s % 86_400 == 0 => format!("{sign}P{}D", s / 86_400),
        s if s % 3_600 == 0 => format!("{sign}PT{}H", s / 3_600),
        s if s % 60 == 0 => format!("{sign}PT{}M", s / 60),
        s => format!("{sign}PT{s}S"),
    }
}

fn atom(relation: &str, arguments: impl IntoIterator<Item = Element>) -> Element {
    element("ruleml:Atom").child(element("ruleml:Rel").with("iri", relation)).children(arguments)
}

fn data(kind: &str, value: impl Into<String>) -> Element {
    element("ruleml:Data").with("xsi:type", kind).text(value)
}

/// Where a formula stands. Negation as failure, which is what `not` means to a monitor, may not stand everywhere.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Inside {
    /// `if`, `And`, `Or`, `Operation`.
    AnyFormula,
    /// A quantifier, a negation, what is owed.
    Strong,
}

/// What the names in a formula stand for.
struct Scope<'a> {
    agreement: &'a Agreement,
    lets: BTreeMap<&'a str, &'a Expr>,
}

impl Scope<'_> {
    fn formula(&self, f: &Expr, inside: Inside) -> Element {
        let any = |f: &Expr| self.formula(f, Inside::AnyFormula);
        let timed = |iri: &str, span: &Span, all: &[&Expr]| {
            let window = interval(span.from, span.to);
            operation(iri, [window].into_iter().chain(all.iter().map(|f| any(f))))
        };
        match f {
            Expr::Atom { name, args } => self.atom(&format!("ag:{}", name.name), args),
            // Stands for what it was let be. The reader has refused a name that is its own.
            Expr::Let(name) => match self.lets.get(name.name.as_str()) {
                Some(f) => self.formula(f, inside),
                None => atom(&format!("ag:{}", name.name), []),
            },
            Expr::Breached { commitment, part, term } => {
                let all = self.agreement.commitments().iter().filter(|c| c.id == commitment.name);
                let parts = all.filter(|c| part.as_ref().is_none_or(|p| c.part.as_ref() == Some(&p.name)));
                let violations = parts.map(|c| keyref("lrml:Violation", &key(&c.id, c.part.as_deref())));
                operation("hs:breached", violations.chain([atom("hs:of", [self.term(term)])]))
            }
            Expr::Each { tick, name, .. } => {
                let word = data("xs:string", tick.word());
                let named = name.as_ref().map(|n| self.named(n));
                atom("hs:each", [word].into_iter().chain(tick_more(tick)).chain(named))
            }
            Expr::Reached(term) => atom("hs:reached", [self.term(term)]),
            Expr::Compare { left, op, right, .. } => self.compare(left, *op, right),
            Expr::Not(f) => {
                let not = element("ruleml:Naf").child(self.formula(f, Inside::Strong));
                if inside == Inside::AnyFormula { not } else { element("ruleml:And").child(not) }
            }
            Expr::And(all) => element("ruleml:And").children(all.iter().map(any)),
            Expr::Or(all) => element("ruleml:Or").children(all.iter().map(any)),
            Expr::Exists(names, f) => element("ruleml:Exists")
                .children(names.iter().map(|n| element("ruleml:Var").text(&n.name)))
                .child(self.formula(f, Inside::Strong)),
            Expr::Once(span, f) => timed("hs:once", span, &[f]),
            Expr::Historically(span, f) => timed("hs:historically", span, &[f]),
            Expr::Eventually(span, f) => timed("hs:eventually", span, &[f]),
            Expr::Always(span, f) => timed("hs:always", span, &[f]),
            Expr::Since(span, a, b) => timed("hs:since", span, &[a, b]),
            Expr::Until(span, a, b) => timed("hs:until", span, &[a, b]),
            Expr::Seconds { window, formula, at_least } => {
                timed("hs:seconds", window, &[formula]).child(interval(*at_least, None))
            }
        }
    }

    /// Arguments go by name: a field that is not named has some value.
    fn atom(&self, relation: &str, arguments: &[Argument]) -> Element {
        let named = arguments.iter().filter(|a| !matches!(a.term, Term::Any(_)));
        let slots = named
            .map(|a| element("ruleml:slot").child(element("ruleml:Ind").text(&a.field.name)).child(self.term(&a.term)));
        atom(relation, slots)
    }

    fn compare(&self, left: &Term, op: Compared, right: &Term) -> Element {
        let sides = [self.term(left), self.term(right)];
        let relation = match op {
            Compared::Equal => return element("ruleml:Equal").children(sides),
            Compared::NotEqual => "hs:notEqual",
            Compared::Less => "hs:less",
            Compared::LessOrEqual => "hs:atMost",
            Compared::Greater => "hs:greater",
            Compared::GreaterOrEqual => "hs:atLeast",
        };
        atom(relation, sides)
    }

    fn term(&self, term: &Term) -> Element {
        let function = |iri: &str| element("ruleml:Expr").child(element("ruleml:Fun").with("iri", iri));
        match term {
            Term::Var(name) => self.named(name),
            Term::Text(text, _) => data("xs:string", text),
            Term::Int(n, IntWord::Count, _) => data("xs:integer", n.to_string()),
            Term::Int(n, IntWord::Duration, _) => data("xs:duration", duration(*n)),
            Term::Int(n, IntWord::Truth, _) => data("xs:boolean", if *n == 0 { "false" } else { "true" }),
            Term::Int(n, IntWord::Instant, _) => data("xs:dateTime", Instant(*n).to_string()),
            Term::Any(_) => element("ruleml:Skolem"),
            Term::Sum(a, op, b) => {
                let iri = match op {
                    Operator::Plus => "hs:plus",
                    Operator::Minus => "hs:minus",
                    Operator::Times => "hs:times",
                };
                function(iri).child(self.term(a)).child(self.term(b))
            }
            Term::Metres(metres) => {
                let iri = if metres.to.is_some() { "hs:distance_m" } else { "hs:extent_m" };
                function(iri).child(self.named(&metres.of)).children(metres.to.as_ref().map(|to| self.named(to)))
            }
        }
    }

    /// A variable, or whom an office stands for.
    fn named(&self, name: &Named) -> Element {
        match self.agreement.charter().roles.get(&name.name) {
            Some(_) => element("ruleml:Ind").with("iri", format!("ag:role.{}", name.name)),
            None => element("ruleml:Var").text(&name.name),
        }
    }
}

/// What says when a tick is, beside its word.
fn tick_more(tick: &Tick) -> Vec<Element> {
    match tick {
        Tick::Every { seconds, from } => {
            vec![data("xs:duration", duration(*seconds)), data("xs:dateTime", Instant(*from).to_string())]
        }
        _ => Vec::new(),
    }
}
