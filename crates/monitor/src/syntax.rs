//! MonPoly's concrete syntax, as far as the clock domain reads it.
//!
//! ```text
//! lodged(string, string) ack(string)                                           signature
//! (EXISTS x. lodged(a, x)) AND NOT EVENTUALLY[0,6h] ack(a)                      formula
//! @1795204800 lodged("A1", "P2") ; @1795207680 ack("A1");                       log
//! ```
//! SINCE and UNTIL bind least, then ONCE and its like, EXISTS and FORALL, EQUIV, IMPLIES, OR, AND, NOT. Intervals may be
//! open or closed and have units (`s m h d`); beside MonPoly's operators there are, for the clock domain, `reached(t)`,
//! `ts(t)`, `DUR[w] f >= k` and a variable as the far end of a window. LET and aggregations take the rest of the formula
//! as ONCE does. No input exhausts the stack: nesting is limited.
use crate::fact::{Fact, Instant, Value};
use crate::formula::{Aggregation, Comparison, Formula, Name, Signature, Term, Type, Upper, Window};
use crate::ratio::Ratio;
use std::fmt;

/// Words that no variable of a term may be.
const RESERVED: [&str; 26] = [
    "SINCE",
    "UNTIL",
    "TRIGGER",
    "RELEASE",
    "AND",
    "OR",
    "IMPLIES",
    "EQUIV",
    "IN",
    "NOT",
    "ONCE",
    "HISTORICALLY",
    "PAST_ALWAYS",
    "EVENTUALLY",
    "SOMETIMES",
    "ALWAYS",
    "DUR",
    "PREVIOUS",
    "PREV",
    "NEXT",
    "EXISTS",
    "FORALL",
    "LET",
    "LETPAST",
    "TRUE",
    "FALSE",
];

/// Levels of the grammar that may stand inside each other; a pair of parentheses is two.
const NESTING: usize = 200;

/// How a message says that.
const TOO_DEEP: &str = "less nesting: 100 parentheses or about 200 operators inside each other are the most";

/// How one does.
const AGGREGATES: &str = "the variable that is aggregated before the formula: `m <- AVG x p(x)`";

/// What aggregates, behind `<-`.
const AGGREGATIONS: [&str; 6] = ["CNT", "SUM", "MIN", "MAX", "AVG", "MED"];

/// Where a text does not fit, and what would.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What stands there, shortened, and escaped where it would not be seen.
    pub found: String,
    /// What was expected.
    pub expected: String,
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: found {}, expected {}", self.line, self.column, self.found, self.expected)
    }
}

impl std::error::Error for SyntaxError {}

/// What was found, cut where it would fill a screen; what would not be seen is spelled out.
pub fn shortened(found: &str) -> String {
    const SHOWN: usize = 60;
    let count = found.chars().count();
    let cut = count > SHOWN + 20;
    let mut shown = String::new();
    for c in found.chars().take(if cut { SHOWN } else { count }) {
        // Control characters, the byte order mark, and what turns the direction of everything behind it.
        if c.is_control() || matches!(c, '\u{feff}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') {
            shown.extend(c.escape_unicode());
        } else {
            shown.push(c);
        }
    }
    if cut { format!("{shown}… ({count} characters)") } else { shown }
}

/// One time-point of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogPoint {
    /// Line on which it begins, from 1.
    pub line: usize,
    /// Its stamp.
    pub stamp: Instant,
    /// Predicates and their columns.
    pub events: Vec<(Name, Vec<Value>)>,
}

impl LogPoint {
    /// Its events as admitted facts at its stamp.
    pub fn facts(&self) -> impl Iterator<Item = Fact> + '_ {
        self.events.iter().map(|(predicate, args)| Fact {
            predicate: predicate.clone(),
            args: args.clone(),
            from: self.stamp,
            to: self.stamp,
            admitted: true,
        })
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    /// A number and its unit, in seconds.
    Number(i64, bool),
    Quoted(String),
    Decimal(Ratio),
    /// 2^63, a number only behind a minus.
    Beyond,
    Sign(&'static str),
    End,
}

impl Token {
    fn shown(&self) -> String {
        match self {
            Token::Word(word) => format!("`{word}`"),
            Token::Number(number, _) => format!("`{number}`"),
            Token::Quoted(text) => format!("\"{text}\""),
            Token::Decimal(ratio) => format!("`{ratio}`"),
            Token::Beyond => "`9223372036854775808`".to_string(),
            Token::Sign(sign) => format!("`{sign}`"),
            Token::End => "the end".to_string(),
        }
    }
}

type Place = (usize, usize);

struct Lexer<'t> {
    rest: std::iter::Peekable<std::str::Chars<'t>>,
    line: usize,
    column: usize,
}

