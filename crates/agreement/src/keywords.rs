//! Keywords of rules in four languages: one rule, four ways to read it.
//!
//! ```text
//! must       ack(allegation: a, by: y)  within 6 h
//! باید       ack(allegation: a, by: y)  ظرف 6 ساعت
//! ```
//!
//! A block ```` ```accord {lang=ps} ```` is written with the keywords of that language, or with the English ones; it means
//! the same. Names of kinds, fields, variables and places, numbers and signs are the same in all languages. What is stored
//! and shown by default is the English form. The words are drafts until native lawyers have approved them, as all texts.
use crate::block;
use crate::lower::nearest;

/// English, Dari, Pashto, Urdu. In no language do two keywords have one word.
const KEYWORDS: &[[&str; 4]] = &[
    // Items and clauses
    ["define", "تعریف", "تعریف", "تعریف"],
    ["assert", "ادعا", "ادعا", "دعوی"],
    ["admitted", "پذیرفته", "منل‌شوی", "تسلیم‌شدہ"],
    ["commitment", "تعهد", "ژمنه", "عہد"],
    ["part", "بخش", "برخه", "حصہ"],
    ["let", "نام", "نوم", "نام"],
    ["opens", "می‌گشاید", "پرانیزي", "کھولتا"],
    ["bearer", "متعهد", "ژمن", "ذمہ‌دار"],
    ["toward", "دربرابر", "وړاندې", "بجانب"],
    ["jointly", "باهم", "ګډ", "مشترکہ"],
    ["must", "باید", "باید", "لازم"],
    ["lapses", "ساقط", "ساقطېږي", "ساقط"],
    ["exception", "استثنا", "استثنا", "استثنا"],
    ["remedy", "جبران", "جبران", "تدارک"],
    ["audited", "بازرسی‌شده", "پلټل‌شوی", "محاسبہ"],
    ["when", "وقتی", "کله", "جب"],
    ["over", "مقدم", "غوره", "مقدم"],
    ["none", "هیچ", "هېڅ", "معاف"],
    // Natures of duties
    ["conduct", "رفتار", "کړنه", "طرزعمل"],
    ["result", "نتیجه", "پایله", "نتیجہ"],
    ["prohibition", "منع", "منع", "ممانعت"],
    ["power", "صلاحیت", "واک", "اختیار"],
    ["permission", "اجازه", "اجازه", "اجازت"],
    ["severity", "شدت", "شدت", "شدت"],
    // Time
    ["within", "ظرف", "دننه", "اندر"],
    ["for", "برای", "لپاره", "لیے"],
    ["until", "تا", "تر", "جب‌تک"],
    ["since", "ازآنگاه", "راهیسې", "جب‌سے"],
    ["by", "با", "په", "بذریعہ"],
    ["receipt", "رسید", "رسید", "رسید"],
    ["once", "باری", "یوځل", "کبھی"],
    ["historically", "پیوسته", "پخواتل", "ہمیشہ‌سے"],
    ["eventually", "سرانجام", "بالاخره", "بالآخر"],
    ["always", "همیشه", "تل", "ہمیشہ"],
    ["seconds", "ثانیه‌ها", "ثانیې", "سیکنڈوں"],
    ["reached", "رسیده", "رسېدلی", "پہنچا"],
    ["each", "هر", "هره", "ہر"],
    ["every", "هریک", "هر", "ہرایک"],
    ["from", "از", "له", "از"],
    ["day", "روز", "ورځ", "دن"],
    ["week", "هفته", "اونۍ", "ہفتہ"],
    ["month", "ماه", "میاشت", "مہینہ"],
    ["quarter", "ربع", "ربعه", "سہ‌ماہی"],
    ["year", "سال", "کال", "سال"],
    ["s", "ثانیه", "ثانیه", "سیکنڈ"],
    ["min", "دقیقه", "دقیقه", "منٹ"],
    ["h", "ساعت", "ساعت", "گھنٹے"],
    ["d", "شبانه‌روز", "ورځې", "یوم"],
    // Formulas
    ["and", "و", "او", "اور"],
    ["or", "یا", "یا", "یا"],
    ["not", "نه", "نه", "نہیں"],
    ["exists", "هست", "شته", "موجود"],
    ["breached", "نقض‌شده", "سرغړول‌شوی", "خلاف‌ورزی"],
    ["suspended", "معلق", "ځنډول‌شوی", "معطل"],
    ["true", "راست", "رښتیا", "سچ"],
    ["false", "نادرست", "ناسم", "غلط"],
];

