//! Free text is looked through before it is signed, on the device where it is written (safeguard S4).
//!
//! ```text
//! call Haji Karim on 0700 123 456     -> a title and a name, a telephone number
//! ```
//! Telephone numbers, number plates, addresses of e-mail, numbers of identity papers, titles with a name: who writes one into
//! a statement takes it out, or says why it has to stand there. It looks for forms and words in English, Dari, Pashto and
//! Urdu and knows nobody: a name without a title passes, which the second person may see. Digits of all three scripts are
//! read alike.
use std::fmt;

/// What free text should not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sort {
    /// A telephone number.
    Telephone,
    /// A vehicle's number plate.
    Plate,
    /// An address of e-mail.
    Mail,
    /// Number of an identity card or passport.
    Papers,
    /// A title, and a word after it.
    Titled,
}

impl fmt::Display for Sort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Sort::Telephone => "a telephone number",
            Sort::Plate => "a number plate",
            Sort::Mail => "an address of e-mail",
            Sort::Papers => "the number of an identity paper",
            Sort::Titled => "a title with a name",
        })
    }
}

/// Something found, as it stands there with digits in Latin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// What it looks like.
    pub sort: Sort,
    /// What was found.
    pub text: String,
}

/// Words that stand before a name; those of Arabic script with ي and ك as they are folded.
const TITLES: [&str; 72] = [
    "mr",
    "mrs",
    "ms",
    "dr",
    "col",
    "colonel",
    "capt",
    "captain",
    "maj",
    "major",
    "gen",
    "general",
    "lt",
    "lieutenant",
    "sgt",
    "sergeant",
    "brig",
    "brigadier",
    "haji",
    "hajji",
    "mullah",
    "mulla",
    "maulvi",
    "mawlawi",
    "maulana",
    "engineer",
    "malik",
    "qari",
    "sayed",
    "ustad",
    "آقای",
    "خانم",
    "داکتر",
    "حاجی",
    "ملا",
    "مولوی",
    "جنرال",
    "دگروال",
    "دگرمن",
    "جگرن",
    "تورن",
    "بریدمن",
    "انجنیر",
    "استاد",
    "قاری",
    "سید",
    "ملک",
    "قوماندان",
    "ښاغلی",
    "مېرمن",
    "ډاکټر",
    "ډګروال",
    "ډګرمن",
    "جګړن",
    "قومندان",
    "جناب",
    "محترم",
    "محترمہ",
    "صاحبزادہ",
    "ڈاکٹر",
    "مولانا",
    "مولوی صاحب",
    "کرنل",
    "کیپٹن",
    "میجر",
    "جنرل",
    "بریگیڈیئر",
    "لیفٹیننٹ",
    "صوبیدار",
    "انجینئر",
    "حوالدار",
    "انسپکٹر",
];
/// Words for a number plate.
const PLATE_WORDS: [&str; 10] =
    ["plate", "plates", "registration", "پلیت", "پلاک", "پلېټ", "پلیټ", "پلیٹ", "رجسٹریشن", "نمبرپلېټ"];
/// Words for identity papers.
const PAPERS_WORDS: [&str; 14] = [
    "cnic",
    "passport",
    "tazkira",
    "nic",
    "پاسپورت",
    "پاسپورٹ",
    "تذکره",
    "تذکرہ",
    "تذکرې",
    "تذکرۀ",
    "شناختی",
    "پېژندپاڼه",
    "پاسپورټ",
    "کارڈ",
];
/// A number that its word names follows so many words later at most.
const NEAR: usize = 4;