impl Lexer<'_> {
    fn new(text: &str) -> Lexer<'_> {
        Lexer { rest: text.chars().peekable(), line: 1, column: 1 }
    }

    fn step(&mut self) -> Option<char> {
        let c = self.rest.next()?;
        if c == '\n' {
            self.line += 1;
            self.column = 1;
        } else {
            self.column += 1;
        }
        Some(c)
    }

    fn fail<T>(&self, (line, column): Place, found: impl Into<String>, expected: &str) -> Result<T, SyntaxError> {
        Err(SyntaxError { line, column, found: shortened(&found.into()), expected: expected.to_string() })
    }

    fn quoted(&mut self, at: Place) -> Result<String, SyntaxError> {
        let mut text = String::new();
        loop {
            match self.step() {
                Some('"') => return Ok(text),
                Some(c) => text.push(c),
                None => return self.fail(at, "a text that does not end", "a closing `\"`"),
            }
        }
    }

    fn word(&mut self, part: impl Fn(char) -> bool) -> String {
        let mut word = String::new();
        while let Some(c) = self.rest.next_if(|&c| part(c)) {
            self.column += 1;
            word.push(c);
        }
        word
    }

    fn number(&mut self, at: Place) -> Result<Token, SyntaxError> {
        let digits = self.word(|c| c.is_ascii_digit());
        if self.rest.peek() == Some(&'.') {
            self.step();
            let fraction = self.word(|c| c.is_ascii_alphanumeric());
            let text = format!("{digits}.{fraction}");
            return match Ratio::parse(&text) {
                Some(ratio) => Ok(Token::Decimal(ratio)),
                None => self.fail(at, format!("`{text}`"), "a decimal such as 2.50 of at most 38 digits"),
            };
        }
        let unit = self.word(|c| c.is_alphanumeric() || c == '_');
        let seconds = match &*unit {
            "" => None,
            "s" => Some(1),
            "m" => Some(60),
            "h" => Some(3_600),
            "d" => Some(86_400),
            _ => return self.fail(at, format!("`{digits}{unit}`"), "a number with a unit s, m, h or d, or none"),
        };
        match digits.parse::<i64>().ok().and_then(|n| n.checked_mul(seconds.unwrap_or(1))) {
            Some(number) => Ok(Token::Number(number, seconds.is_some())),
            None if unit.is_empty() && digits.parse() == Ok(i64::MIN.unsigned_abs()) => Ok(Token::Beyond),
            None => self.fail(at, format!("`{digits}{unit}`"), "a number of at most 9223372036854775807"),
        }
    }

    /// Tokens of a signature or formula with their places.
    fn tokens(mut self) -> Result<Vec<(Token, Place)>, SyntaxError> {
        let mut tokens = Vec::new();
        loop {
            let at = (self.line, self.column);
            let Some(&c) = self.rest.peek() else {
                tokens.push((Token::End, at));
                return Ok(tokens);
            };
            if c.is_whitespace() {
                self.step();
                continue;
            }
            if c.is_ascii_digit() {
                tokens.push((self.number(at)?, at));
                continue;
            }
            if c.is_alphabetic() || c == '_' {
                let word = self.word(|c| c.is_alphanumeric() || c == '_' || c == '\'');
                tokens.push((Token::Word(word), at));
                continue;
            }
            self.step();
            let next = self.rest.peek().copied();
            let sign = match (c, next) {
                ('"', _) => {
                    let text = self.quoted(at)?;
                    tokens.push((Token::Quoted(text), at));
                    continue;
                }
                ('#', _) => {
                    while self.rest.next_if(|&c| c != '\n').is_some() {}
                    continue;
                }
                ('(', Some('*')) => {
                    self.step();
                    let mut last = ' ';
                    loop {
                        match self.step() {
                            Some(')') if last == '*' => break,
                            Some(c) => last = c,
                            None => return self.fail(at, "a comment that does not end", "`*)`"),
                        }
                    }
                    continue;
                }
                ('<', Some('=')) => "<=",
                ('<', Some('-')) => "<-",
                ('>', Some('=')) => ">=",
                ('!', Some('=')) => "!=",
                _ => match "()[],.;:=<>+-*/".find(c) {
                    Some(i) => {
                        tokens.push((Token::Sign(&"()[],.;:=<>+-*/"[i..i + 1]), at));
                        continue;
                    }
                    None => return self.fail(at, format!("`{c}`"), "a name, a number, a text or an operator"),
                },
            };
            self.step();
            tokens.push((Token::Sign(sign), at));
        }
    }
}

