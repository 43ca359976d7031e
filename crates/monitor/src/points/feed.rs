//! Reading a log as it comes, in pieces of any size.
//!
//! ```text
//! @0 lodged(7,1,2);
//! @60 ack(7,2) ack(8,2) seen ("gate 7") ("چمن");        # several tuples of one predicate; the semicolon may be left out
//! ```
//! A piece may end anywhere: what is not complete stays with the caller until there is more of it. Nothing is allocated for
//! a token; texts are looked up by their bytes.
use super::words::Word;
use super::{Points, PointsError, Predicate};
use crate::fact::Value;
use crate::formula::Type;
use crate::ratio::Ratio;
use crate::syntax::{SyntaxError, shortened};
use std::collections::VecDeque;

/// Where reading stands between two pieces.
#[derive(Clone, Debug)]
pub struct LogReader {
    line: usize,
    /// Characters of the current line that were taken with earlier pieces.
    before: usize,
    /// The point that takes events, if one is open.
    point: Option<u32>,
    /// Predicate that may have one more tuple.
    predicate: Option<usize>,
    /// Points and the lines on which they begin; those between follow line by line.
    lines: VecDeque<(u32, usize)>,
    /// Of the tuple that is read.
    words: Vec<Word>,
    /// Facts read.
    pub facts: u64,
    /// Time-points read.
    pub points: u64,
}

impl Default for LogReader {
    fn default() -> LogReader {
        LogReader {
            line: 1,
            before: 0,
            point: None,
            predicate: None,
            lines: VecDeque::new(),
            words: Vec::new(),
            facts: 0,
            points: 0,
        }
    }
}

impl LogReader {
    /// The line on which a time-point begins, if it was read here and is not final for long.
    pub fn line_of(&self, point: u32) -> Option<usize> {
        let at = self.lines.partition_point(|entry| entry.0 <= point).checked_sub(1)?;
        let (first, line) = self.lines[at];
        Some(line + (point - first) as usize)
    }

    fn note_line(&mut self, point: u32, printed: u32) {
        if self.lines.back().is_some_and(|&(first, line)| line + (point - first) as usize == self.line) {
            return;
        }
        while self.lines.get(1).is_some_and(|&(next, _)| next <= printed) {
            self.lines.pop_front();
        }
        self.lines.push_back((point, self.line));
    }
}

/// What does not fit, and up to where the piece was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadLine {
    /// Bytes of the piece before it.
    pub taken: usize,
    /// What was found and expected, and where.
    pub error: SyntaxError,
}

enum Stop {
    /// The piece ends inside a token.
    More,
    Bad(usize, String, String),
}

struct Piece<'t> {
    bytes: &'t [u8],
    at: usize,
    last: bool,
    /// Whether a token went over the end of a line.
    crossed: bool,
}

fn is_cut(error: std::str::Utf8Error) -> bool {
    error.valid_up_to() == 0 && error.error_len().is_none()
}

/// What may stand in a bare word, by byte.
const PLAIN: [bool; 256] = {
    let mut plain = [true; 256];
    let mut stops: &[u8] = b" \t\n\x0c\r(),;@\"#";
    while let [stop, rest @ ..] = stops {
        plain[*stop as usize] = false;
        stops = rest;
    }
    plain
};

fn is_plain(byte: u8) -> bool {
    PLAIN[usize::from(byte)]
}

