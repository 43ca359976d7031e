//! Numbers of a text: the same in every language, and the rule's.
//!
//! ```text
//! en  within six hours        6 hours
//! fa  در ظرف شش ساعت          6 hours
//! ps  د شپږو ساعتونو دننه      6 hours
//! ur  چھ گھنٹوں کے اندر        6 hours      must ack(…) within 6 h
//! ```
//!
//! Digits count in any script. Words count where a unit follows: alone, `one` may be an article, and `نه` in Dari a `not`.
use super::{Fault, Finding};
use crate::block::{Effect, Expr, IntWord, Item, Must, Span, Term};
use crate::source::Agreement;
use std::collections::BTreeMap;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Unit {
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Quarter,
    Year,
    Kilometre,
    Metre,
    Percent,
    /// `06:00`.
    OfDay,
}

impl Unit {
    fn seconds(self) -> Option<i64> {
        Some(match self {
            Unit::Second => 1,
            Unit::Minute | Unit::OfDay => 60,
            Unit::Hour => 3_600,
            Unit::Day => 86_400,
            Unit::Week => 7 * 86_400,
            _ => return None,
        })
    }
    fn word(self) -> &'static str {
        match self {
            Unit::Second => "seconds",
            Unit::Minute => "minutes",
            Unit::Hour => "hours",
            Unit::Day => "days",
            Unit::Week => "weeks",
            Unit::Month => "months",
            Unit::Quarter => "quarters",
            Unit::Year => "years",
            Unit::Kilometre => "km",
            Unit::Metre => "m",
            Unit::Percent => "per cent",
            Unit::OfDay => "minutes after midnight",
        }
    }
}

/// How words for units begin.
const UNITS: &[(&str, &[(Unit, &[&str])])] = &[
    (
        "en",
        &[
            (Unit::Second, &["second"]),
            (Unit::Minute, &["minute"]),
            (Unit::Hour, &["hour"]),
            (Unit::Day, &["day"]),
            (Unit::Week, &["week"]),
            (Unit::Month, &["month"]),
            (Unit::Quarter, &["quarter"]),
            (Unit::Year, &["year"]),
            (Unit::Kilometre, &["km", "kilomet"]),
            (Unit::Metre, &["m", "metre", "meter"]),
            (Unit::Percent, &["per", "percent"]),
        ],
    ),
    (
        "fa",
        &[
            (Unit::Second, &["ثانیه"]),
            (Unit::Minute, &["دقیقه"]),
            (Unit::Hour, &["ساعت"]),
            (Unit::Day, &["روز"]),
            (Unit::Week, &["هفته"]),
            (Unit::Month, &["ماه"]),
            (Unit::Quarter, &["ربع"]),
            (Unit::Year, &["سال"]),
            (Unit::Kilometre, &["کیلومتر"]),
            (Unit::Metre, &["متر"]),
            (Unit::Percent, &["درصد", "فیصد", "فی‌صد"]),
        ],
    ),
    (
        "ps",
        &[
            (Unit::Second, &["ثانی"]),
            (Unit::Minute, &["دقیق"]),
            (Unit::Hour, &["ساعت"]),
            (Unit::Day, &["ورځ"]),
            (Unit::Week, &["اونۍ", "اونی"]),
            (Unit::Month, &["میاشت"]),
            (Unit::Quarter, &["ربع"]),
            (Unit::Year, &["کال", "کلون"]),
            (Unit::Kilometre, &["کیلومتر"]),
            (Unit::Metre, &["متر"]),
            (Unit::Percent, &["سلن", "فیصد", "په‌سلو"]),
        ],
    ),
    (
        "ur",
        &[
            (Unit::Second, &["سیکنڈ"]),
            (Unit::Minute, &["منٹ"]),
            (Unit::Hour, &["گھنٹ"]),
            (Unit::Day, &["دن", "یوم"]),
            (Unit::Week, &["ہفت"]),
            (Unit::Month, &["مہین", "ماہ"]),
            (Unit::Quarter, &["سہ"]),
            (Unit::Year, &["سال", "برس"]),
            (Unit::Kilometre, &["کلومیٹر"]),
            (Unit::Metre, &["میٹر"]),
            (Unit::Percent, &["فیصد", "فی‌صد"]),
        ],
    ),
];