/// Reads a signature: `lodged(string, int) ack(a: string)`.
pub fn parse_signature(text: &str) -> Result<Signature, SyntaxError> {
    let mut parser = Parser::new(text)?;
    let mut signature = Signature::new();
    while *parser.token() != Token::End {
        let at = parser.at;
        let name: Name = parser.name("a predicate")?.into();
        parser.sign("(")?;
        let mut types = Vec::new();
        while !parser.take(")") {
            if !types.is_empty() {
                parser.sign(",")?;
            }
            let mut word = parser.name("a type: int, string or float")?;
            if parser.take(":") {
                word = parser.name("a type: int, string or float")?;
            }
            types.push(match &*word {
                "int" => Type::Int,
                "string" => Type::Text,
                "float" => Type::Decimal,
                _ => {
                    parser.at -= 1;
                    return parser.fail("a type: int, string or float");
                }
            });
        }
        if signature.insert(name, types).is_some() {
            parser.at = at;
            return parser.fail("a predicate that is not declared yet");
        }
    }
    Ok(signature)
}

/// Reads a formula.
pub fn parse_formula(text: &str) -> Result<Formula, SyntaxError> {
    let mut parser = Parser::new(text)?;
    let formula = parser.formula()?;
    if *parser.token() != Token::End {
        return parser.fail("an operator or the end");
    }
    Ok(formula)
}

/// Line and column of what a refusal quotes between backquotes: the part of the formula that stands last in it, and in
/// that part the word that stands first, though not where a LET gives it a meaning. `None` if the formula does not have it as written, as where it was rewritten.
pub fn place_of(text: &str, found: &str) -> Option<(usize, usize)> {
    let quoted: Vec<&str> = found.split('`').skip(1).step_by(2).collect();
    let mut parser = Parser::new(text).ok()?;
    parser.noted = Some(Vec::new());
    parser.formula().ok()?;
    let noted = parser.noted.take().unwrap_or_default();
    let part = quoted.iter().rev().find_map(|quote| {
        let same = noted.iter().filter(|(_, part)| part == quote);
        same.min_by_key(|(span, _)| (span.len(), span.start)).map(|(span, _)| span.clone())
    });
    let span = part.clone().unwrap_or(0..parser.tokens.len());
    // A predicate stands before its columns, a variable does not.
    let predicate = found.contains("predicate");
    let word = quoted.iter().find_map(|quote| {
        span.clone().find(|&i| {
            let (token, next) = (&parser.tokens[i].0, parser.tokens.get(i + 1));
            let called = next.is_some_and(|(next, _)| *next == Token::Sign("("));
            let named = i > 0 && parser.tokens[i - 1].0 == Token::Word("LET".into());
            !named
                && token.shown().trim_matches('`') == *quote
                && (!matches!(token, Token::Word(_)) || called == predicate)
        })
    });
    word.or(part.map(|span| span.start)).map(|i| parser.tokens[i].1)
}

struct Parser {
    tokens: Vec<(Token, Place)>,
    at: usize,
    /// For each opening parenthesis the token after its closing one.
    after: Vec<usize>,
    nesting: usize,
    /// If it is asked for: which tokens each part of the formula is, and how it is written out.
    noted: Option<Vec<(std::ops::Range<usize>, String)>>,
}

impl Parser {
    fn new(text: &str) -> Result<Parser, SyntaxError> {
        let tokens = Lexer::new(text).tokens()?;
        let mut after = vec![tokens.len() - 1; tokens.len()];
        let mut open = Vec::new();
        for (i, (token, _)) in tokens.iter().enumerate() {
            match token {
                // A window may open with one kind and close with the other: `[0,*)`.
                Token::Sign("(" | "[") => open.push(i),
                Token::Sign(")" | "]") => {
                    if let Some(start) = open.pop() {
                        after[start] = i + 1;
                    }
                }
                _ => {}
            }
        }
        Ok(Parser { tokens, at: 0, after, nesting: 0, noted: None })
    }

    fn token(&self) -> &Token {
        self.peek(0)
    }

    fn peek(&self, ahead: usize) -> &Token {
        // The last token is the end, and nothing moves past it.
        self.tokens.get(self.at + ahead).map_or(&Token::End, |(token, _)| token)
    }