/// A run of digits at the start, as a number, and its length; more than 18 digits may not fit.
#[inline]
fn decimal(bytes: &[u8]) -> (i64, usize) {
    let (mut number, mut count) = (0i64, 0);
    if let Some(&first) = bytes.first_chunk::<8>() {
        // Eight at a time: neighbours are added up two, four and eight digits wide.
        let digits = u64::from_le_bytes(first) ^ 0x3030_3030_3030_3030;
        let others = (digits.wrapping_add(0x7676_7676_7676_7676) | digits) & 0x8080_8080_8080_8080;
        count = others.trailing_zeros() as usize / 8;
        if count > 0 {
            let eight = digits << (64 - 8 * count);
            let two = (eight.wrapping_mul(10) + (eight >> 8)) & 0x00ff_00ff_00ff_00ff;
            let four = (two.wrapping_mul(100) + (two >> 16)) & 0x0000_ffff_0000_ffff;
            number = (four.wrapping_mul(10_000) + (four >> 32)) as u32 as i64;
        }
        if count < 8 {
            return (number, count);
        }
    }
    for byte in &bytes[count..] {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            break;
        }
        number = number.wrapping_mul(10).wrapping_add(i64::from(digit));
        count += 1;
    }
    (number, count)
}

impl Piece<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn bad<T>(&self, at: usize, found: impl Into<String>, expected: impl Into<String>) -> Result<T, Stop> {
        Err(Stop::Bad(at, found.into(), expected.into()))
    }

    /// What stands at a place, shown; the end of a piece that is not the last asks for more.
    fn unexpected<T>(&self, expected: impl Into<String>) -> Result<T, Stop> {
        match self.bytes.get(self.at..).and_then(|rest| rest.utf8_chunks().next()) {
            None if self.last => self.bad(self.at, "the end", expected),
            None => Err(Stop::More),
            // A character whose last bytes have not come.
            Some(_) if !self.last && std::str::from_utf8(&self.bytes[self.at..]).is_err_and(is_cut) => Err(Stop::More),
            Some(chunk) => {
                let found =
                    chunk.valid().chars().next().map_or("a byte that is no UTF-8".to_string(), |c| format!("`{c}`"));
                self.bad(self.at, found, expected)
            }
        }
    }

    fn spaces(&mut self) {
        while let Some(byte) = self.peek() {
            if !byte.is_ascii_whitespace() {
                return;
            }
            self.crossed |= byte == b'\n';
            self.at += 1;
        }
    }

    /// Bytes of a bare word; it ends before the piece does, or the piece is the last.
    fn word(&mut self) -> Result<(usize, usize), Stop> {
        let from = self.at;
        let length = self.bytes[from..].iter().position(|&byte| !is_plain(byte));
        self.at = length.map_or(self.bytes.len(), |length| from + length);
        if length.is_some() || self.last { Ok((from, self.at)) } else { Err(Stop::More) }
    }

    /// A whole number if there is one of at most 18 digits and a comma or parenthesis stands behind it.
    #[inline]
    fn small(&mut self) -> Option<Word> {
        let rest = self.bytes.get(self.at..)?;
        let negative = rest.first() == Some(&b'-');
        let digits = &rest[usize::from(negative)..];
        let (number, count) = decimal(digits);
        if !(1..=18).contains(&count) || !matches!(digits.get(count), Some(b',' | b')')) {
            return None;
        }
        self.at += usize::from(negative) + count;
        Some(Word::short(if negative { -number } else { number }))
    }

    fn text(&self, (from, to): (usize, usize)) -> Result<&str, Stop> {
        match std::str::from_utf8(&self.bytes[from..to]) {
            Ok(text) => Ok(text),
            Err(error) => self.bad(from + error.valid_up_to(), "a byte that is no UTF-8", "a text in UTF-8"),
        }
    }
}

/// Columns of an event that is read fast, at most.
const FAST: usize = 8;

/// What such an event begins with, and which bits of 16 bytes that takes: whole numbers behind a short name.
pub(super) fn lead(name: &str, types: &[Type]) -> Option<(u128, u128)> {
    let all = 8 * (name.len() + 1);
    if all > 128 || !(1..=FAST).contains(&types.len()) || types.iter().any(|&kind| kind != Type::Int) {
        return None;
    }
    let mut bytes = [0; 16];
    bytes[..name.len()].copy_from_slice(name.as_bytes());
    bytes[name.len()] = b'(';
    Some((u128::from_le_bytes(bytes), u128::MAX >> (128 - all)))
}

