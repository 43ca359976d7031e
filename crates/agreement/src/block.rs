//! The rule block under a paragraph, read into a tree.
//!
//! ```text
//! commitment C14 : result, severity C
//!   opens      lodged(allegation: a, by: x, against: y)
//!   bearer y   toward x
//!   must       ack(allegation: a, by: y)  within 6 h
//!   exception  flash: within 1 h  when flash(allegation: a)
//!   remedy     M1
//! ```
//!
//! A reader that knows words and order, nothing of kinds: what the names mean is settled in `lower`. A wrong clause is
//! reported and skipped up to the next one, so that all errors of a block are reported at once.
use crate::calendar::Tick;
use crate::keywords;
use crate::source::Diagnostic;
use hamsaya_record::instant::Instant;
use std::collections::BTreeSet;
use std::ops::Range;

/// Where something stands in its file: line and column from 1, in characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct At {
    pub line: usize,
    pub column: usize,
}

/// A name and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Named {
    pub name: String,
    pub at: At,
}

/// A term of an atom or a comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Term {
    Var(Named),
    Text(String, At),
    /// A count, a duration in seconds, or a truth value.
    Int(i64, IntWord, At),
    Any(At),
    Sum(Box<Term>, Operator, Box<Term>),
    Metres(Box<Metres>),
}

/// Metres of a place: `distance_m(p, line)` or `extent_m(p)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Metres {
    pub of: Named,
    pub to: Option<Named>,
    pub at: At,
}

/// As what a number was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IntWord {
    Count,
    Duration,
    Truth,
    Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    Plus,
    Minus,
    Times,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compared {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// Seconds away, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub from: i64,
    pub to: Option<i64>,
}