/// Words for numbers. English and Dari join tens and ones; Pashto and Urdu have words of their own.
const WORDS: &[(&str, &[(i64, &[&str])])] = &[
    (
        "en",
        &[
            (1, &["one"]),
            (2, &["two"]),
            (3, &["three"]),
            (4, &["four"]),
            (5, &["five"]),
            (6, &["six"]),
            (7, &["seven"]),
            (8, &["eight"]),
            (9, &["nine"]),
            (10, &["ten"]),
            (11, &["eleven"]),
            (12, &["twelve"]),
            (13, &["thirteen"]),
            (14, &["fourteen"]),
            (15, &["fifteen"]),
            (16, &["sixteen"]),
            (17, &["seventeen"]),
            (18, &["eighteen"]),
            (19, &["nineteen"]),
            (20, &["twenty"]),
            (30, &["thirty"]),
            (40, &["forty"]),
            (50, &["fifty"]),
            (60, &["sixty"]),
            (70, &["seventy"]),
            (80, &["eighty"]),
            (90, &["ninety"]),
        ],
    ),
    (
        "fa",
        &[
            (1, &["یک"]),
            (2, &["دو"]),
            (3, &["سه"]),
            (4, &["چهار"]),
            (5, &["پنج"]),
            (6, &["شش"]),
            (7, &["هفت"]),
            (8, &["هشت"]),
            (9, &["نه", "نُه"]),
            (10, &["ده"]),
            (11, &["یازده"]),
            (12, &["دوازده"]),
            (13, &["سیزده"]),
            (14, &["چهارده"]),
            (15, &["پانزده"]),
            (16, &["شانزده"]),
            (17, &["هفده"]),
            (18, &["هجده", "هژده"]),
            (19, &["نوزده"]),
            (20, &["بیست"]),
            (30, &["سی"]),
            (40, &["چهل"]),
            (50, &["پنجاه"]),
            (60, &["شصت"]),
            (70, &["هفتاد"]),
            (80, &["هشتاد"]),
            (90, &["نود"]),
        ],
    ),
    (
        "ps",
        &[
            (1, &["یو", "یوه", "یوې"]),
            (2, &["دوه", "دوو", "دوې"]),
            (3, &["درې", "درېو", "دریو"]),
            (4, &["څلور", "څلورو"]),
            (5, &["پنځه", "پنځو"]),
            (6, &["شپږ", "شپږو"]),
            (7, &["اووه", "اوو"]),
            (8, &["اته", "اتو"]),
            (9, &["نهه", "نهو"]),
            (10, &["لس", "لسو"]),
            (11, &["یوولس", "یوولسو"]),
            (12, &["دوولس", "دوولسو"]),
            (13, &["دیارلس", "دیارلسو"]),
            (14, &["څوارلس", "څوارلسو"]),
            (15, &["پنځلس", "پنځلسو"]),
            (16, &["شپاړس", "شپاړسو"]),
            (17, &["اوولس", "اوولسو"]),
            (18, &["اتلس", "اتلسو"]),
            (19, &["نولس", "نولسو"]),
            (20, &["شل", "شلو"]),
            (24, &["څلورویشت", "څلېرویشت"]),
            (30, &["دېرش", "دېرشو"]),
            (40, &["څلوېښت", "څلوېښتو"]),
            (48, &["اته‌څلوېښت"]),
            (50, &["پنځوس", "پنځوسو"]),
            (60, &["شپېته", "شپېتو"]),
            (72, &["دوه‌اویا"]),
            (90, &["نوي", "نوو"]),
        ],
    ),
    (
        "ur",
        &[
            (1, &["ایک"]),
            (2, &["دو"]),
            (3, &["تین"]),
            (4, &["چار"]),
            (5, &["پانچ"]),
            (6, &["چھ", "چھے"]),
            (7, &["سات"]),
            (8, &["آٹھ"]),
            (9, &["نو"]),
            (10, &["دس"]),
            (11, &["گیارہ"]),
            (12, &["بارہ"]),
            (13, &["تیرہ"]),
            (14, &["چودہ"]),
            (15, &["پندرہ"]),
            (16, &["سولہ"]),
            (17, &["سترہ"]),
            (18, &["اٹھارہ"]),
            (19, &["انیس"]),
            (20, &["بیس"]),
            (24, &["چوبیس"]),
            (30, &["تیس"]),
            (40, &["چالیس"]),
            (48, &["اڑتالیس"]),
            (50, &["پچاس"]),
            (60, &["ساٹھ"]),
            (72, &["بہتر"]),
            (90, &["نوے"]),
        ],
    ),
];