/// Whole numbers with commas between them and a parenthesis behind the last; gives where that ends.
#[inline]
fn numbers(bytes: &[u8], mut at: usize, words: &mut [Word]) -> Option<usize> {
    let last = words.len() - 1;
    for (i, word) in words.iter_mut().enumerate() {
        let negative = *bytes.get(at)? == b'-';
        at += usize::from(negative);
        let (number, count) = decimal(&bytes[at..]);
        let ends = if i == last { b')' } else { b',' };
        if !(1..=18).contains(&count) || bytes.get(at + count) != Some(&ends) {
            return None;
        }
        *word = Word::short(if negative { -number } else { number });
        at += count + 1;
    }
    Some(at)
}

impl Points {
    /// Takes what most logs consist of: stamps and events of whole numbers, without blanks where none must be. Stops before
    /// the first thing that is any different, or may go on in the next piece.
    fn skim(&mut self, reader: &mut LogReader, piece: &mut Piece<'_>, line_start: &mut usize) -> Result<(), Stop> {
        let bytes = piece.bytes;
        let mut words = [Word::default(); FAST];
        loop {
            let at = piece.at;
            match bytes.get(at) {
                Some(b' ') => piece.at += 1,
                Some(b'\n') => {
                    piece.at += 1;
                    reader.line += 1;
                    reader.before = 0;
                    *line_start = piece.at;
                }
                Some(b';') if reader.point.is_some() => {
                    piece.at += 1;
                    reader.point = None;
                    reader.predicate = None;
                }
                Some(b'@') => {
                    let (stamp, count) = decimal(&bytes[at + 1..]);
                    let end = at + 1 + count;
                    if !(1..=18).contains(&count) || !matches!(bytes.get(end), Some(b' ' | b';' | b'\n')) {
                        return Ok(());
                    }
                    self.open(reader, stamp, at)?;
                    piece.at = end;
                }
                _ => {
                    let (Some(point), Some(begin)) = (reader.point, bytes[at..].first_chunk::<16>()) else {
                        return Ok(());
                    };
                    let begin = u128::from_le_bytes(*begin);
                    let is_it = |known: &Predicate| known.lead.is_some_and(|(name, bits)| (begin ^ name) & bits == 0);
                    let Some(predicate) = self.predicates.iter().position(is_it) else { return Ok(()) };
                    let Predicate { ref name, ref types, .. } = self.predicates[predicate];
                    let words = &mut words[..types.len()];
                    let Some(end) = numbers(bytes, at + name.len() + 1, words) else { return Ok(()) };
                    reader.facts += 1;
                    self.put(predicate, point, words, true).map_err(|error| refused(at, error))?;
                    reader.predicate = Some(predicate);
                    piece.at = end;
                }
            }
        }
    }

    /// Opens a time-point.
    fn open(&mut self, reader: &mut LogReader, stamp: i64, at: usize) -> Result<(), Stop> {
        let point = self.begin(stamp).map_err(|error| refused(at, error))?;
        reader.note_line(point, self.sink.printed());
        reader.point = Some(point);
        reader.predicate = None;
        reader.points += 1;
        Ok(())
    }

    /// Takes a piece of a log, and gives how many bytes of it were taken: the rest, an unfinished token, comes again at the
    /// start of the next piece. `last`: nothing follows.
    ///
    /// A time-point is whole at its semicolon, at the next `@`, or when the log ends; before that no verdict of it is final,
    /// and after a bad line in it none will be.
    pub fn feed(&mut self, reader: &mut LogReader, bytes: &[u8], last: bool) -> Result<usize, BadLine> {
        let taken = self.read(reader, bytes, last);
        self.unfinished = reader.point;
        taken
    }

