//! Characters and words of names that mean something other than the name.

use super::name::NameKind;

/// Every character that stands for an apostrophe in names.
pub(super) fn is_apostrophe(c: char) -> bool {
    matches!(
        c,
        '\'' | '`' | '\u{b4}' | '\u{2b9}'..='\u{2bd}' | '\u{2c8}' | '\u{2018}'..='\u{201b}' | '\u{2032}' | '\u{2035}'
            | '\u{a78c}' | '\u{ff07}'
    )
}

/// Letters that do not decompose into a letter and an accent.
pub(super) fn special_letter(c: char) -> Option<&'static str> {
    Some(match c {
        'ß' | 'ẞ' => "SS",
        'æ' | 'Æ' => "AE",
        'œ' | 'Œ' => "OE",
        'ø' | 'Ø' => "O",
        'ł' | 'Ł' => "L",
        'đ' | 'Đ' | 'ð' | 'Ð' => "D",
        'þ' | 'Þ' => "TH",
        'ħ' | 'Ħ' => "H",
        'ı' => "I",
        'ŧ' | 'Ŧ' => "T",
        'ŋ' | 'Ŋ' => "NG",
        _ => return None,
    })
}

/// Titles before a name. Some are surnames too and go before forenames alone.
pub(super) fn is_title(word: &str, kind: NameKind) -> bool {
    matches!(word, "MR" | "MRS" | "MS" | "MISS" | "MX" | "DR" | "PROF" | "PROFESSOR" | "REV" | "REVD" | "REVEREND")
        || kind == NameKind::Forename && matches!(word, "MASTER" | "SIR" | "DAME" | "LADY" | "LORD" | "CLLR")
}

/// What follows a name. The year of birth tells father from son.
pub(super) fn is_suffix(word: &str) -> bool {
    matches!(
        word,
        "JNR" | "JR" | "JUNIOR" | "SNR" | "SR" | "SENIOR" | "II" | "III" | "IV" | "ESQ" | "MBE" | "OBE" | "CBE" | "PHD"
    )
}

/// Several words in place of a name.
pub(super) fn is_placeholder_phrase(words: &str) -> bool {
    matches!(
        words,
        "N K"
            | "N A"
            | "NOT KNOWN"
            | "NOT GIVEN"
            | "NOT STATED"
            | "NOT RECORDED"
            | "NOT AVAILABLE"
            | "NOT APPLICABLE"
            | "NO NAME"
            | "NO FORENAME"
            | "NO SURNAME"
            | "NAME WITHHELD"
            | "NAME UNKNOWN"
            | "TO BE CONFIRMED"
    )
}

/// Judges the joined form, so that a placeholder split by spaces or dots is found too.
pub(super) fn is_placeholder(joined: &str, kind: NameKind) -> bool {
    let is_word = matches!(
        joined,
        "UNKNOWN"
            | "NK"
            | "NOTKNOWN"
            | "UNK"
            | "UNKN"
            | "NULL"
            | "NONE"
            | "NIL"
            | "NFN"
            | "NMN"
            | "TBC"
            | "TBA"
            | "TEST"
            | "ANON"
            | "ANONYMOUS"
            | "WITHHELD"
            | "REFUSED"
            | "NONAME"
            | "NOTGIVEN"
            | "NOTSTATED"
            | "NOTRECORDED"
            | "BABY"
            | "TWIN"
            | "UNBORN"
            | "INFANT"
            | "BABYOF"
    );
    let is_forename_word = kind == NameKind::Forename
        && (matches!(
            joined,
            "BOY"
                | "GIRL"
                | "MALE"
                | "FEMALE"
                | "BABYBOY"
                | "BABYGIRL"
                | "CHILD"
                | "MASTER"
                | "NEWBORN"
                | "BOYTWIN"
                | "GIRLTWIN"
        ) || is_title(joined, NameKind::Surname));
    let bytes = joined.as_bytes();
    let is_one_letter_repeated = bytes.len() > 1 && bytes.is_ascii() && bytes.iter().all(|byte| byte == &bytes[0]);
    is_word || is_forename_word || is_one_letter_repeated || joined == "X"
}

/// Words of a surname that say little by themselves: half the Dutch would share `VAN`.
pub(super) fn is_particle(word: &str) -> bool {
    matches!(
        word,
        "AB" | "AL"
            | "AP"
            | "BIN"
            | "BINT"
            | "DA"
            | "DAS"
            | "DE"
            | "DEL"
            | "DEN"
            | "DER"
            | "DES"
            | "DI"
            | "DO"
            | "DOS"
            | "DU"
            | "EL"
            | "FERCH"
            | "IBN"
            | "LA"
            | "LE"
            | "LOS"
            | "MAC"
            | "MC"
            | "NEE"
            | "ST"
            | "SAINT"
            | "TEN"
            | "TER"
            | "UL"
            | "UR"
            | "VAN"
            | "VER"
            | "VERCH"
            | "VON"
            | "ZU"
    )
}

/// Names in which `MAC` is no prefix.
pub(super) const MAC_NAMES: [&str; 14] = [
    "MACE",
    "MACHIN",
    "MACKEY",
    "MACARI",
    "MACEDO",
    "MACHEN",
    "MACHADO",
    "MACHON",
    "MACIAS",
    "MACIEL",
    "MACKLIN",
    "MACKRELL",
    "MACRON",
    "MACIEJEWSKI",
];