/// One number of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Number {
    value: i64,
    unit: Option<Unit>,
    /// As it stands there, with its unit.
    written: String,
    /// Written as a word.
    word: bool,
    line: usize,
    column: usize,
}

impl Number {
    fn said(&self) -> String {
        match self.unit {
            Some(Unit::OfDay) => format!("{:02}:{:02}", self.value / 60, self.value % 60),
            Some(unit) => format!("{} {}", self.value, unit.word()),
            None => self.value.to_string(),
        }
    }
    fn seconds(&self) -> Option<i64> {
        self.value.checked_mul(self.unit?.seconds()?)
    }
    fn is(&self, other: &Number) -> bool {
        let of_day = |n: &Number| n.unit == Some(Unit::OfDay);
        self.value == other.value
            && (self.unit == other.unit || self.unit.is_none() || other.unit.is_none())
            && of_day(self) == of_day(other)
    }
}

/// A word of a text, with its place.
struct Token<'t> {
    word: &'t str,
    line: usize,
    column: usize,
}

fn digit(c: char) -> Option<i64> {
    let from = ['0', '٠', '۰'].into_iter().find(|zero| (*zero as u32..*zero as u32 + 10).contains(&(c as u32)))?;
    Some(i64::from(c as u32 - from as u32))
}

fn tokens<'t>(lines: &[(usize, &'t str)]) -> Vec<Token<'t>> {
    let mut all = Vec::new();
    for (line, text) in lines {
        let mut rest = *text;
        let column = |rest: &str| text[..text.len() - rest.len()].chars().count() + 1;
        while let Some(first) = rest.chars().next() {
            if first == '`' {
                // What stands as code is a word of the rules.
                let end = rest[1..].find('`').map_or(rest.len(), |e| e + 2);
                rest = &rest[end..];
                continue;
            }
            // A zero-width joiner or a vowel sign belongs to its word; separators of digits to their number.
            let is_word = |c: char| c.is_alphanumeric() || c == '\u{200c}' || ('\u{064b}'..='\u{0655}').contains(&c);
            let mut end = 0;
            let mut previous = ' ';
            let mut chars = rest.char_indices().peekable();
            while let Some((at, c)) = chars.next() {
                let between = digit(previous).is_some()
                    && (",.:٬٫".contains(c))
                    && chars.peek().is_some_and(|(_, next)| digit(*next).is_some());
                if !is_word(c) && !between {
                    break;
                }
                previous = c;
                end = at + c.len_utf8();
            }
            if end == 0 {
                if first == '%' || first == '٪' {
                    all.push(Token { word: "%", line: *line, column: column(rest) });
                }
                rest = &rest[first.len_utf8()..];
                continue;
            }
            all.push(Token { word: &rest[..end], line: *line, column: column(rest) });
            rest = &rest[end..];
        }
    }
    all
}

fn of_language<'t, T>(table: &'t [(&'t str, &'t [T])], language: &str) -> &'t [T] {
    let base = language.split('-').next().unwrap_or(language);
    table.iter().find(|(l, _)| *l == base).map_or(&[], |(_, rows)| *rows)
}

fn unit_of(word: &str, language: &str) -> Option<Unit> {
    if word == "%" {
        return Some(Unit::Percent);
    }
    let word = word.to_lowercase();
    let begins = |stem: &str| if ["m", "km", "per"].contains(&stem) { word == stem } else { word.starts_with(stem) };
    of_language(UNITS, language).iter().find(|(_, stems)| stems.iter().any(|s| begins(s))).map(|(u, _)| *u)
}