    fn read(&mut self, reader: &mut LogReader, bytes: &[u8], last: bool) -> Result<usize, BadLine> {
        let mut piece = Piece { bytes, at: 0, last, crossed: false };
        // Where the current line begins, and up to where everything is taken.
        let mut line_start = 0;
        let mut safe = 0;
        let outcome = loop {
            if let Err(Stop::Bad(at, found, expected)) = self.skim(reader, &mut piece, &mut line_start) {
                break Err((at, found, expected));
            }
            // Spaces and comments, counting lines.
            let Some(byte) = piece.peek() else {
                safe = piece.at;
                break Ok(());
            };
            match byte {
                b'\n' => {
                    piece.at += 1;
                    reader.line += 1;
                    reader.before = 0;
                    line_start = piece.at;
                    continue;
                }
                byte if byte.is_ascii_whitespace() => {
                    piece.at += 1;
                    continue;
                }
                b'#' => {
                    let end = piece.bytes[piece.at..].iter().position(|&byte| byte == b'\n');
                    safe = piece.at;
                    match end {
                        Some(end) => piece.at += end,
                        None if last => piece.at = piece.bytes.len(),
                        None => break Ok(()),
                    }
                    continue;
                }
                _ => {}
            }
            safe = piece.at;
            match self.token(byte, reader, &mut piece) {
                Ok(()) => {
                    // A tuple may go over lines.
                    if !std::mem::take(&mut piece.crossed) {
                        continue;
                    }
                    let crossed = &piece.bytes[safe..piece.at];
                    if let Some(end) = crossed.iter().rposition(|&byte| byte == b'\n') {
                        reader.line += crossed.iter().filter(|&&byte| byte == b'\n').count();
                        reader.before = 0;
                        line_start = safe + end + 1;
                    }
                }
                Err(Stop::More) => break Ok(()),
                Err(Stop::Bad(at, found, expected)) => break Err((at, found, expected)),
            }
        };
        let characters = |to: usize| String::from_utf8_lossy(&bytes[line_start.min(to)..to]).chars().count();
        match outcome {
            Ok(()) => {
                reader.before += characters(safe);
                Ok(safe)
            }
            Err((at, found, expected)) => {
                let skipped = bytes[line_start.min(at)..at].iter().filter(|&&byte| byte == b'\n').count();
                let start = bytes[..at].iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
                let column = if skipped > 0 || line_start > 0 {
                    String::from_utf8_lossy(&bytes[start..at]).chars().count()
                } else {
                    reader.before + characters(at)
                };
                let found = shortened(&found);
                let error = SyntaxError { line: reader.line + skipped, column: column + 1, found, expected };
                Err(BadLine { taken: at, error })
            }
        }
    }

    /// Goes on behind a bad line: its rest is passed over. Gives the bytes of `bytes` that belong to it, or `None` if the
    /// line does not end there.
    pub fn pass_over(&mut self, reader: &mut LogReader, bytes: &[u8]) -> Option<usize> {
        let end = bytes.iter().position(|&byte| byte == b'\n')?;
        reader.line += 1;
        reader.before = 0;
        reader.predicate = None;
        Some(end + 1)
    }

    fn token(&mut self, byte: u8, reader: &mut LogReader, piece: &mut Piece<'_>) -> Result<(), Stop> {
        let from = piece.at;
        if byte == b'@' {
            piece.at += 1;
            let word = piece.word()?;
            let text = piece.text(word)?;
            let Ok(stamp) = text.parse::<i64>() else {
                return piece.bad(from, format!("`@{text}`"), "`@` and a whole number of seconds of at most 60 bits");
            };
            return self.open(reader, stamp, from);
        }
        let Some(point) = reader.point else { return piece.unexpected("`@` and a stamp") };
        match (byte, reader.predicate) {
            (b';', _) => {
                piece.at += 1;
                reader.point = None;
                reader.predicate = None;
                Ok(())
            }
            (b'(', Some(predicate)) => self.read_tuple(reader, piece, point, predicate),
            (byte, _) if is_plain(byte) => {
                let word = piece.word()?;
                let name = &piece.bytes[word.0..word.1];
                let Some(predicate) = self.predicates.iter().position(|known| known.name.as_bytes() == name) else {
                    let text = piece.text(word)?;
                    return piece.bad(from, format!("`{text}`"), "a predicate of the signature");
                };
                piece.spaces();
                if piece.peek() != Some(b'(') {
                    return piece.unexpected("`(`");
                }
                self.read_tuple(reader, piece, point, predicate)?;
                reader.predicate = Some(predicate);
                Ok(())
            }
            _ => piece.unexpected("a predicate, `@` or `;`"),
        }
    }

