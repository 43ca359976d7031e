//! Values as words of 64 bits: small integers themselves, everything else by number.
use crate::fact::Value;
use crate::formula::{Comparison, Term, Type};
use crate::ratio::Ratio;
use hashbrown::HashTable;
use std::cmp::Ordering;

/// A value. Equal words are equal values of one type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct Word(u64);

const SMALL: i64 = 1 << 62;

impl Word {
    pub(crate) fn small(number: i64) -> Option<Word> {
        (-SMALL..SMALL).contains(&number).then_some(Word((number as u64) << 1))
    }
    /// A number of at most 18 digits.
    pub(crate) fn short(number: i64) -> Word {
        Word((number as u64) << 1)
    }
    pub(crate) fn bits(self) -> u64 {
        self.0
    }
    pub(crate) fn as_small(self) -> Option<i64> {
        (self.0 & 1 == 0).then_some(self.0 as i64 >> 1)
    }
}

/// Values that are no small integers, each once. Numbers of values that are let go are used again.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pool {
    values: Vec<Value>,
    table: HashTable<u32>,
    free: Vec<u32>,
    /// So many, the formula's own, are never let go.
    pinned: usize,
    /// Values in use after the last tidying.
    tidy: usize,
}

fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325u64, |state, &b| (state ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3))
}

fn hash_of(value: &Value) -> u64 {
    match value {
        Value::Text(text) => hash(text.as_bytes()),
        Value::Int(number) => hash(&number.to_le_bytes()).rotate_left(1),
        Value::Decimal(r) => hash(&r.over().to_le_bytes()) ^ hash(&r.under().to_le_bytes()).rotate_left(7),
    }
}

impl Pool {
    pub(crate) fn text(&mut self, text: &str) -> Word {
        let at = hash(text.as_bytes());
        let same = |&i: &u32| matches!(&self.values[i as usize], Value::Text(t) if **t == *text);
        if let Some(&i) = self.table.find(at, same) {
            return Word(u64::from(i) << 1 | 1);
        }
        self.add(at, Value::text(text))
    }

    pub(crate) fn word(&mut self, value: &Value) -> Word {
        match value {
            Value::Text(text) => self.text(text),
            Value::Int(number) => self.number(i128::from(*number)),
            Value::Decimal(_) => self.large(value),
        }
    }

    /// A whole number of a column of integers, however large: a fraction only where 64 bits are too few.
    pub(crate) fn number(&mut self, number: i128) -> Word {
        match i64::try_from(number) {
            Ok(number) => Word::small(number).unwrap_or_else(|| self.large(&Value::Int(number))),
            Err(_) => self.large(&Value::Decimal(Ratio::whole(number))),
        }
    }

    fn large(&mut self, value: &Value) -> Word {
        let at = hash_of(value);
        match self.table.find(at, |&i| self.values[i as usize] == *value) {
            Some(&i) => Word(u64::from(i) << 1 | 1),
            None => self.add(at, value.clone()),
        }
    }

    /// The values so far belong to the formula.
    pub(crate) fn pin(&mut self) {
        self.pinned = self.values.len();
    }

    /// Whether there are so many more values than after the last tidying that it is worth the time.
    pub(crate) fn is_untidy(&self) -> bool {
        self.values.len() - self.free.len() > 2 * self.tidy + 2_048
    }

    /// Lets go of every value that is none of `used`.
    pub(crate) fn keep(&mut self, used: impl Iterator<Item = Word>) {
        let mut kept = vec![false; self.values.len()];
        kept[..self.pinned].fill(true);
        used.filter(|word| word.as_small().is_none()).for_each(|word| kept[(word.0 >> 1) as usize] = true);
        self.free.iter().for_each(|&i| kept[i as usize] = true);
        for i in (0..kept.len()).filter(|&i| !kept[i]) {
            let value = std::mem::replace(&mut self.values[i], Value::Int(0));
            if let Ok(entry) = self.table.find_entry(hash_of(&value), |&other| other as usize == i) {
                entry.remove();
            }
            self.free.push(i as u32);
        }
        self.tidy = self.values.len() - self.free.len();
    }

    fn add(&mut self, at: u64, value: Value) -> Word {
        let i = match self.free.pop() {
            Some(i) => {
                self.values[i as usize] = value;
                i
            }
            None => {
                self.values.push(value);
                self.values.len() as u32 - 1
            }
        };
        let values = &self.values;
        self.table.insert_unique(at, i, |&i| hash_of(&values[i as usize]));
        Word(u64::from(i) << 1 | 1)
    }

    pub(crate) fn value(&self, word: Word) -> Value {
        match word.as_small() {
            Some(number) => Value::Int(number),
            None => self.values[(word.0 >> 1) as usize].clone(),
        }
    }

    /// As a fraction; a text is none.
    pub(crate) fn ratio(&self, word: Word) -> Option<Ratio> {
        match word.as_small() {
            Some(number) => Some(Ratio::whole(i128::from(number))),
            None => match &self.values[(word.0 >> 1) as usize] {
                Value::Decimal(ratio) => Some(*ratio),
                Value::Int(number) => Some(Ratio::whole(i128::from(*number))),
                Value::Text(_) => None,
            },
        }
    }