fn word_of(word: &str, language: &str) -> Option<i64> {
    let word = word.to_lowercase();
    of_language(WORDS, language).iter().find(|(_, words)| words.contains(&word.as_str())).map(|(n, _)| *n)
}

/// All numbers of a text in a language, in order.
fn numbers(lines: &[(usize, &str)], language: &str) -> Vec<Number> {
    let tokens = tokens(lines);
    let mut all = Vec::new();
    let mut n = 0;
    while n < tokens.len() {
        let token = &tokens[n];
        let word = token.word.chars().next().and_then(digit).is_none();
        let (line, column) = (token.line, token.column);
        let place = |value, unit, written: String| Number { value, unit, written, word, line, column };
        if !word {
            let unit_word = tokens.get(n + 1).map(|t| t.word);
            if let Some((h, m)) = token.word.split_once(':') {
                if let (Some(h), Some(m)) = (whole(h), whole(m)) {
                    all.push(place(h * 60 + m, Some(Unit::OfDay), token.word.into()));
                }
            } else if let Some(value) = whole(token.word) {
                let unit = unit_word.and_then(|w| unit_of(w, language));
                let written = match unit {
                    Some(_) => format!("{} {}", token.word, unit_word.unwrap_or_default()),
                    None => token.word.into(),
                };
                all.push(place(value, unit, written));
            }
            n += 1;
            continue;
        }
        // Words: tens and ones, joined by `و` in Dari, by a hyphen or nothing in English.
        let mut value = 0;
        let mut end = n;
        while let Some(more) = tokens.get(end).and_then(|t| word_of(t.word, language)) {
            if value > 0 && (value % 10 != 0 || more >= 10) {
                break;
            }
            value += more;
            end += 1;
            let joined = tokens.get(end).is_some_and(|t| t.word == "و")
                && tokens.get(end + 1).is_some_and(|t| word_of(t.word, language).is_some_and(|m| m < 10));
            if joined && language.starts_with("fa") && value >= 20 {
                end += 1;
            }
        }
        if end > n {
            let unit_word = tokens.get(end).map(|t| t.word);
            if let Some(unit) = unit_word.and_then(|w| unit_of(w, language)) {
                let words: Vec<&str> = tokens[n..=end].iter().map(|t| t.word).collect();
                all.push(place(value, Some(unit), words.join(" ")));
            }
            n = end;
        } else {
            n += 1;
        }
    }
    all
}

/// Digits of any script, separators between thousands left out.
fn whole(word: &str) -> Option<i64> {
    let mut value: i64 = 0;
    for c in word.chars().filter(|c| !",٬".contains(*c)) {
        value = value.checked_mul(10)?.checked_add(digit(c)?)?;
    }
    Some(value)
}

/// Texts of a paragraph, by language, with their lines; and the line on which each begins.
type Texts<'f> = BTreeMap<String, Vec<(usize, &'f str)>>;

fn texts(file: &str, from: usize, to: usize) -> Texts<'_> {
    let mut all = Texts::new();
    let mut open: Option<(String, Vec<(usize, &str)>)> = None;
    for (n, line) in file.lines().enumerate().skip(from - 1).take_while(|(n, _)| n + 1 < to) {
        match &mut open {
            None => {
                if let Some(head) = line.trim().strip_prefix("::: text {") {
                    let language = head.split(['}', ' ']).find_map(|w| w.strip_prefix("lang=")).unwrap_or_default();
                    open = Some((language.trim_matches('"').to_string(), Vec::new()));
                }
            }
            Some((language, lines)) if line.trim() == ":::" => {
                all.insert(std::mem::take(language), std::mem::take(lines));
                open = None;
            }
            Some((_, lines)) => lines.push((n + 1, line)),
        }
    }
    all
}

/// A number that a rule uses.
struct Ruled {
    /// Seconds, or a plain number.
    value: i64,
    is_time: bool,
    /// A length that is also a word of the calendar need not stand in the text as a number.
    calendar: bool,
    written: String,
    of: String,
    line: usize,
}