    fn step(&mut self) {
        self.at = (self.at + 1).min(self.tokens.len() - 1);
    }

    fn fail<T>(&self, expected: &str) -> Result<T, SyntaxError> {
        let (line, column) = self.tokens[self.at].1;
        Err(SyntaxError { line, column, found: shortened(&self.token().shown()), expected: expected.to_string() })
    }

    fn take(&mut self, sign: &str) -> bool {
        let found = matches!(self.token(), Token::Sign(s) if *s == sign);
        if found {
            self.step();
        }
        found
    }

    fn sign(&mut self, sign: &str) -> Result<(), SyntaxError> {
        if self.take(sign) { Ok(()) } else { self.fail(&format!("`{sign}`")) }
    }

    fn is(&self, word: &str) -> bool {
        matches!(self.token(), Token::Word(w) if w == word)
    }

    fn keyword(&mut self, words: &[&'static str]) -> Option<&'static str> {
        let found = words.iter().copied().find(|word| self.is(word))?;
        self.step();
        Some(found)
    }

    fn name(&mut self, what: &str) -> Result<String, SyntaxError> {
        match self.token() {
            Token::Word(word) => {
                let word = word.clone();
                self.step();
                Ok(word)
            }
            _ => self.fail(what),
        }
    }

    fn deeper<T>(&mut self, inner: impl FnOnce(&mut Self) -> Result<T, SyntaxError>) -> Result<T, SyntaxError> {
        self.nesting += 1;
        if self.nesting > NESTING {
            return self.fail(TOO_DEEP);
        }
        let result = inner(self);
        self.nesting -= 1;
        result
    }

    fn note(&mut self, part: impl FnOnce(&mut Self) -> Result<Formula, SyntaxError>) -> Result<Formula, SyntaxError> {
        let start = self.at;
        let formula = part(self)?;
        self.keep(start, &formula);
        Ok(formula)
    }

    fn keep(&mut self, start: usize, formula: &Formula) {
        let span = start..self.at;
        if let Some(noted) = &mut self.noted {
            noted.push((span, formula.to_string()));
        }
    }

    fn formula(&mut self) -> Result<Formula, SyntaxError> {
        self.note(Self::binary)
    }

    /// SINCE and UNTIL, to the right.
    fn binary(&mut self) -> Result<Formula, SyntaxError> {
        let start = self.at;
        self.deeper(|parser| {
            let left = parser.equivalence()?;
            let Some(word) = parser.keyword(&["SINCE", "UNTIL", "TRIGGER", "RELEASE"]) else { return Ok(left) };
            let window = parser.window()?;
            let right = parser.formula()?;
            Ok(match word {
                "SINCE" => Formula::Since(window, Box::new(left), Box::new(right)),
                "UNTIL" => Formula::Until(window, Box::new(left), Box::new(right)),
                // The duals of SINCE and UNTIL.
                "TRIGGER" => {
                    let dual = Formula::Since(window, Box::new(negation(left)), Box::new(negation(right)));
                    Formula::Not(Box::new(dual))
                }
                _ => {
                    let dual = Formula::Until(window, Box::new(negation(left)), Box::new(negation(right)));
                    // What is refused of it is the UNTIL, which stands nowhere.
                    parser.keep(start, &dual);
                    Formula::Not(Box::new(dual))
                }
            })
        })
    }

    fn equivalence(&mut self) -> Result<Formula, SyntaxError> {
        let mut left = self.implication()?;
        // The formula doubles each time, so this may not be chained at will.
        let mut chained = 0;
        while self.is("EQUIV") {
            chained += 1;
            if chained > 8 {
                return self.fail("at most 8 EQUIV in a row");
            }
            self.step();
            let right = self.implication()?;
            let one = Formula::Or(vec![negation(left.clone()), right.clone()]);
            let other = Formula::Or(vec![negation(right), left]);
            left = Formula::And(vec![one, other]);
        }
        Ok(left)
    }

    fn implication(&mut self) -> Result<Formula, SyntaxError> {
        self.deeper(|parser| {
            let left = parser.note(|parser| parser.chain("OR"))?;
            if parser.keyword(&["IMPLIES"]).is_none() {
                return Ok(left);
            }
            let right = parser.implication()?;
            Ok(Formula::Or(vec![negation(left), right]))
        })
    }

    fn chain(&mut self, word: &'static str) -> Result<Formula, SyntaxError> {
        let part = |parser: &mut Self| match word {
            "OR" => parser.note(|parser| parser.chain("AND")),
            _ => parser.note(Self::unary),
        };
        let mut parts = vec![part(self)?];
        while self.keyword(&[word]).is_some() {
            parts.push(part(self)?);
        }
        if parts.len() > 1 {
            return Ok(if word == "OR" { Formula::Or(parts) } else { Formula::And(parts) });
        }
        match parts.pop() {
            Some(only) => Ok(only),
            None => self.fail("a formula"),
        }
    }

    fn unary(&mut self) -> Result<Formula, SyntaxError> {
        if self.keyword(&["NOT"]).is_some() {
            return self.deeper(|parser| Ok(Formula::Not(Box::new(parser.note(Self::unary)?))));
        }
        let windows = [
            "ONCE",
            "HISTORICALLY",
            "PAST_ALWAYS",
            "EVENTUALLY",
            "SOMETIMES",
            "ALWAYS",
            "DUR",
            "PREVIOUS",
            "PREV",
            "NEXT",
        ];
        if let Some(word) = self.keyword(&windows) {
            let window = self.window()?;
            if word == "DUR" {
                // The comparison behind it is not one of terms.
                let formula = if self.take("(") {
                    let inner = self.formula()?;
                    self.sign(")")?;
                    Box::new(inner)
                } else {
                    Box::new(self.deeper(Self::unary)?)
                };
                self.sign(">=")?;
                let at_least = self.duration()?;
                return Ok(Formula::Duration { window, formula, at_least });
            }
            // The rest up to SINCE or UNTIL belongs to it.
            let inner = Box::new(self.deeper(Self::equivalence)?);
            return Ok(match word {
                "ONCE" => Formula::Once(window, inner),
                "HISTORICALLY" | "PAST_ALWAYS" => Formula::Historically(window, inner),
                "ALWAYS" => Formula::Always(window, inner),
                "PREVIOUS" | "PREV" => Formula::Previous(window, inner),
                "NEXT" => Formula::Next(window, inner),
                _ => Formula::Eventually(window, inner),
            });
        }
        if let Some(word) = self.keyword(&["EXISTS", "FORALL"]) {
            let mut names: Vec<Name> = vec![self.name("a variable")?.into()];
            while self.take(",") {
                names.push(self.name("a variable")?.into());
            }
            self.sign(".")?;
            let inner = self.deeper(Self::equivalence)?;
            return Ok(match word {
                "EXISTS" => Formula::Exists(names, Box::new(inner)),
                _ => Formula::Not(Box::new(Formula::Exists(names, Box::new(negation(inner))))),
            });
        }
        if self.keyword(&["LET"]).is_some() {
            return self.deeper(Self::binding);
        }
        if let Token::Word(word) = self.token() {
            if *word == "LETPAST" {
                return self.fail("LET: recursive definitions are not read");
            }
            if ["SINCE", "UNTIL", "TRIGGER", "RELEASE", "AND", "OR", "IMPLIES", "EQUIV", "IN"].contains(&&**word) {
                return self.fail("a formula");
            }
            if *self.peek(1) == Token::Sign("<-") {
                return self.deeper(Self::aggregate);
            }
            if AGGREGATIONS.contains(&&**word) && matches!(self.peek(1), Token::Word(_)) {
                return self.fail("a result and `<-` before it, e.g. `m <- AVG x p(x)`");
            }
        }
        if self.keyword(&["TRUE"]).is_some() {
            return Ok(Formula::True);
        }
        if self.keyword(&["FALSE"]).is_some() {
            return Ok(Formula::Not(Box::new(Formula::True)));
        }
        if *self.token() == Token::Sign("(") && !self.term_follows() {
            self.step();
            let inner = self.formula()?;
            self.sign(")")?;
            return Ok(inner);
        }
        // `i2f(x) = y` is a comparison.
        let converts = self.is("i2f") || self.is("f2i");
        if matches!(self.token(), Token::Word(_)) && *self.peek(1) == Token::Sign("(") && !converts {
            let name = self.name("a predicate")?;
            self.sign("(")?;
            let mut args = Vec::new();
            while !self.take(")") {
                if !args.is_empty() && !self.take(",") {
                    return self.fail("`,` or `)`");
                }
                args.push(self.term()?);
            }
            return match (&*name, args.len()) {
                ("reached", 1) => Ok(Formula::Reached(args.remove(0))),
                ("ts", 1) => Ok(Formula::Ts(args.remove(0))),
                _ => Ok(Formula::Atom { name: name.into(), args }),
            };
        }
        self.comparison()
    }

    /// `LET P(x, y) = f IN g`, the word LET read already.
    fn binding(&mut self) -> Result<Formula, SyntaxError> {
        let name = self.name("a predicate")?.into();
        self.sign("(")?;
        let mut params: Vec<Name> = Vec::new();
        while !self.take(")") {
            if !params.is_empty() && !self.take(",") {
                return self.fail("`,` or `)`");
            }
            let at = self.at;
            let param: Name = self.name("a variable")?.into();
            if params.contains(&param) {
                self.at = at;
                return self.fail("a variable that is not a column yet");
            }
            params.push(param);
        }
        self.sign("=")?;
        let formula = Box::new(self.formula()?);
        if self.keyword(&["IN"]).is_none() {
            return self.fail("`IN`");
        }
        let within = Box::new(self.formula()?);
        Ok(Formula::Let { name, params, formula, within })
    }

    /// `r <- SUM x; g, h f`.
    fn aggregate(&mut self) -> Result<Formula, SyntaxError> {
        let result: Name = self.name("a variable")?.into();
        self.sign("<-")?;
        let op = match self.keyword(&AGGREGATIONS) {
            Some("CNT") => Aggregation::Count,
            Some("SUM") => Aggregation::Sum,
            Some("MIN") => Aggregation::Min,
            Some("MAX") => Aggregation::Max,
            Some("AVG") => Aggregation::Average,
            Some(_) => Aggregation::Median,
            None => return self.fail("CNT, SUM, MIN, MAX, AVG or MED"),
        };
        let over: Name = self.name("a variable")?.into();
        let mut groups: Vec<Name> = Vec::new();
        if self.take(";") {
            loop {
                let at = self.at;
                let group: Name = self.name("a variable")?.into();
                if groups.contains(&group) || group == result {
                    self.at = at;
                    return self.fail("a variable that is not a column of the result yet");
                }
                groups.push(group);
                if !self.take(",") {
                    break;
                }
            }
        }
        // `AVG p(x)` names no variable: what stands in the parentheses is no formula then.
        let bare = groups.is_empty() && *self.token() == Token::Sign("(");
        let formula = self.deeper(Self::equivalence).map_err(|error| match bare {
            true => SyntaxError { expected: format!("{}, or {AGGREGATES}", error.expected), ..error },
            false => error,
        });
        let formula = Box::new(formula?);
        Ok(Formula::Aggregate { op, result, over, groups, formula })
    }

    /// Whether the parenthesis here belongs to a term: an operator of terms stands behind it.
    fn term_follows(&self) -> bool {
        let next = self.tokens.get(self.after[self.at]).map(|(token, _)| token);
        matches!(next, Some(Token::Sign("=" | "<" | ">" | "<=" | ">=" | "!=" | "+" | "-" | "*" | "/")))
            || matches!(next, Some(Token::Word(word)) if word == "MOD")
    }

    fn comparison(&mut self) -> Result<Formula, SyntaxError> {
        match self.token() {
            Token::End => return self.fail("a formula"),
            Token::Sign(sign) if !["(", "-"].contains(sign) => return self.fail("a formula"),
            _ => {}
        }
        let left = self.term()?;
        let op = match self.token() {
            Token::Sign("=") => Comparison::Equal,
            Token::Sign("!=") => Comparison::NotEqual,
            Token::Sign("<") => Comparison::Less,
            Token::Sign("<=") => Comparison::LessOrEqual,
            Token::Sign(">") => Comparison::Greater,
            Token::Sign(">=") => Comparison::GreaterOrEqual,
            _ => return self.fail("a comparison: = != < <= > >="),
        };
        self.step();
        Ok(Formula::Compare { op, left, right: self.term()? })
    }

    fn term(&mut self) -> Result<Term, SyntaxError> {
        let mut left = self.product()?;
        let mut length = 0;
        loop {
            let plus = self.take("+");
            if !plus && !self.take("-") {
                return Ok(left);
            }
            // Each sum nests one deeper to the left.
            length += 1;
            if length > NESTING {
                return self.fail(&format!("at most {NESTING} terms in a sum"));
            }
            let right = Box::new(self.product()?);
            left = if plus { Term::Plus(Box::new(left), right) } else { Term::Minus(Box::new(left), right) };
        }
    }

    fn product(&mut self) -> Result<Term, SyntaxError> {
        let mut left = self.factor()?;
        let mut length = 0;
        loop {
            let make = if self.take("*") {
                Term::Times
            } else if self.take("/") {
                Term::Divide
            } else if self.keyword(&["MOD"]).is_some() {
                Term::Modulo
            } else {
                return Ok(left);
            };
            length += 1;
            if length > NESTING {
                return self.fail(&format!("at most {NESTING} terms in a product"));
            }
            left = make(Box::new(left), Box::new(self.factor()?));
        }
    }

    fn factor(&mut self) -> Result<Term, SyntaxError> {
        match self.token().clone() {
            Token::Sign("-") => {
                self.step();
                if *self.token() == Token::Beyond {
                    self.step();
                    return Ok(Term::Const(Value::Int(i64::MIN)));
                }
                let inner = self.deeper(Self::factor)?;
                Ok(match inner {
                    Term::Const(Value::Int(number)) => Term::Const(Value::Int(number.saturating_neg())),
                    Term::Const(Value::Decimal(ratio)) => {
                        let negated = Ratio::whole(0).minus(ratio);
                        Term::Const(Value::Decimal(negated.unwrap_or(ratio)))
                    }
                    other => Term::Minus(Box::new(Term::Const(Value::Int(0))), Box::new(other)),
                })
            }
            Token::Sign("(") => {
                self.step();
                let inner = self.deeper(Self::term)?;
                self.sign(")")?;
                Ok(inner)
            }
            Token::Number(number, _) => {
                self.step();
                Ok(Term::Const(Value::Int(number)))
            }
            Token::Quoted(text) => {
                self.step();
                Ok(Term::Const(Value::text(text)))
            }
            Token::Decimal(ratio) => {
                self.step();
                Ok(Term::Const(Value::Decimal(ratio)))
            }
            Token::Word(word) if (word == "f2i" || word == "i2f") && *self.peek(1) == Token::Sign("(") => {
                self.step();
                let inner = Box::new(self.deeper(Self::factor)?);
                Ok(if word == "f2i" { Term::ToInt(inner) } else { Term::ToDecimal(inner) })
            }
            Token::Word(word) if word == "_" => {
                self.step();
                Ok(Term::Any)
            }
            Token::Word(word) if !RESERVED.contains(&&*word) => {
                self.step();
                Ok(Term::Var(word.into()))
            }
            _ => self.fail("a term"),
        }
    }

    fn duration(&mut self) -> Result<i64, SyntaxError> {
        match *self.token() {
            Token::Number(number, _) => {
                self.step();
                Ok(number)
            }
            _ => self.fail("a number of seconds"),
        }
    }

    /// `[0,6h]`, `(1,*)`, `[0,d]`; everything if none stands there.
    fn window(&mut self) -> Result<Window, SyntaxError> {
        let interval = match self.token() {
            Token::Sign("[") => true,
            Token::Sign("(") => matches!(self.peek(1), Token::Number(..)) && *self.peek(2) == Token::Sign(","),
            _ => false,
        };
        if !interval {
            return Ok(Window::unbounded(0));
        }
        let begins = self.at;
        let open = *self.token() == Token::Sign("(");
        self.step();
        let from = self.duration()?.saturating_add(i64::from(open));
        self.sign(",")?;
        let to = match self.token().clone() {
            Token::Sign("*") => {
                self.step();
                Upper::Unbounded
            }
            Token::Word(word) => {
                self.step();
                Upper::Var(word.into())
            }
            _ => Upper::Fixed(self.duration()?),
        };
        let to = match (to, self.token()) {
            (to, Token::Sign("]")) => to,
            (Upper::Fixed(to), Token::Sign(")")) => Upper::Fixed(to - 1),
            (Upper::Unbounded, Token::Sign(")")) => Upper::Unbounded,
            _ => return self.fail("`]`"),
        };
        self.step();
        if matches!(to, Upper::Fixed(to) if to < from) {
            let (line, column) = self.tokens[begins].1;
            let written = self.tokens[begins..self.at].iter().map(|(token, _)| token.shown().replace('`', ""));
            let found = format!("the window `{}`, which is empty", written.collect::<String>());
            return Err(SyntaxError {
                line,
                column,
                found,
                expected: "an end that is not before its beginning".into(),
            });
        }
        Ok(Window { from, to })
    }
}

/// The negation of a formula, moved inwards where that makes it easier to guard.
fn negation(formula: Formula) -> Formula {
    match formula {
        Formula::Not(inner) => *inner,
        Formula::Or(parts) => Formula::And(parts.into_iter().map(negation).collect()),
        other => Formula::Not(Box::new(other)),
    }
}

/// Reads a log: `@stamp NAME(values) NAME(values)(values) …;`, the semicolon may be left out.
pub fn parse_log(text: &str, signature: &Signature) -> Result<Vec<LogPoint>, SyntaxError> {
    let mut lexer = Lexer::new(text);
    let mut points: Vec<LogPoint> = Vec::new();
    let space = |lexer: &mut Lexer<'_>| loop {
        match lexer.rest.peek() {
            Some('#') => while lexer.rest.next_if(|&c| c != '\n').is_some() {},
            Some(c) if c.is_whitespace() => {
                lexer.step();
            }
            _ => return (lexer.line, lexer.column),
        }
    };
    let plain = |c: char| !c.is_whitespace() && !"(),;@\"#".contains(c);
    // Whether the last point may take more events.
    let mut open = false;
    loop {
        let at = space(&mut lexer);
        let shown = |c: Option<&char>| c.map_or("the end".to_string(), |c| format!("`{c}`"));
        match lexer.rest.peek().copied() {
            None => return Ok(points),
            Some('@') => {
                lexer.step();
                let word = lexer.word(plain);
                let Ok(stamp) = word.parse::<i64>() else {
                    return lexer.fail(at, format!("`@{word}`"), "`@` and a stamp in seconds");
                };
                points.push(LogPoint { line: at.0, stamp, events: Vec::new() });
                open = true;
            }
            Some(';') if open => {
                lexer.step();
                open = false;
            }
            Some(c) if open && plain(c) => {
                let name = lexer.word(plain);
                let Some(types) = signature.get(&*name) else {
                    return lexer.fail(at, format!("`{name}`"), "a predicate of the signature");
                };
                let name: Name = name.into();
                let mut tuples = 0;
                loop {
                    let at = space(&mut lexer);
                    if lexer.rest.peek() != Some(&'(') {
                        if tuples == 0 {
                            let found = shown(lexer.rest.peek());
                            return lexer.fail(at, found, "`(`");
                        }
                        break;
                    }
                    lexer.step();
                    let args = tuple(&mut lexer, &space, &plain, types)?;
                    if let Some(point) = points.last_mut() {
                        point.events.push((name.clone(), args));
                    }
                    tuples += 1;
                }
            }
            other => {
                let expected = if open { "a predicate, `@` or `;`" } else { "`@` and a stamp" };
                return lexer.fail(at, shown(other.as_ref()), expected);
            }
        }
    }
}

/// The values of one tuple and its closing parenthesis.
fn tuple(
    lexer: &mut Lexer<'_>,
    space: &impl Fn(&mut Lexer<'_>) -> Place,
    plain: &impl Fn(char) -> bool,
    types: &[Type],
) -> Result<Vec<Value>, SyntaxError> {
    let mut args = Vec::new();
    loop {
        let at = space(lexer);
        let next = lexer.rest.peek().copied();
        if next == Some(')') && (args.is_empty() || args.len() == types.len()) {
            if args.len() != types.len() {
                return lexer.fail(at, "`)`", &format!("{} columns", types.len()));
            }
            lexer.step();
            return Ok(args);
        }
        if !args.is_empty() {
            if next != Some(',') {
                let found = next.map_or("the end".to_string(), |c| format!("`{c}`"));
                return lexer.fail(at, found, if args.len() < types.len() { "`,`" } else { "`)`" });
            }
            lexer.step();
        }
        let at = space(lexer);
        let Some(wanted) = types.get(args.len()) else {
            return lexer.fail(at, "one more value", &format!("{} columns", types.len()));
        };
        let quoted = lexer.rest.peek() == Some(&'"');
        let text = if quoted {
            lexer.step();
            lexer.quoted(at)?
        } else {
            lexer.word(plain)
        };
        args.push(match wanted {
            Type::Text if quoted || !text.is_empty() => Value::text(text),
            Type::Int if !quoted => match text.parse::<i64>() {
                Ok(number) => Value::Int(number),
                Err(_) => return lexer.fail(at, format!("`{text}`"), "a whole number"),
            },
            Type::Int => return lexer.fail(at, format!("\"{text}\""), "a whole number"),
            Type::Text => return lexer.fail(at, "nothing", "a text"),
            Type::Decimal => match Ratio::parse(&text) {
                Some(ratio) if !quoted => Value::Decimal(ratio),
                _ => return lexer.fail(at, format!("`{text}`"), "a decimal"),
            },
        });
    }
}