/// All that a text should not hold.
pub fn scan(text: &str) -> Vec<Found> {
    let text: String = text.chars().map(folded).collect();
    let words: Vec<&str> = text.split(|c: char| c.is_whitespace() || "،؛,;!?؟()[]{}«»\"۔".contains(c)).collect();
    let words: Vec<&str> =
        words.into_iter().map(|w| w.trim_matches(['.', ':', '\''])).filter(|w| !w.is_empty()).collect();
    let mut found = Vec::new();
    let mut say = |sort, text: &str| found.push(Found { sort, text: text.to_string() });
    for number in numbers(&text) {
        let digits = number.chars().filter(char::is_ascii_digit).count();
        let shape: Vec<usize> =
            number.split('-').map(|part| part.chars().filter(char::is_ascii_digit).count()).collect();
        let abroad = number.starts_with('+') || number.starts_with("00");
        match (&shape[..], digits) {
            // An identity card of Pakistan, an electronic one of Afghanistan.
            ([5, 7, 1] | [4, 4, 5], _) | (_, 13) if !abroad => say(Sort::Papers, &number),
            (_, 9..=15) if abroad || number.starts_with('0') => say(Sort::Telephone, &number),
            _ => {}
        }
    }
    for (n, word) in words.iter().enumerate() {
        let lower = word.to_lowercase();
        let after = || words.iter().skip(n + 1).take(NEAR);
        let has_digits = |word: &&&str| word.chars().filter(char::is_ascii_digit).count() >= 2;
        if let Some((name, host)) = word.split_once('@')
            && !name.is_empty()
            && host.contains('.')
        {
            say(Sort::Mail, word);
        }
        if PLATE_WORDS.contains(&lower.as_str())
            && let Some(number) = after().find(has_digits)
        {
            say(Sort::Plate, number);
        }
        if PAPERS_WORDS.contains(&lower.as_str())
            && let Some(number) = after().find(has_digits)
        {
            say(Sort::Papers, number);
        }
        let next = words.get(n + 1).copied().unwrap_or_default();
        if is_plate(word, next) {
            say(Sort::Plate, &format!("{word} {next}"));
        }
        if is_passport(word) {
            say(Sort::Papers, word);
        }
        if TITLES.contains(&lower.as_str()) && is_name_like(next, word.is_ascii()) {
            say(Sort::Titled, &format!("{word} {next}"));
        }
    }
    found
}

/// Digits of all scripts as Latin ones, and two letters that are written in two ways as one.
fn folded(c: char) -> char {
    match c {
        '۰'..='۹' => char::from(b'0' + (u32::from(c) - u32::from('۰')) as u8),
        '٠'..='٩' => char::from(b'0' + (u32::from(c) - u32::from('٠')) as u8),
        'ي' | 'ى' => 'ی',
        'ك' => 'ک',
        '–' | '‑' => '-',
        c => c,
    }
}

/// Runs of digits with single signs between them, as numbers are written for people to dial or copy.
fn numbers(text: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut run = String::new();
    let mut before = ' ';
    let mut chars = text.chars().chain([' ', ' ']).peekable();
    while let Some(c) = chars.next() {
        let next = chars.peek().copied().unwrap_or(' ');
        let goes_on = match c {
            '0'..='9' => !run.is_empty() || !before.is_alphanumeric(),
            '+' => run.is_empty() && next.is_ascii_digit(),
            ' ' | '-' | '.' | '(' | ')' | '/' => !run.is_empty() && (next.is_ascii_digit() || next == '('),
            _ => false,
        };
        if goes_on {
            run.push(c);
        } else if !run.is_empty() {
            // What letters follow is a hash or a code.
            if !c.is_alphabetic() {
                all.push(std::mem::take(&mut run).trim_end_matches(['-', '.', ' ', '/']).to_string());
            }
            run.clear();
        }
        before = c;
    }
    all
}

/// `LEA-1234`, `KBL 12345`: two or three capitals, then three to five digits.
fn is_plate(word: &str, next: &str) -> bool {
    let letters = |text: &str| (2..=3).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_uppercase());
    let digits = |text: &str| (3..=5).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    match word.split_once('-') {
        Some((left, right)) => letters(left) && digits(right),
        None => {
            let at = word.bytes().take_while(u8::is_ascii_uppercase).count();
            (letters(word) && digits(next)) || (letters(&word[..at]) && digits(&word[at..]))
        }
    }
}

/// `AB1234567`, `P01234567`: one or two capitals, then seven or eight digits.
fn is_passport(word: &str) -> bool {
    let at = word.bytes().take_while(u8::is_ascii_uppercase).count();
    (1..=2).contains(&at) && (7..=8).contains(&(word.len() - at)) && word[at..].bytes().all(|b| b.is_ascii_digit())
}