const CALENDAR: &[i64] = &[86_400, 7 * 86_400, 31 * 86_400, 92 * 86_400, 366 * 86_400];

pub(super) fn check(agreement: &Agreement, files: &BTreeMap<String, Vec<u8>>, findings: &mut Vec<Finding>) -> usize {
    let mut count = 0;
    for article in agreement.articles() {
        let Some(text) = files.get(&article.file).and_then(|b| std::str::from_utf8(b).ok()) else { continue };
        let mut heads: Vec<(usize, String)> = vec![(1, article.address.clone())];
        heads.extend(article.paragraphs.iter().map(|p| (p.line, p.address.clone())));
        let last = text.lines().count() + 1;
        for (n, (line, address)) in heads.iter().enumerate() {
            let to = heads.get(n + 1).map_or(last + 1, |(l, _)| *l);
            let found = texts(text, *line, to);
            count += found.len();
            let mut finder = Finder { file: &article.file, address, line: *line, findings: &mut *findings };
            finder.languages(agreement, &found);
            let said: BTreeMap<&str, Vec<Number>> =
                found.iter().map(|(l, lines)| (l.as_str(), numbers(lines, l))).collect();
            let odd = finder.compared(&said);
            finder.ruled(&said, &ruled(agreement, &article.file, *line, to), &odd);
        }
    }
    count
}

struct Finder<'f> {
    file: &'f str,
    address: &'f str,
    line: usize,
    findings: &'f mut Vec<Finding>,
}

impl Finder<'_> {
    fn find(&mut self, fault: Fault, line: usize, column: usize, message: String, hint: &str) {
        let file = self.file.to_string();
        self.findings.push(Finding { fault, file, line, column, message, hint: hint.into(), witness: None });
    }

    /// A text that is there in one language is there in all.
    fn languages(&mut self, agreement: &Agreement, found: &Texts<'_>) {
        if found.is_empty() {
            return;
        }
        for language in agreement.languages().filter(|l| !found.contains_key(*l)) {
            let has = found.keys().cloned().collect::<Vec<_>>().join(", ");
            let message = format!("{}: found text in {has}, none in `{language}`", self.address);
            self.find(Fault::Translation, self.line, 1, message, "every language of agreement.toml has the text");
        }
    }

    /// Compares every language with English, else with the first. Gives the languages and numbers that differ.
    fn compared(&mut self, said: &BTreeMap<&str, Vec<Number>>) -> Vec<(String, Number)> {
        let mut odd = Vec::new();
        let Some(reference) = said.keys().find(|l| **l == "en").or(said.keys().next()).copied() else { return odd };
        for (language, numbers) in said.iter().filter(|(l, _)| **l != reference) {
            let mut extra: Vec<&Number> = Vec::new();
            let mut missing: Vec<&Number> = said[reference].iter().collect();
            // The closest first: with the same unit, then with none.
            let mut left: Vec<&Number> = numbers.iter().collect();
            left.retain(|n| match missing.iter().position(|m| m.is(n) && m.unit == n.unit) {
                Some(at) => {
                    missing.remove(at);
                    false
                }
                None => true,
            });
            for number in left {
                match missing.iter().position(|m| m.is(number)) {
                    Some(at) => drop(missing.remove(at)),
                    // `One hour` may be what another language says by an article.
                    None if number.word && number.value == 1 => {}
                    None => extra.push(number),
                }
            }
            let mut missing = missing.into_iter();
            for number in extra {
                let expected = missing.next();
                let message = match expected {
                    Some(m) => format!(
                        "the text in `{language}` says `{}`, {}, where `{reference}` says {}",
                        number.written,
                        number.said(),
                        m.said()
                    ),
                    None => format!(
                        "the text in `{language}` says `{}`, {}, of which `{reference}` says nothing",
                        number.written,
                        number.said()
                    ),
                };
                odd.extend(expected.map(|m| (language.to_string(), m.clone())));
                self.find(Fault::Number, number.line, number.column, message, "one number stands in all languages");
            }
            for number in missing {
                let message =
                    format!("the text in `{language}` lacks the number {}, which `{reference}` has", number.said());
                odd.push((language.to_string(), number.clone()));
                self.find(Fault::Number, number.line, number.column, message, "one number stands in all languages");
            }
        }
        odd
    }

    /// Every number of the rule stands in the text, or is the sum of two that do.
    fn ruled(&mut self, said: &BTreeMap<&str, Vec<Number>>, ruled: &[Ruled], odd: &[(String, Number)]) {
        for rule in ruled {
            let stands = |numbers: &[Number]| {
                if !rule.is_time {
                    let metres = |n: &Number| if n.unit == Some(Unit::Kilometre) { n.value * 1_000 } else { n.value };
                    return numbers.iter().any(|n| n.value == rule.value || metres(n) == rule.value);
                }
                let times: Vec<i64> = numbers.iter().filter_map(Number::seconds).collect();
                // `more than 72 hours` is a second more.
                let is = |s: i64| s == rule.value || s + 1 == rule.value;
                times.iter().any(|s| is(*s))
                    || times.iter().enumerate().any(|(n, a)| times[n + 1..].iter().any(|b| is(a.saturating_add(*b))))
            };
            let lacking: Vec<&str> = said.iter().filter(|(_, n)| !stands(n)).map(|(l, _)| *l).collect();
            if lacking.is_empty() || rule.calendar && lacking.len() == said.len() {
                continue;
            }
            // One number that differs from the other languages was named there.
            let named = |l: &&str| {
                odd.iter().any(|(o, n)| o == l && (n.seconds() == Some(rule.value) || n.value == rule.value))
            };
            let lacking: Vec<&str> = lacking.into_iter().filter(|l| !named(l)).collect();
            if lacking.is_empty() {
                continue;
            }
            let times = said.get(lacking[0]).into_iter().flatten().filter(|n| n.unit.is_some() || !rule.is_time);
            let has = times.map(Number::said).collect::<Vec<_>>().join(", ");
            let message = format!(
                "{}: the rule says `{}`, the text in {} does not: its numbers are {}",
                rule.of,
                rule.written,
                lacking.iter().map(|l| format!("`{l}`")).collect::<Vec<_>>().join(", "),
                if has.is_empty() { "none".into() } else { has }
            );
            self.find(
                Fault::Number,
                rule.line,
                1,
                message,
                "the text is the law: mend the rule, or what the text says",
            );
        }
    }
}