    #[inline]
    pub(crate) fn order(&self, a: Word, b: Word) -> Ordering {
        match (a.as_small(), b.as_small()) {
            (Some(a), Some(b)) => a.cmp(&b),
            _ => self.order_of_large(a, b),
        }
    }
    fn order_of_large(&self, a: Word, b: Word) -> Ordering {
        match (self.ratio(a), self.ratio(b)) {
            (Some(a), Some(b)) => a.cmp(&b),
            _ => self.value(a).cmp_text(&self.value(b)),
        }
    }

    /// As it is printed: texts in quotes, averages with six digits, whole numbers whole.
    pub(crate) fn write(&self, word: Word, kind: Type, out: &mut Vec<u8>) {
        let text = match (self.value(word), kind) {
            (Value::Decimal(ratio), Type::Int) => ratio.over().to_string(),
            (value, _) => value.to_string(),
        };
        out.extend_from_slice(text.as_bytes());
    }

    pub(crate) fn bytes(&self) -> usize {
        let text = |value: &Value| if let Value::Text(text) = value { text.len() + 16 } else { 0 };
        self.values.capacity() * size_of::<Value>()
            + self.values.iter().map(text).sum::<usize>()
            + self.table.capacity() * 5
            + self.free.capacity() * 4
    }
}

impl Value {
    fn cmp_text(&self, other: &Value) -> Ordering {
        match (self, other) {
            (Value::Text(a), Value::Text(b)) => a.as_bytes().cmp(b.as_bytes()),
            (a, b) => a.cmp(b),
        }
    }
}

/// A term over the columns of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Expr {
    Column(usize),
    Const(Word),
    /// Operator, whether whole numbers are meant, parts, and the term as it was written.
    Sum(Sign, bool, Box<(Expr, Expr)>, String),
    /// A decimal cut to a whole number.
    Cut(Box<Expr>),
    /// A whole number as a decimal.
    Widen(Box<Expr>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sign {
    Plus,
    Minus,
    Times,
    Divide,
    Modulo,
}

impl Expr {
    pub(crate) fn value(&self, row: &[Word], pool: &mut Pool) -> Result<Word, String> {
        match self {
            Expr::Column(i) => Ok(row[*i]),
            Expr::Const(word) => Ok(*word),
            Expr::Widen(a) => {
                let a = a.value(row, pool)?;
                let ratio = pool.ratio(a).unwrap_or(Ratio::whole(0));
                Ok(pool.word(&Value::Decimal(ratio)))
            }
            Expr::Cut(a) => {
                let a = a.value(row, pool)?;
                let whole = pool.ratio(a).map_or(0, Ratio::truncated);
                Ok(pool.number(whole))
            }
            Expr::Sum(sign, whole, parts, shown) => {
                let a = parts.0.value(row, pool)?;
                let b = parts.1.value(row, pool)?;
                let zero = Ratio::whole(0);
                let (a, b) = (pool.ratio(a).unwrap_or(zero), pool.ratio(b).unwrap_or(zero));
                if b == zero && matches!(sign, Sign::Divide | Sign::Modulo) {
                    return Err(format!("division by zero in `{shown}`"));
                }
                let result = match sign {
                    Sign::Plus => a.plus(b),
                    Sign::Minus => a.minus(b),
                    Sign::Times => a.times(b),
                    Sign::Divide => a.divide(b).map(|q| if *whole { Ratio::whole(q.truncated()) } else { q }),
                    Sign::Modulo => a.over().checked_rem(b.over()).map(Ratio::whole),
                };
                match result {
                    Some(ratio) if *whole => Ok(pool.number(ratio.over())),
                    Some(ratio) => Ok(pool.word(&Value::Decimal(ratio))),
                    None => Err(format!("a number of more than 127 bits in `{shown}`")),
                }
            }
        }
    }

    /// A term whose variables `column` finds; the type is that of the whole.
    pub(crate) fn new(
        term: &Term,
        kind: Type,
        pool: &mut Pool,
        column: &dyn Fn(&str) -> Option<usize>,
    ) -> Option<Expr> {
        let mut two = |sign, a: &Term, b: &Term| {
            let left = Expr::new(a, kind, pool, column)?;
            let right = Expr::new(b, kind, pool, column)?;
            Some(Expr::Sum(sign, kind == Type::Int, Box::new((left, right)), term.to_string()))
        };
        match term {
            Term::Var(name) => column(name).map(Expr::Column),
            Term::Const(value) => Some(Expr::Const(pool.word(value))),
            Term::Any => None,
            Term::Plus(a, b) => two(Sign::Plus, a, b),
            Term::Minus(a, b) => two(Sign::Minus, a, b),
            Term::Times(a, b) => two(Sign::Times, a, b),
            Term::Divide(a, b) => two(Sign::Divide, a, b),
            Term::Modulo(a, b) => two(Sign::Modulo, a, b),
            Term::ToDecimal(a) => Some(Expr::Widen(Box::new(Expr::new(a, Type::Int, pool, column)?))),
            Term::ToInt(a) => Some(Expr::Cut(Box::new(Expr::new(a, Type::Decimal, pool, column)?))),
        }
    }
}

/// Whether a comparison holds of an order.
pub(crate) fn holds(op: Comparison, order: Ordering) -> bool {
    match op {
        Comparison::Equal => order == Ordering::Equal,
        Comparison::NotEqual => order != Ordering::Equal,
        Comparison::Less => order == Ordering::Less,
        Comparison::LessOrEqual => order != Ordering::Greater,
        Comparison::Greater => order == Ordering::Greater,
        Comparison::GreaterOrEqual => order != Ordering::Less,
    }
}