    /// The values of a tuple, from its opening parenthesis on.
    #[inline]
    fn read_tuple(
        &mut self,
        reader: &mut LogReader,
        piece: &mut Piece<'_>,
        point: u32,
        predicate: usize,
    ) -> Result<(), Stop> {
        let from = piece.at;
        self.read_values(reader, piece, predicate)?;
        reader.facts += 1;
        self.put(predicate, point, &reader.words, true).map_err(|error| refused(from, error))
    }

    /// Values of any kind, with blanks between them.
    fn read_values(&mut self, reader: &mut LogReader, piece: &mut Piece<'_>, predicate: usize) -> Result<(), Stop> {
        piece.at += 1;
        let width = self.predicates[predicate].types.len();
        reader.words.clear();
        for i in 0..width {
            let whole = self.predicates[predicate].types[i] == Type::Int;
            if let Some(word) = whole.then(|| piece.small()).flatten() {
                reader.words.push(word);
            } else {
                piece.spaces();
                reader.words.push(self.value(piece, predicate, i)?);
                piece.spaces();
            }
            let wanted = if i + 1 < width { b',' } else { b')' };
            if piece.peek() != Some(wanted) {
                if piece.peek() == Some(b',') {
                    let name = &self.predicates[predicate].name;
                    return piece.bad(piece.at, "one more value", format!("`)`: the columns of `{name}` are {width}"));
                }
                return piece.unexpected(if wanted == b',' { "`,`" } else { "`)`" });
            }
            piece.at += 1;
        }
        if width == 0 {
            piece.spaces();
            if piece.peek() != Some(b')') {
                return piece.unexpected("`)`");
            }
            piece.at += 1;
        }
        Ok(())
    }

    fn value(&mut self, piece: &mut Piece<'_>, predicate: usize, column: usize) -> Result<Word, Stop> {
        let at = piece.at;
        let kind = self.predicates[predicate].types[column];
        if piece.peek() == Some(b'"') {
            let Some(end) = piece.bytes[at + 1..].iter().position(|&byte| byte == b'"') else {
                if !piece.last {
                    return Err(Stop::More);
                }
                return piece.bad(at, "a text that does not end", "a closing `\"`");
            };
            let text = piece.text((at + 1, at + 1 + end))?;
            if kind != Type::Text {
                let wanted = if kind == Type::Int { "a whole number" } else { "a decimal" };
                return piece.bad(at, format!("\"{text}\""), wanted);
            }
            let word = self.pool.text(text);
            piece.at += end + 2;
            piece.crossed = true;
            return Ok(word);
        }
        let span = piece.word()?;
        let text = piece.text(span)?;
        if text.is_empty() {
            let wanted = format!("{} columns, the next a value", self.predicates[predicate].types.len());
            return piece.unexpected(wanted);
        }
        match kind {
            Type::Text => Ok(self.pool.text(text)),
            Type::Int => match text.parse::<i128>() {
                Ok(number) => Ok(self.pool.number(number)),
                Err(_) if text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-') => {
                    piece.bad(at, format!("`{text}`"), "a whole number of at most 127 bits")
                }
                Err(_) => piece.bad(at, format!("`{text}`"), "a whole number"),
            },
            Type::Decimal => match Ratio::parse(text) {
                Some(ratio) => Ok(self.pool.word(&Value::Decimal(ratio))),
                None => piece.bad(at, format!("`{text}`"), "a decimal"),
            },
        }
    }
}

fn refused(at: usize, error: PointsError) -> Stop {
    Stop::Bad(at, error.found, error.allowed)
}