/// A word that can be a name: in Latin it has a capital, in Arabic script nothing marks one.
fn is_name_like(word: &str, latin: bool) -> bool {
    let is_word = word.chars().count() > 1 && word.chars().all(|c| c.is_alphabetic() || "'’-\u{200c}".contains(c));
    is_word && (!latin || word.chars().next().is_some_and(char::is_uppercase))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Texts as duty officers might write them; `{}` is what is planted.
    const TEXTS: [(&str, [&str; 5]); 4] = [
        (
            "en",
            [
                "The caller left the number {} and said the road was closed.",
                "A white pickup, plate {}, stood at the culvert for an hour.",
                "Report sent by {} after the patrol came back.",
                "The man showed an identity card, {}, and was let through.",
                "We spoke to {} at the gate about the works.",
            ],
        ),
        (
            "fa",
            [
                "تماس گیرنده شمارهٔ {} را داد و گفت که راه بسته است.",
                "یک موتر سفید با پلیت {} یک ساعت نزد پلچک ایستاده بود.",
                "گزارش از نشانی {} پس از بازگشت گزمه رسید.",
                "آن مرد تذکره {} را نشان داد و گذشت.",
                "نزد دروازه با {} دربارهٔ کار ساختمانی گپ زدیم.",
            ],
        ),
        (
            "ps",
            [
                "زنګ وهونکي د {} شمېره پرېښوده او ویې ویل چې لار بنده ده.",
                "یو سپین موټر چې پلېټ یې {} و، یو ساعت د پلچک تر څنګ ولاړ و.",
                "راپور د {} له پتې د ګزمې تر راستنېدو وروسته راغی.",
                "هغه سړي تذکره {} وښوده او تېر شو.",
                "د دروازې تر څنګ مو له {} سره د ودانیزو چارو خبره وکړه.",
            ],
        ),
        (
            "ur",
            [
                "فون کرنے والے نے نمبر {} دیا اور کہا کہ سڑک بند ہے۔",
                "ایک سفید گاڑی، نمبر پلیٹ {}، ایک گھنٹہ پلیا پر کھڑی رہی۔",
                "گشت کی واپسی کے بعد رپورٹ {} سے بھیجی گئی۔",
                "اس شخص نے شناختی کارڈ {} دکھایا اور گزر گیا۔",
                "دروازے پر {} سے تعمیر کے بارے میں بات ہوئی۔",
            ],
        ),
    ];
    const TITLED: [[&str; 4]; 4] = [
        ["Haji Karim", "Dr. Salma", "Colonel Aslam", "Mr Naveed"],
        ["حاجی کریم", "داکتر سلما", "دگروال اسلم", "آقای نوید"],
        ["حاجي کریم", "ډاکټر سلما", "ډګروال اسلم", "ښاغلي نوید"],
        ["حاجی کریم", "ڈاکٹر سلمیٰ", "کرنل اسلم", "جناب نوید"],
    ];

    /// The next of a row of numbers that look random and are the same every time.
    fn draw(seed: &mut u64, below: u64) -> u64 {
        *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*seed >> 33) % below
    }

    fn digits(seed: &mut u64, count: usize) -> String {
        (0..count).map(|_| draw(seed, 10).to_string()).collect()
    }

    /// In the digits of the language, half of the time.
    fn written(text: &str, language: &str, seed: &mut u64) -> String {
        let zero = match (language, draw(seed, 2)) {
            ("en", _) | (_, 0) => return text.to_string(),
            _ => u32::from('۰'),
        };
        let digit = |c: char| c.to_digit(10).and_then(|d| char::from_u32(zero + d)).unwrap_or(c);
        text.chars().map(digit).collect()
    }

    fn planted(sort: usize, at: usize, seed: &mut u64) -> String {
        let d = digits;
        let form = draw(seed, 4);
        match (sort, form) {
            (0, 0) => format!("07{} {} {}", d(seed, 2), d(seed, 3), d(seed, 3)),
            (0, 1) => format!("+93 7{} {} {}", d(seed, 1), d(seed, 3), d(seed, 4)),
            (0, 2) => format!("03{}-{}", d(seed, 2), d(seed, 7)),
            (0, _) => format!("0092 3{} {}", d(seed, 2), d(seed, 7)),
            (1, 0) => format!("LEA-{}", d(seed, 4)),
            (1, 1) => format!("KBL {}", d(seed, 5)),
            (1, 2) => format!("{} {}", d(seed, 1), d(seed, 5)),
            (1, _) => format!("ABC{}", d(seed, 3)),
            (2, _) => format!("post{}@mail{}.example", d(seed, 2), d(seed, 1)),
            (3, 0) => format!("{}-{}-{}", d(seed, 5), d(seed, 7), d(seed, 1)),
            (3, 1) => format!("14{}-{}-{}", d(seed, 2), d(seed, 4), d(seed, 5)),
            (3, 2) => format!("P0{}", d(seed, 7)),
            (3, _) => d(seed, 8),
            (_, form) => TITLED[at][form as usize].to_string(),
        }
    }

    /// 200 texts, 50 a language, ten of each sort.
    #[test]
    fn safeguard_04_nearly_all_that_is_planted_is_found() {
        let (mut seed, mut total, mut found) = (4, 0, 0);
        for (at, (language, texts)) in TEXTS.iter().enumerate() {
            let mut of_language = 0;
            for (sort, text) in texts.iter().enumerate() {
                for _ in 0..10 {
                    let planted = planted(sort, at, &mut seed);
                    let text = text.replace("{}", &written(&planted, language, &mut seed));
                    total += 1;
                    match scan(&text).is_empty() {
                        false => of_language += 1,
                        true => println!("missed: {text}"),
                    }
                }
            }
            println!("{language}: {of_language} of 50");
            found += of_language;
        }
        assert_eq!(total, 200);
        assert!(found * 100 >= total * 95, "{found} of {total}");
    }

    /// What duty officers write every day passes, or the question would soon be answered without reading it.
    #[test]
    fn what_names_nobody_passes() {
        for text in [
            "smoke behind the old mill, 300 m east of T4, at 18:40Z",
            "Fire from 34.1234 N 71.0987 E, 12 bursts between 2026-11-24T18:00:00Z and 2026-11-24T18:59:59Z",
            "2 officers and 14 men, lane open for 3 hours, 45 trucks waiting",
            "allegation A1 answered, see P1#12 and 5d41402abc4b2a76b9719d911017c592",
            "general alert lifted; the major road is closed by order 118/2026",
            "General staff of both sides informed",
            "on 24 November 2026, from 06:00 to 18:30, sector S3",
            "دود در پشت آسیاب کهنه، ۳۰۰ متر شرق برج ۴، ساعت ۱۸:۴۰",
            "د سړک تړل د ۱۲ بجو راهیسې، ۴۵ لارۍ انتظار باسي",
            "پرانی چکی کے پیچھے دھواں، ۳۰۰ میٹر مشرق، ۱۸:۴۰ بجے",
            "24.11.2026, 118 rounds counted, 3 of 4 posts reported",
        ] {
            let found = scan(text);
            // A title is a word of its own, too: one of these is asked about, and its writer says why.
            let titled = text.starts_with("General staff");
            assert!(found.is_empty() || titled, "{text}: {found:?}");
        }
    }

    #[test]
    fn says_what_it_found() {
        let check = |text: &str, expected: &[(Sort, &str)]| {
            let found = scan(text);
            let found: Vec<(Sort, &str)> = found.iter().map(|f| (f.sort, f.text.as_str())).collect();
            assert_eq!(found, expected, "{text}");
        };
        check("call Haji Karim on ۰۷۰۰ ۱۲۳ ۴۵۶.", &[(Sort::Telephone, "0700 123 456"), (Sort::Titled, "Haji Karim")]);
        check("CNIC 42101-1234567-1", &[(Sort::Papers, "42101-1234567-1"), (Sort::Papers, "42101-1234567-1")]);
        check("", &[]);
        check("@ +", &[]);
    }
}