/// Numbers of the rules that stand in a range of lines.
fn ruled(agreement: &Agreement, file: &str, from: usize, to: usize) -> Vec<Ruled> {
    let mut all: Vec<Ruled> = Vec::new();
    let mut add = |value: i64, is_time: bool, window: bool, of: &str, line: usize| {
        if value == 0 || value == 1 {
            // A second, or one: arithmetic.
            return;
        }
        let written = if is_time { duration(value) } else { value.to_string() };
        let calendar = window && CALENDAR.contains(&value);
        if !all.iter().any(|r| r.value == value && r.is_time == is_time && r.of == of) {
            all.push(Ruled { value, is_time, calendar, written, of: of.into(), line });
        }
    };
    for source in agreement.items().iter().filter(|s| s.file == file) {
        let mut formulas: Vec<(&Expr, String, usize)> = Vec::new();
        match &source.item {
            Item::Define(d) => formulas.push((&d.body, format!("`{}`", d.name.name), d.name.at.line)),
            Item::Assert(a) => formulas.push((&a.asserted, format!("`{}`", a.name.name), a.name.at.line)),
            Item::Commitment(block) => {
                for (name, formula) in &block.lets {
                    formulas.push((formula, block.id.name.clone(), name.at.line));
                }
                for clauses in &block.parts {
                    let name = crate::lower::rule_name(block, clauses);
                    let line = clauses.part.as_ref().map_or(block.id.at.line, |p| p.at.line);
                    if !(from..to).contains(&line) {
                        continue;
                    }
                    formulas.extend(clauses.lets.iter().map(|(_, f)| (f, name.clone(), line)));
                    formulas.extend(clauses.opens.iter().chain(&clauses.lapses).map(|f| (f, name.clone(), line)));
                    match &clauses.must {
                        Some(Must::Within(f, d) | Must::NotFor(f, d)) => {
                            formulas.push((f, name.clone(), line));
                            add(*d, true, *d == 86_400 && matches!(clauses.must, Some(Must::NotFor(..))), &name, line);
                        }
                        Some(Must::Now(f)) => formulas.push((f, name.clone(), line)),
                        Some(Must::NotUntil(f, g)) => formulas.extend([f, g].map(|f| (f, name.clone(), line))),
                        None => {}
                    }
                    for exception in &clauses.exceptions {
                        formulas.push((&exception.when, name.clone(), line));
                        if let Effect::Within(d) | Effect::For(d) = exception.effect {
                            add(d, true, false, &name, exception.name.at.line);
                        }
                    }
                }
            }
            Item::Broken(_) => {}
        }
        for (formula, of, line) in formulas.into_iter().filter(|(_, _, line)| (from..to).contains(line)) {
            formula.walk(&mut |e| {
                let mut span = |w: &Span| {
                    // A look at one certain instant is arithmetic, not a length of the law.
                    if w.to != Some(w.from) {
                        [Some(w.from), w.to].into_iter().flatten().for_each(|s| add(s, true, true, &of, line));
                    }
                };
                match e {
                    Expr::Once(w, _) | Expr::Historically(w, _) | Expr::Eventually(w, _) | Expr::Always(w, _) => {
                        span(w)
                    }
                    Expr::Since(w, ..) | Expr::Until(w, ..) => span(w),
                    Expr::Seconds { window, at_least, .. } => {
                        span(window);
                        add(*at_least, true, false, &of, line);
                    }
                    Expr::Compare { left, right, .. } => {
                        for side in [left, right] {
                            side.walk(&mut |t| {
                                if let Term::Int(n, word @ (IntWord::Count | IntWord::Duration), _) = t {
                                    add(*n, *word == IntWord::Duration, true, &of, line);
                                }
                            });
                        }
                    }
                    _ => {}
                }
            });
        }
    }
    all
}