/// Languages in which keywords exist.
pub(crate) const LANGUAGES: [&str; 4] = ["en", "fa-AF", "ps", "ur"];

fn column(language: &str) -> Option<usize> {
    LANGUAGES.iter().position(|l| *l == language)
}

/// The English keyword that a word of a language stands for.
pub(crate) fn english(word: &str, language: &str) -> Option<&'static str> {
    let column = column(language)?;
    KEYWORDS.iter().find(|row| row[column] == word).map(|row| row[0])
}

fn word(english: &str, language: &str) -> Option<&'static str> {
    let column = column(language)?;
    KEYWORDS.iter().find(|row| row[0] == english).map(|row| row[column])
}

/// What to say to somebody who wrote `word` in a block of `language`, where no keyword is called so.
pub(crate) fn hint(word: &str, language: &str) -> String {
    let elsewhere = LANGUAGES.iter().find_map(|l| Some((*l, english(word, l)?)));
    if let Some((other, english)) = elsewhere {
        return format!("it is `{english}` in `{other}`: begin the block with ```accord {{lang={other}}}");
    }
    let known = column(language).into_iter().flat_map(|c| KEYWORDS.iter().map(move |row| row[c]));
    match nearest(word, known) {
        Some(near) => format!("did you mean `{near}`, which is `{}`?", english(near, language).unwrap_or(near)),
        None => "names stand in Latin letters, texts in double quotes, keywords in the block's language".into(),
    }
}

/// A block of rules with its keywords in another language: the same rules. What is no keyword stays as it stands, and so
/// does a block in a language that has none.
pub fn translated(block: &str, from: &str, to: &str) -> String {
    let mut text = String::with_capacity(block.len());
    let mut end = 0;
    for (range, english) in block::keywords(block, from) {
        text.push_str(&block[end..range.start]);
        text.push_str(word(&english, to).unwrap_or(&block[range.clone()]));
        end = range.end;
    }
    text.push_str(&block[end..]);
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn one_word_means_one_thing() {
        for (n, language) in LANGUAGES.iter().enumerate() {
            let words: BTreeSet<&str> = KEYWORDS.iter().map(|row| row[n]).collect();
            assert_eq!(words.len(), KEYWORDS.len(), "{language}");
            for row in KEYWORDS {
                assert_eq!(english(row[n], language), Some(row[0]));
                assert!(n == 0 || !row[n].is_ascii() && !row[n].contains(char::is_whitespace), "{}", row[n]);
            }
        }
    }

    #[test]
    fn only_keywords_are_translated() {
        // `for` and `by` are fields here, `s` and `d` variables, `day` a field and a tick.
        let rule = "commitment C1 : result, severity C\n  opens  each day d and sector(id: s, day: d) # for all\n  bearer s   toward d\n  must   successor_named(for: s, by: d)  within 2 d by receipt\n  remedy C35, M3\n";
        let dari = translated(rule, "en", "fa-AF");
        assert_eq!(
            dari,
            "تعهد C1 : نتیجه, شدت C\n  می‌گشاید  هر روز d و sector(id: s, day: d) # for all\n  متعهد s   دربرابر d\n  باید   successor_named(for: s, by: d)  ظرف 2 شبانه‌روز با رسید\n  جبران C35, M3\n"
        );
        for language in LANGUAGES {
            assert_eq!(translated(&translated(rule, "en", language), language, "en"), rule);
        }
        assert_eq!(translated(rule, "en", "fr"), rule);
    }
}