/// One argument of an atom: its field, and what it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Argument {
    pub field: Named,
    pub term: Term,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Expr {
    Atom {
        name: Named,
        args: Vec<Argument>,
    },
    /// A name without parentheses: a `let`.
    Let(Named),
    Breached {
        commitment: Named,
        part: Option<Named>,
        term: Term,
    },
    /// A tick of the calendar, and what its own value is called.
    Each {
        tick: Tick,
        name: Option<Named>,
        at: At,
    },
    /// True from this instant on.
    Reached(Term),
    Compare {
        left: Term,
        op: Compared,
        right: Term,
        at: At,
    },
    Not(Box<Expr>),
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Exists(Vec<Named>, Box<Expr>),
    Once(Span, Box<Expr>),
    Historically(Span, Box<Expr>),
    Eventually(Span, Box<Expr>),
    Always(Span, Box<Expr>),
    Since(Span, Box<Expr>, Box<Expr>),
    Until(Span, Box<Expr>, Box<Expr>),
    Seconds {
        window: Span,
        formula: Box<Expr>,
        at_least: i64,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Define {
    pub name: Named,
    pub head: Vec<Argument>,
    pub body: Expr,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Assert {
    pub name: Named,
    pub head: Vec<Argument>,
    pub asserted: Expr,
    pub admitted: Option<Expr>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Must {
    Now(Expr),
    Within(Expr, i64),
    NotFor(Expr, i64),
    NotUntil(Expr, Expr),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    Within(i64),
    For(i64),
    None,
    Bearer(Bearers),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bearers {
    pub names: Vec<Named>,
    pub jointly: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Exception {
    pub name: Named,
    pub effect: Effect,
    pub when: Expr,
    pub over: Option<Named>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Clauses {
    pub part: Option<Named>,
    pub at: At,
    pub lets: Vec<(Named, Expr)>,
    pub opens: Option<Expr>,
    pub bearer: Option<Bearers>,
    pub toward: Vec<Named>,
    pub must: Option<Must>,
    /// What both ends have logged counts when it was stated (R2).
    pub by_receipt: bool,
    pub lapses: Vec<Expr>,
    pub exceptions: Vec<Exception>,
    pub remedies: Vec<String>,
    /// A clause could not be read: what is missing is not missed.
    pub broken: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CommitmentBlock {
    pub id: Named,
    pub nature: String,
    pub severity: String,
    /// `let`s before the first part: they hold in every part.
    pub lets: Vec<(Named, Expr)>,
    pub audited: Option<String>,
    pub parts: Vec<Clauses>,
    /// A clause could not be read.
    pub broken: bool,
    /// First and last line of the block it stands in, within that block's text.
    pub lines: (usize, usize),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Item {
    /// A definition that could not be read: its name is known all the same.
    Broken(Named),
    Define(Define),
    Assert(Assert),
    Commitment(CommitmentBlock),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Word {
    Name(String),
    Text(String),
    Number(i64),
    Instant(i64),
    Sign(&'static str),
    End,
}

impl Word {
    fn found(&self) -> String {
        match self {
            Word::Name(n) => format!("`{n}`"),
            Word::Text(t) => format!("the text \"{t}\""),
            Word::Number(n) => format!("`{n}`"),
            Word::Instant(i) => format!("`{}`", Instant(*i)),
            Word::Sign(s) => format!("`{s}`"),
            Word::End => "the end of the block".into(),
        }
    }
}

#[derive(Clone, Debug)]
struct Token {
    word: Word,
    at: At,
    starts_line: bool,
    /// Byte range within the block.
    from: usize,
    to: usize,
}

/// Words that begin a clause, wherever a line begins with one.
const CLAUSES: &[&str] = &[
    "define",
    "assert",
    "commitment",
    "part",
    "let",
    "opens",
    "bearer",
    "must",
    "lapses",
    "exception",
    "remedy",
    "audited",
];
const ITEMS: &[&str] = &["define", "assert", "commitment"];
/// Length of an instant like `2026-11-24T20:00:00Z`.
const INSTANT: usize = 20;
/// Words that end a term: a variable after a tick has another name.
const AFTER: &[&str] = &["and", "or", "since", "until", "toward", "for", "within", "when", "over", "admitted"];
/// How deep formulas may nest: deeper ones are not law that anybody reads, and must not exhaust the stack.
const DEPTH_MAX: usize = 64;
/// How many commas, conjuncts or disjuncts; a bound on work, far above any agreement.
const NATURES: &[&str] = &["conduct", "result", "prohibition", "power", "permission"];

/// A problem was reported; the caller skips to the next clause.
struct Reported;
type Read<T> = Result<T, Reported>;

/// Reads a block that begins in `file` at line `first_line` (the line after the fence), with keywords in `language`.
pub(crate) fn read(
    file: &str,
    first_line: usize,
    language: &str,
    source: &str,
    problems: &mut Vec<Diagnostic>,
) -> Vec<Item> {
    let mut reader = Reader::new(file, source, problems);
    reader.tokenize(first_line, language);
    reader.items(first_line)
}

/// Where the keywords of a block stand, in order, each with its English form.
pub(crate) fn keywords(source: &str, language: &str) -> Vec<(Range<usize>, String)> {
    let mut problems = Vec::new();
    let mut reader = Reader::new("", source, &mut problems);
    reader.tokenize(1, language);
    reader.items(1);
    let tokens = reader.keywords.iter().map(|n| &reader.tokens[*n]);
    let word = |t: &Token| match &t.word {
        Word::Name(n) => Some((t.from..t.to, n.clone())),
        _ => None,
    };
    tokens.filter_map(word).collect()
}

struct Reader<'a> {
    file: &'a str,
    source: &'a str,
    tokens: Vec<Token>,
    next: usize,
    depth: usize,
    /// Tokens that were read as keywords.
    keywords: BTreeSet<usize>,
    problems: &'a mut Vec<Diagnostic>,
}

impl<'a> Reader<'a> {
    fn new(file: &'a str, source: &'a str, problems: &'a mut Vec<Diagnostic>) -> Self {
        Reader { file, source, tokens: Vec::new(), next: 0, depth: 0, keywords: BTreeSet::new(), problems }
    }

    fn problem(&mut self, at: At, message: impl Into<String>, hint: impl Into<String>) -> Reported {
        let hint = hint.into();
        self.problems.push(Diagnostic {
            file: self.file.into(),
            line: at.line,
            column: at.column,
            message: message.into(),
            hint: (!hint.is_empty()).then_some(hint),
        });
        Reported
    }

    fn tokenize(&mut self, first_line: usize, language: &str) {
        const SIGNS: &[&str] =
            &["!=", "<=", ">=", "(", ")", "[", "]", ",", ":", ".", "=", "<", ">", "+", "-", "*", "≠", "≤", "≥"];
        let mut offset = 0;
        for (n, line) in self.source.split('\n').enumerate() {
            let mut starts_line = true;
            let mut rest = line;
            while !rest.is_empty() {
                let at = At { line: first_line + n, column: line[..line.len() - rest.len()].chars().count() + 1 };
                let from = offset + line.len() - rest.len();
                let mut push = |word: Word, length: usize| {
                    self.tokens.push(Token { word, at, starts_line, from, to: from + length });
                    starts_line = false;
                    length
                };
                let first = rest.chars().next().unwrap_or(' ');
                let length = if first == '#' {
                    rest.len()
                } else if first.is_whitespace() {
                    first.len_utf8()
                } else if let Some(Ok(instant)) = rest.get(..INSTANT).map(str::parse::<Instant>) {
                    push(Word::Instant(instant.0), INSTANT)
                } else if first.is_ascii_digit() {
                    let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
                    match rest[..digits].parse() {
                        Ok(number) => push(Word::Number(number), digits),
                        Err(_) => {
                            self.problem(
                                at,
                                format!("found the number `{}`", &rest[..digits]),
                                "numbers end at 2^63 - 1",
                            );
                            digits
                        }
                    }
                } else if first.is_ascii_alphabetic() || first == '_' {
                    let length =
                        rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '_').len();
                    push(Word::Name(rest[..length].into()), length)
                } else if first == '"' {
                    match rest[1..].find('"') {
                        Some(end) => push(Word::Text(rest[1..1 + end].into()), end + 2),
                        None => {
                            self.problem(at, "found a text without end", "close it with `\"` on the same line");
                            rest.len()
                        }
                    }
                } else if let Some(sign) = SIGNS.iter().find(|s| rest.starts_with(**s)) {
                    let sign: &'static str = match *sign {
                        "≠" => "!=",
                        "≤" => "<=",
                        "≥" => ">=",
                        other => other,
                    };
                    let length = if first.is_ascii() { sign.len() } else { first.len_utf8() };
                    push(Word::Sign(sign), length)
                } else {
                    let ends = |c: char| c.is_ascii() || c.is_whitespace() || "≠≤≥".contains(c);
                    let foreign = &rest[..rest.find(ends).unwrap_or(rest.len())];
                    match keywords::english(foreign, language) {
                        Some(english) => push(Word::Name(english.into()), foreign.len()),
                        None => {
                            let message = format!("found `{foreign}`, which is no keyword in `{language}`");
                            self.problem(at, message, keywords::hint(foreign, language));
                            foreign.len().max(first.len_utf8())
                        }
                    }
                };
                rest = &rest[length..];
            }
            offset += line.len() + 1;
        }
        let last_line = first_line + self.source.split('\n').count() - 1;
        let at = self.tokens.last().map_or(At { line: first_line, column: 1 }, |t| At { line: last_line, ..t.at });
        let end = self.source.len();
        self.tokens.push(Token { word: Word::End, at, starts_line: true, from: end, to: end });
    }

    fn token(&self) -> &Token {
        &self.tokens[self.next.min(self.tokens.len() - 1)]
    }
    fn at(&self) -> At {
        self.token().at
    }
    fn step(&mut self) -> Token {
        let token = self.token().clone();
        self.next = (self.next + 1).min(self.tokens.len() - 1);
        token
    }
    fn is(&self, name: &str) -> bool {
        matches!(&self.token().word, Word::Name(n) if n == name)
    }
    fn is_sign(&self, sign: &str) -> bool {
        matches!(&self.token().word, Word::Sign(s) if *s == sign)
    }
    fn peek_sign(&self, ahead: usize, sign: &str) -> bool {
        matches!(self.tokens.get(self.next + ahead).map(|t| &t.word), Some(Word::Sign(s)) if *s == sign)
    }
    /// Steps over a keyword.
    fn keyword(&mut self) -> Token {
        self.keywords.insert(self.next);
        self.step()
    }
    fn take(&mut self, name: &str) -> bool {
        let is = self.is(name);
        if is {
            self.keyword();
        }
        is
    }
    fn take_sign(&mut self, sign: &str) -> bool {
        let is = self.is_sign(sign);
        if is {
            self.step();
        }
        is
    }
    fn found(&self) -> String {
        self.token().word.found()
    }
    fn expected(&mut self, allowed: &str, hint: &str) -> Reported {
        let (at, found) = (self.at(), self.found());
        self.problem(at, format!("found {found}, allowed is {allowed}"), hint)
    }
    fn sign(&mut self, sign: &'static str, hint: &str) -> Read<()> {
        if self.take_sign(sign) { Ok(()) } else { Err(self.expected(&format!("`{sign}`"), hint)) }
    }
    fn word(&mut self, name: &str, hint: &str) -> Read<()> {
        if self.take(name) { Ok(()) } else { Err(self.expected(&format!("`{name}`"), hint)) }
    }
    fn name(&mut self, what: &str, hint: &str) -> Read<Named> {
        match &self.token().word {
            Word::Name(n) => {
                let named = Named { name: n.clone(), at: self.at() };
                self.step();
                Ok(named)
            }
            _ => Err(self.expected(what, hint)),
        }
    }
    fn begins_clause(&self) -> bool {
        let token = self.token();
        match &token.word {
            Word::End => true,
            Word::Name(n) => token.starts_line && CLAUSES.contains(&n.as_str()),
            _ => false,
        }
    }
    fn begins_item(&self) -> bool {
        let token = self.token();
        match &token.word {
            Word::End => true,
            Word::Name(n) => token.starts_line && ITEMS.contains(&n.as_str()),
            _ => false,
        }
    }
    /// After a problem: on to the next line that begins a clause.
    fn skip(&mut self) {
        self.depth = 0;
        while !self.begins_clause() {
            self.step();
        }
    }
    /// After a clause: what follows must begin the next one.
    fn clause_ends(&mut self) -> Read<()> {
        let inline =
            |r: &Self| matches!(&r.token().word, Word::Name(n) if CLAUSES.contains(&n.as_str()) || n == "toward");
        if self.begins_clause() || inline(self) {
            return Ok(());
        }
        Err(self.expected(
            "the next clause",
            "one statement a line; a formula goes on with `and`, `or`, `since` or `until`",
        ))
    }

    fn items(&mut self, first_line: usize) -> Vec<Item> {
        let mut items = Vec::new();
        loop {
            let before = self.next;
            let item =
                match &self.token().word {
                    Word::End => return items,
                    Word::Name(n) if n == "define" => self.define().map(Item::Define),
                    Word::Name(n) if n == "assert" => self.assert().map(Item::Assert),
                    Word::Name(n) if n == "commitment" => self.commitment(first_line).map(Item::Commitment),
                    _ => Err(self
                        .expected("`define`, `assert` or `commitment`", "a block holds definitions and commitments")),
                };
            match item {
                Ok(item) => items.push(item),
                Err(Reported) => {
                    if let Some(Token { word: Word::Name(name), at, .. }) = self.tokens.get(before + 1) {
                        items.push(Item::Broken(Named { name: name.clone(), at: *at }));
                    }
                    if self.next == before {
                        self.step();
                    }
                    self.depth = 0;
                    while !self.begins_item() {
                        self.step();
                    }
                }
            }
        }
    }

    fn define(&mut self) -> Read<Define> {
        self.keyword();
        let name = self.name("the name of the definition", "e.g. `define flash(allegation: a) when …`")?;
        let head = self.arguments()?;
        self.word("when", "a definition reads `define NAME(field: variable) when formula`")?;
        let body = self.formula()?;
        self.clause_ends()?;
        Ok(Define { name, head, body })
    }

    fn assert(&mut self) -> Read<Assert> {
        self.keyword();
        let name = self.name("the name of what is asserted", "e.g. `assert backed(allegation: a) when …`")?;
        let head = self.arguments()?;
        self.word("when", "it reads `assert NAME(field: variable) when formula admitted when formula`")?;
        let asserted = self.formula()?;
        let admitted = if self.take("admitted") {
            self.word("when", "it reads `assert NAME(field: variable) when formula admitted when formula`")?;
            Some(self.formula()?)
        } else {
            None
        };
        self.clause_ends()?;
        Ok(Assert { name, head, asserted, admitted })
    }

    fn commitment(&mut self, first_line: usize) -> Read<CommitmentBlock> {
        const HEAD: &str = "e.g. `commitment C14 : result, severity C`";
        let begin = self.token().at.line - first_line;
        self.keyword();
        let id = self.name("the commitment's number", HEAD)?;
        self.sign(":", HEAD)?;
        let mut nature = Vec::new();
        loop {
            let at = self.at();
            if matches!(&self.token().word, Word::Name(n) if NATURES.contains(&n.as_str())) {
                self.keywords.insert(self.next);
            }
            let name = self.name("conduct, result, prohibition, power or permission", HEAD)?;
            if !NATURES.contains(&name.name.as_str()) {
                self.problem(
                    at,
                    format!("commitment {}: found `{}`, allowed is {}", id.name, name.name, NATURES.join(", ")),
                    HEAD,
                );
            }
            nature.push(name.name);
            if !self.take_sign(",") {
                return Err(self.expected("`, severity`", HEAD));
            }
            if self.take("severity") {
                break;
            }
        }
        let at = self.at();
        let severity = self.name("A, B or C", HEAD)?.name;
        if !["A", "B", "C"].contains(&severity.as_str()) {
            self.problem(
                at,
                format!("commitment {}: found severity `{severity}`, allowed is A, B or C", id.name),
                HEAD,
            );
        }
        self.take_sign(",");
        let mut block = CommitmentBlock {
            id: id.clone(),
            nature: nature.join(", "),
            severity,
            lets: Vec::new(),
            audited: None,
            parts: Vec::new(),
            broken: false,
            lines: (begin, begin),
        };
        let mut lets_above = Vec::new();
        loop {
            let Word::Name(word) = self.token().word.clone() else {
                if matches!(self.token().word, Word::End) {
                    break;
                }
                self.expected("a clause", "opens, bearer, must, lapses, exception, remedy, let, part or audited");
                self.step();
                self.skip();
                block.broken = true;
                if let Some(part) = block.parts.last_mut() {
                    part.broken = true;
                }
                continue;
            };
            if ITEMS.contains(&word.as_str()) {
                break;
            }
            let clause = self.clause(&word, &mut block, &mut lets_above);
            if clause.is_err() {
                self.skip();
                block.broken = true;
                if let Some(part) = block.parts.last_mut() {
                    part.broken = true;
                }
            }
        }
        // A commitment without parts: the lets above are its own.
        block.lets = lets_above;
        let last = self.tokens[self.next.saturating_sub(1)].at.line.max(begin + first_line);
        block.lines.1 = last - first_line;
        Ok(block)
    }

    fn clause(&mut self, word: &str, block: &mut CommitmentBlock, lets_above: &mut Vec<(Named, Expr)>) -> Read<()> {
        let at = self.at();
        if word == "audited" {
            self.keyword();
            let (at, text) = (self.at(), self.step().word);
            let Word::Text(text) = text else {
                return Err(self.problem(
                    at,
                    format!("found {}, allowed is a text", text.found()),
                    "e.g. `audited \"yearly\"`",
                ));
            };
            block.audited = Some(text);
            return self.clause_ends();
        }
        if word == "part" {
            self.keyword();
            let name = self.name("the part's name", "e.g. `part access`")?;
            self.take_sign(":");
            if let Some(first) = block.parts.iter().find(|p| p.part.as_ref().is_none_or(|p| p.name == name.name)) {
                let message = match &first.part {
                    Some(_) => format!("commitment {}: a second part `{}`", block.id.name, name.name),
                    None => format!("commitment {}: clauses stand before `part {}`", block.id.name, name.name),
                };
                self.problem(name.at, message, "every part has a name of its own; only `let` stands before them");
            }
            block.parts.push(Clauses::empty(Some(name), at));
            return Ok(());
        }
        if word == "let" {
            self.keyword();
            let name = self.name("a name", "e.g. `let K = closure(closure: k)`")?;
            self.sign("=", "e.g. `let K = closure(closure: k)`")?;
            let formula = self.formula()?;
            match block.parts.last_mut() {
                Some(part) if part.part.is_some() => part.lets.push((name, formula)),
                _ => lets_above.push((name, formula)),
            }
            return self.clause_ends();
        }
        if !["opens", "bearer", "toward", "must", "lapses", "exception", "remedy"].contains(&word) {
            self.step();
            return Err(self.problem(
                at,
                format!("commitment {}: found `{word}`, allowed is a clause", block.id.name),
                "opens, bearer, must, lapses, exception, remedy, let, part or audited",
            ));
        }
        self.keyword();
        if block.parts.is_empty() {
            block.parts.push(Clauses::empty(None, at));
        }
        let id = block.id.name.clone();
        let twice = |r: &mut Self, there: bool| {
            if there {
                r.problem(at, format!("commitment {id}: a second `{word}`"), "name parts if there are several clocks");
            }
        };
        match word {
            "opens" => {
                let formula = self.formula()?;
                let part = block.last();
                twice(self, part.opens.is_some());
                part.opens = Some(formula);
            }
            "bearer" => {
                let bearers = self.bearers()?;
                let part = block.last();
                twice(self, part.bearer.is_some());
                part.bearer = Some(bearers);
            }
            "toward" => {
                let mut names = Vec::new();
                loop {
                    names.push(self.name("a party", "e.g. `toward x`")?);
                    if !self.take_sign(",") {
                        break;
                    }
                }
                block.last().toward = names;
            }
            "must" => {
                let must = self.must()?;
                let by_receipt = matches!(must, Must::Within(..)) && self.take("by");
                if by_receipt {
                    self.word("receipt", "e.g. `must ack(allegation: a)  within 15 min by receipt`")?;
                }
                let part = block.last();
                twice(self, part.must.is_some());
                part.must = Some(must);
                part.by_receipt = by_receipt;
            }
            "lapses" => {
                let formula = self.formula()?;
                block.last().lapses.push(formula);
            }
            "exception" => {
                let exception = self.exception()?;
                block.last().exceptions.push(exception);
            }
            _ => {
                let from = self.token().from;
                let mut to = from;
                while !self.begins_clause() {
                    to = self.step().to;
                }
                let text = self.source.get(from..to).unwrap_or_default();
                let remedies: Vec<String> =
                    text.split(',').map(|r| r.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
                if remedies.iter().any(String::is_empty) {
                    return Err(self.problem(
                        at,
                        format!("commitment {id}: a remedy without name"),
                        "e.g. `remedy M1, C35`",
                    ));
                }
                block.last().remedies = remedies;
            }
        }
        self.clause_ends()
    }

    fn bearers(&mut self) -> Read<Bearers> {
        let mut jointly = self.take("jointly");
        let mut names = Vec::new();
        loop {
            names.push(self.name("who owes it", "a variable of `opens`, a member or a role, e.g. `bearer y`")?);
            if !self.take_sign(",") {
                break;
            }
        }
        jointly |= self.take("jointly");
        Ok(Bearers { names, jointly })
    }

    fn must(&mut self) -> Read<Must> {
        let mark = (self.next, self.problems.len());
        if self.take("not") {
            // `must not F for D` and `must not F until G`; anything else that begins so is a formula.
            if let Ok(barred) = self.unary() {
                if self.take("for") {
                    return Ok(Must::NotFor(barred, self.duration()?));
                }
                if self.is("until") && !self.peek_sign(1, "[") && !self.peek_sign(1, "(") {
                    self.keyword();
                    return Ok(Must::NotUntil(barred, self.formula()?));
                }
                if self.is("until") && self.peek_sign(1, "(") && !self.window_follows(1) {
                    self.keyword();
                    return Ok(Must::NotUntil(barred, self.formula()?));
                }
            }
            self.next = mark.0;
            self.problems.truncate(mark.1);
        }
        let owed = self.formula()?;
        if self.take("within") {
            return Ok(Must::Within(owed, self.duration()?));
        }
        Ok(Must::Now(owed))
    }

    fn exception(&mut self) -> Read<Exception> {
        const LIKE: &str = "e.g. `exception flash: within 1 h when flash(allegation: a)`";
        let name = self.name("the exception's name", LIKE)?;
        self.sign(":", LIKE)?;
        let effect = if self.take("within") {
            Effect::Within(self.duration()?)
        } else if self.take("for") {
            Effect::For(self.duration()?)
        } else if self.take("none") {
            Effect::None
        } else if self.take("bearer") {
            Effect::Bearer(self.bearers()?)
        } else {
            return Err(self.expected("`within`, `for`, `none` or `bearer`", LIKE));
        };
        self.word("when", LIKE)?;
        let when = self.formula()?;
        let over = if self.take("over") { Some(self.name("the exception that gives way", LIKE)?) } else { None };
        Ok(Exception { name, effect, when, over })
    }

    fn duration(&mut self) -> Read<i64> {
        const LIKE: &str = "durations are written `20 s`, `15 min`, `6 h`, `30 d`";
        let at = self.at();
        let Word::Number(number) = self.token().word else {
            return Err(self.expected("a duration", LIKE));
        };
        self.step();
        let line_ends = self.token().starts_line;
        if number == 0 && !matches!(&self.token().word, Word::Name(n) if unit(n).is_some()) {
            return Ok(0);
        }
        let seconds = match &self.token().word {
            Word::Name(n) => unit(n),
            _ => None,
        };
        let Some(seconds) = seconds else {
            if line_ends {
                return Err(self.problem(at, format!("found `{number}` without a unit of time"), LIKE));
            }
            return Err(self.expected("a unit of time: s, min, h or d", LIKE));
        };
        self.keyword();
        match number.checked_mul(seconds).filter(|s| *s <= 100_000 * 86_400) {
            Some(seconds) => Ok(seconds),
            None => Err(self.problem(at, "found a duration of more than 100,000 days", LIKE)),
        }
    }

    /// Whether a window stands `ahead` tokens on: a bracket, then a number, then (a unit and) a comma.
    fn window_follows(&self, ahead: usize) -> bool {
        let word = |n: usize| self.tokens.get(self.next + n).map(|t| &t.word);
        if !matches!(word(ahead), Some(Word::Sign("[" | "("))) || !matches!(word(ahead + 1), Some(Word::Number(_))) {
            return false;
        }
        let after =
            if matches!(word(ahead + 2), Some(Word::Name(n)) if unit(n).is_some()) { ahead + 3 } else { ahead + 2 };
        matches!(word(after), Some(Word::Sign(",")))
    }

    fn window(&mut self) -> Read<Span> {
        const LIKE: &str = "windows are written `[24 h, *]` or `(15 d, 30 d]`";
        if !self.window_follows(0) {
            if self.is_sign("[") {
                self.step();
                return Err(self.expected("a duration", LIKE));
            }
            return Ok(Span { from: 0, to: None });
        }
        let at = self.at();
        let open = self.is_sign("(");
        self.step();
        let from = self.duration()? + i64::from(open);
        self.sign(",", LIKE)?;
        let to = if self.take_sign("*") { None } else { Some(self.duration()?) };
        let open = self.take_sign(")");
        if !open {
            self.sign("]", LIKE)?;
        }
        let to = to.map(|t| t - i64::from(open));
        if to.is_some_and(|to| to < from) {
            return Err(self.problem(at, "found a window that holds no instant", LIKE));
        }
        Ok(Span { from, to })
    }

    fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Read<T>) -> Read<T> {
        if self.depth >= DEPTH_MAX {
            let at = self.at();
            return Err(self.problem(
                at,
                format!("found a formula nested more than {DEPTH_MAX} deep"),
                "name a piece of it with `define` or `let`",
            ));
        }
        self.depth += 1;
        let read = read(self);
        self.depth = self.depth.saturating_sub(1);
        read
    }

    fn formula(&mut self) -> Read<Expr> {
        self.deeper(|r| {
            let mut any = vec![r.conjunction()?];
            while r.take("or") {
                any.push(r.conjunction()?);
            }
            Ok(if any.len() == 1 { any.remove(0) } else { Expr::Or(any) })
        })
    }

    fn conjunction(&mut self) -> Read<Expr> {
        let mut all = vec![self.temporal()?];
        while self.take("and") {
            all.push(self.temporal()?);
        }
        Ok(if all.len() == 1 { all.remove(0) } else { Expr::And(all) })
    }

    fn temporal(&mut self) -> Read<Expr> {
        let left = self.unary()?;
        if self.take("since") {
            let window = self.window()?;
            return Ok(Expr::Since(window, Box::new(left), Box::new(self.unary()?)));
        }
        if self.take("until") {
            let window = self.window()?;
            return Ok(Expr::Until(window, Box::new(left), Box::new(self.unary()?)));
        }
        Ok(left)
    }

    fn unary(&mut self) -> Read<Expr> {
        self.deeper(Self::unary_inner)
    }

    fn unary_inner(&mut self) -> Read<Expr> {
        if self.take("not") {
            return Ok(Expr::Not(Box::new(self.unary()?)));
        }
        for (word, make) in [
            ("once", Expr::Once as fn(Span, Box<Expr>) -> Expr),
            ("historically", Expr::Historically),
            ("eventually", Expr::Eventually),
            ("always", Expr::Always),
        ] {
            if self.take(word) {
                let window = self.window()?;
                return Ok(make(window, Box::new(self.unary()?)));
            }
        }
        if self.take("exists") {
            let mut names = Vec::new();
            loop {
                names.push(self.name("a variable", "e.g. `exists w. objected(works: w)`")?);
                if !self.take_sign(",") {
                    break;
                }
            }
            self.sign(".", "e.g. `exists w. objected(works: w)`")?;
            return Ok(Expr::Exists(names, Box::new(self.unary()?)));
        }
        if self.is("seconds") && (self.window_follows(1)) {
            self.keyword();
            let window = self.window()?;
            // `seconds [0 s, 24 h] open >= 10 h`: the sign belongs to the seconds, not to the `let`.
            let bare = matches!(self.token().word, Word::Name(_)) && self.peek_sign(1, ">=");
            let formula = if bare { Expr::Let(self.name("a `let`", "")?) } else { self.unary()? };
            let formula = Box::new(formula);
            self.sign(">=", "e.g. `seconds [7 d, 14 d] open(crossing: g) >= 60 h`")?;
            return Ok(Expr::Seconds { window, formula, at_least: self.duration()? });
        }
        if self.is("suspended") && self.peek_sign(1, "(") && !self.peek_sign(3, ":") {
            return self.suspended();
        }
        if self.is("reached") && self.peek_sign(1, "(") {
            const LIKE: &str = "e.g. `reached(t + 3 h)`: true from that instant on";
            self.keyword();
            self.sign("(", LIKE)?;
            let term = self.sum()?;
            self.sign(")", LIKE)?;
            return Ok(Expr::Reached(term));
        }
        if (self.is("each") || self.is("every")) && !self.peek_sign(1, "(") {
            return self.tick();
        }
        if self.is("breached") && self.peek_sign(1, "(") {
            return self.breached();
        }
        if self.is_sign("(") && !self.parenthesised_term() {
            self.step();
            let formula = self.formula()?;
            self.sign(")", "the parenthesis is closed by `)`")?;
            return Ok(formula);
        }
        if matches!(&self.token().word, Word::Name(n) if !METRES.contains(&n.as_str())) && self.peek_sign(1, "(") {
            let name = self.name("a kind", "")?;
            let args = self.arguments()?;
            return Ok(Expr::Atom { name, args });
        }
        let at = self.at();
        if !matches!(
            self.token().word,
            Word::Name(_) | Word::Text(_) | Word::Number(_) | Word::Instant(_) | Word::Sign("(" | "-")
        ) {
            return Err(self.expected("a formula", "a kind with its fields, e.g. `ack(allegation: a, by: y)`"));
        }
        let left = self.sum()?;
        let op = match self.token().word {
            Word::Sign("=") => Compared::Equal,
            Word::Sign("!=") => Compared::NotEqual,
            Word::Sign("<") => Compared::Less,
            Word::Sign("<=") => Compared::LessOrEqual,
            Word::Sign(">") => Compared::Greater,
            Word::Sign(">=") => Compared::GreaterOrEqual,
            _ => {
                return match left {
                    Term::Var(name) => Ok(Expr::Let(name)),
                    _ => Err(self.expected("a comparison", "=, !=, <, <=, > or >=")),
                };
            }
        };
        self.step();
        let right = self.sum()?;
        Ok(Expr::Compare { left, op, right, at })
    }

    /// Whether the parenthesis here encloses a sum, e.g. `(x + 1) * 2 > y`, not a formula.
    fn parenthesised_term(&self) -> bool {
        let mut depth = 0usize;
        for (n, token) in self.tokens[self.next..].iter().enumerate() {
            match &token.word {
                Word::Sign("(") => depth += 1,
                Word::Sign(")") => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        let after = self.tokens.get(self.next + n + 1).map(|t| &t.word);
                        return matches!(
                            after,
                            Some(Word::Sign("=" | "!=" | "<" | "<=" | ">" | ">=" | "+" | "-" | "*"))
                        );
                    }
                }
                Word::Sign("+" | "-" | "*") | Word::Number(_) | Word::Instant(_) | Word::Name(_) | Word::Text(_) => {}
                _ => return false,
            }
        }
        false
    }

    fn breached(&mut self) -> Read<Expr> {
        const LIKE: &str = "e.g. `breached(C14, a)`: the commitment, then its first variable";
        self.keyword();
        self.sign("(", LIKE)?;
        let commitment = self.name("a commitment", LIKE)?;
        let part = if self.take_sign(".") { Some(self.name("a part", LIKE)?) } else { None };
        self.sign(",", LIKE)?;
        let term = self.sum()?;
        self.sign(")", LIKE)?;
        Ok(Expr::Breached { commitment, part, term })
    }

    /// `suspended("seats", x)` is a short form of the atom that the agreement defines.
    fn suspended(&mut self) -> Read<Expr> {
        const LIKE: &str = "e.g. `suspended(\"seats\", x)`: the benefit, then whose it is";
        self.keywords.insert(self.next);
        let name = self.name("`suspended`", LIKE)?;
        self.sign("(", LIKE)?;
        let benefit = self.sum()?;
        self.sign(",", LIKE)?;
        let party = self.sum()?;
        self.sign(")", LIKE)?;
        let field = |n: &str, term: &Term| Named { name: n.into(), at: term.at() };
        let args = vec![
            Argument { field: field("benefit", &benefit), term: benefit },
            Argument { field: field("party", &party), term: party },
        ];
        Ok(Expr::Atom { name, args })
    }

    /// `each day d`, `each siting_season y`, `every 12 h from 2026-11-01T00:00:00Z t`.
    fn tick(&mut self) -> Read<Expr> {
        const LIKE: &str = "e.g. `each day d`, `each quarter q`, `every 12 h from 2026-11-01T00:00:00Z t`";
        let at = self.at();
        let tick = if self.take("every") {
            let seconds = self.duration()?;
            if seconds < 60 {
                return Err(self.problem(at, "found a tick of less than a minute", LIKE));
            }
            self.word("from", LIKE)?;
            let Word::Instant(from) = self.token().word else {
                return Err(self.expected("an instant", "instants are written `2026-11-01T00:00:00Z`"));
            };
            self.step();
            Tick::Every { seconds, from }
        } else {
            self.keyword();
            if self.begins_clause() {
                return Err(self.expected("day, week, month, quarter, year or a season of agreement.toml", LIKE));
            }
            let at = self.next;
            let word = self.name("day, week, month, quarter, year or a season of agreement.toml", LIKE)?;
            let tick = Tick::named(&word.name);
            if !matches!(tick, Tick::Season(_)) {
                self.keywords.insert(at);
            }
            tick
        };
        let token = self.token();
        let name = match &token.word {
            Word::Name(n) if !token.starts_line && !AFTER.contains(&n.as_str()) && !CLAUSES.contains(&n.as_str()) => {
                Some(self.name("a variable", LIKE)?)
            }
            _ => None,
        };
        Ok(Expr::Each { tick, name, at })
    }

    /// `distance_m(p, line)`, `extent_m(p)`.
    fn metres(&mut self) -> Read<Term> {
        const LIKE: &str = "e.g. `distance_m(p, line) <= 1000`, `extent_m(p) <= 5000`";
        let at = self.at();
        let word = self.name("a measure", LIKE)?;
        self.sign("(", LIKE)?;
        let of = self.name("the variable of a place", LIKE)?;
        let to = if word.name == "distance_m" {
            self.sign(",", LIKE)?;
            Some(self.name("`line` or a table of places in the annexes", LIKE)?)
        } else {
            None
        };
        self.sign(")", LIKE)?;
        Ok(Term::Metres(Box::new(Metres { of, to, at })))
    }

    fn arguments(&mut self) -> Read<Vec<Argument>> {
        const LIKE: &str = "fields are by name, e.g. `ack(allegation: a, by: y)`";
        self.sign("(", LIKE)?;
        let mut args = Vec::new();
        if self.take_sign(")") {
            return Ok(args);
        }
        loop {
            let field = self.name("a field's name", LIKE)?;
            self.sign(":", LIKE)?;
            args.push(Argument { field, term: self.sum()? });
            if self.take_sign(",") {
                continue;
            }
            self.sign(")", LIKE)?;
            return Ok(args);
        }
    }

    fn sum(&mut self) -> Read<Term> {
        self.deeper(|r| {
            let mut left = r.product()?;
            loop {
                let op = if r.is_sign("+") {
                    Operator::Plus
                } else if r.is_sign("-") {
                    Operator::Minus
                } else {
                    return Ok(left);
                };
                r.step();
                left = Term::Sum(Box::new(left), op, Box::new(r.product()?));
            }
        })
    }

    fn product(&mut self) -> Read<Term> {
        let mut left = self.simple()?;
        while self.take_sign("*") {
            left = Term::Sum(Box::new(left), Operator::Times, Box::new(self.simple()?));
        }
        Ok(left)
    }

    fn simple(&mut self) -> Read<Term> {
        let at = self.at();
        match self.token().word.clone() {
            Word::Name(n) if METRES.contains(&n.as_str()) && self.peek_sign(1, "(") => self.metres(),
            Word::Instant(i) => {
                self.step();
                Ok(Term::Int(i, IntWord::Instant, at))
            }
            Word::Name(n) => {
                if n == "true" || n == "false" {
                    self.keywords.insert(self.next);
                }
                self.step();
                Ok(match n.as_str() {
                    "_" => Term::Any(at),
                    "true" => Term::Int(1, IntWord::Truth, at),
                    "false" => Term::Int(0, IntWord::Truth, at),
                    _ => Term::Var(Named { name: n, at }),
                })
            }
            Word::Text(t) => {
                self.step();
                Ok(Term::Text(t, at))
            }
            Word::Number(number) => {
                let timed =
                    matches!(self.tokens.get(self.next + 1).map(|t| &t.word), Some(Word::Name(n)) if unit(n).is_some());
                if timed {
                    return Ok(Term::Int(self.duration()?, IntWord::Duration, at));
                }
                self.step();
                Ok(Term::Int(number, IntWord::Count, at))
            }
            Word::Sign("-") => {
                self.step();
                let Word::Number(number) = self.token().word else {
                    return Err(self.expected("a number", ""));
                };
                self.step();
                Ok(Term::Int(-number, IntWord::Count, at))
            }
            Word::Sign("(") => {
                self.step();
                let inner = self.sum()?;
                self.sign(")", "the parenthesis is closed by `)`")?;
                Ok(inner)
            }
            _ => Err(self.expected("a variable, a value or `_`", "texts stand in double quotes")),
        }
    }
}

/// Measures of places.
const METRES: &[&str] = &["distance_m", "extent_m"];

fn unit(name: &str) -> Option<i64> {
    match name {
        "s" => Some(1),
        "min" => Some(60),
        "h" => Some(3_600),
        "d" => Some(86_400),
        _ => None,
    }
}

impl Clauses {
    fn empty(part: Option<Named>, at: At) -> Clauses {
        Clauses {
            part,
            at,
            lets: Vec::new(),
            opens: None,
            bearer: None,
            toward: Vec::new(),
            must: None,
            by_receipt: false,
            lapses: Vec::new(),
            exceptions: Vec::new(),
            remedies: Vec::new(),
            broken: false,
        }
    }
}

impl CommitmentBlock {
    /// The part that clauses are being added to; there is one whenever this is asked.
    fn last(&mut self) -> &mut Clauses {
        let at = self.id.at;
        if self.parts.is_empty() {
            self.parts.push(Clauses::empty(None, at));
        }
        let n = self.parts.len() - 1;
        &mut self.parts[n]
    }
}

impl Term {
    pub(crate) fn at(&self) -> At {
        match self {
            Term::Var(n) => n.at,
            Term::Text(_, at) | Term::Int(_, _, at) | Term::Any(at) => *at,
            Term::Sum(left, ..) => left.at(),
            Term::Metres(m) => m.at,
        }
    }
    /// Calls `f` on this term and all within it.
    pub(crate) fn walk<'a>(&'a self, f: &mut dyn FnMut(&'a Term)) {
        f(self);
        if let Term::Sum(a, _, b) = self {
            a.walk(f);
            b.walk(f);
        }
    }
    pub(crate) fn variables<'a>(&'a self, into: &mut Vec<&'a Named>) {
        match self {
            Term::Var(n) => into.push(n),
            Term::Metres(m) => into.push(&m.of),
            Term::Sum(a, _, b) => {
                a.variables(into);
                b.variables(into);
            }
            _ => {}
        }
    }
}

impl Expr {
    /// Free variables in the order in which they appear, once each.
    pub(crate) fn free(&self) -> Vec<&Named> {
        let mut all = Vec::new();
        self.collect(&mut Vec::new(), &mut all);
        let mut seen = std::collections::BTreeSet::new();
        all.retain(|n| seen.insert(n.name.as_str()));
        all
    }

    fn collect<'a>(&'a self, bound: &mut Vec<&'a str>, into: &mut Vec<&'a Named>) {
        let mut terms: Vec<&'a Named> = Vec::new();
        match self {
            Expr::Atom { args, .. } => args.iter().for_each(|a| a.term.variables(&mut terms)),
            Expr::Let(_) => {}
            Expr::Breached { term, .. } | Expr::Reached(term) => term.variables(&mut terms),
            Expr::Each { name, .. } => terms.extend(name),
            Expr::Compare { left, right, .. } => {
                left.variables(&mut terms);
                right.variables(&mut terms);
            }
            Expr::Not(f)
            | Expr::Once(_, f)
            | Expr::Historically(_, f)
            | Expr::Eventually(_, f)
            | Expr::Always(_, f)
            | Expr::Seconds { formula: f, .. } => f.collect(bound, into),
            Expr::And(all) | Expr::Or(all) => all.iter().for_each(|f| f.collect(bound, into)),
            Expr::Since(_, a, b) | Expr::Until(_, a, b) => {
                a.collect(bound, into);
                b.collect(bound, into);
            }
            Expr::Exists(names, f) => {
                let before = bound.len();
                bound.extend(names.iter().map(|n| n.name.as_str()));
                f.collect(bound, into);
                bound.truncate(before);
            }
        }
        into.extend(terms.into_iter().filter(|n| !bound.contains(&n.name.as_str())));
    }

    /// Calls `f` on this formula and all within it.
    pub(crate) fn walk<'a>(&'a self, f: &mut dyn FnMut(&'a Expr)) {
        f(self);
        match self {
            Expr::Atom { .. }
            | Expr::Let(_)
            | Expr::Breached { .. }
            | Expr::Each { .. }
            | Expr::Reached(_)
            | Expr::Compare { .. } => {}
            Expr::Not(a)
            | Expr::Once(_, a)
            | Expr::Historically(_, a)
            | Expr::Eventually(_, a)
            | Expr::Always(_, a)
            | Expr::Exists(_, a)
            | Expr::Seconds { formula: a, .. } => a.walk(f),
            Expr::And(all) | Expr::Or(all) => all.iter().for_each(|a| a.walk(f)),
            Expr::Since(_, a, b) | Expr::Until(_, a, b) => {
                a.walk(f);
                b.walk(f);
            }
        }
    }
}