/// Seconds as a rule writes them.
fn duration(seconds: i64) -> String {
    match seconds {
        s if s % 86_400 == 0 && s > 3 * 86_400 => format!("{} d", s / 86_400),
        s if s % 3_600 == 0 => format!("{} h", s / 3_600),
        s if s % 60 == 0 => format!("{} min", s / 60),
        s => format!("{s} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str, language: &str) -> Vec<String> {
        let lines: Vec<(usize, &str)> = text.lines().enumerate().map(|(n, l)| (n + 1, l)).collect();
        numbers(&lines, language).iter().map(Number::said).collect()
    }

    #[test]
    fn one_number_in_four_languages() {
        assert_eq!(said("within six hours, or within one hour", "en"), ["6 hours", "1 hours"]);
        assert_eq!(said("در ظرف شش ساعت، یا در ظرف یک ساعت", "fa-AF"), ["6 hours", "1 hours"]);
        assert_eq!(said("د شپږو ساعتونو دننه، یا د یوه ساعت دننه", "ps"), ["6 hours", "1 hours"]);
        assert_eq!(said("چھ گھنٹوں کے اندر، یا ایک گھنٹے کے اندر", "ur"), ["6 hours", "1 hours"]);
    }

    #[test]
    fn digits_of_any_script() {
        for text in ["۷۲ ساعت", "٧٢ ساعت", "72 ساعت"] {
            assert_eq!(said(text, "fa-AF"), ["72 hours"], "{text}");
        }
        assert_eq!(
            said("86,400 seconds, 1,000 m, 5 km, 10 per cent, at 06:00 UTC", "en"),
            ["86400 seconds", "1000 m", "5 km", "10 per cent", "06:00"]
        );
        assert_eq!(said("بیست و چهار ساعت", "fa-AF"), ["24 hours"]);
        assert_eq!(said("twenty-four hours", "en"), ["24 hours"]);
        assert_eq!(said("no one, `P1`, C12, both", "en"), Vec::<String>::new());
    }
}
