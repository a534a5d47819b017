//! Forenames and surnames: one normal form, and the other ways in which it may be written.

use std::fmt;
use std::ops::Range;

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

use super::error::IdentityError;
use super::name_words::{
    MAC_NAMES, is_apostrophe, is_particle, is_placeholder, is_placeholder_phrase, is_suffix, is_title, special_letter,
};
use super::nicknames::full_names;
use super::text::is_invisible;
use super::variants::{Grade, Variants};

const MISSING: IdentityError = IdentityError::missing("name.missing");
const SENTINEL: IdentityError = IdentityError::sentinel("name.sentinel", "a word in place of a name");
const NOT_THE_CHILD: IdentityError =
    IdentityError::sentinel("name.baby_of", "the name of the mother stands in place of the child's");
const CHARACTERS: IdentityError = IdentityError::invalid("name.characters", "a name has letters");
const LENGTH: IdentityError = IdentityError::invalid("name.length", "a name is at most 256 bytes");

/// The longest text that is read as a name.
const LONGEST: usize = 256;

/// Which part of a name a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NameKind {
    /// Given names.
    Forename,
    /// Family name.
    Surname,
}

/// The normal form of a name and its alternates. `Debug` hides them.
#[derive(Clone, PartialEq, Eq)]
pub struct NameForms {
    link: Vec<String>,
    suggest: Vec<String>,
}

impl NameForms {
    /// Forms that may link: the normal form first. Empty for a forename of initials alone.
    pub fn link(&self) -> &[String] {
        &self.link
    }
    /// Forms that may only suggest, because somebody else in the household may share them.
    pub fn suggest(&self) -> &[String] {
        &self.suggest
    }
}

impl fmt::Debug for NameForms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NameForms(redacted)")
    }
}

/// Normalises a name.
///
/// Accents, apostrophes, titles, suffixes, bracketed notes and case go; hyphens and spaces close up.
/// The parts of a double surname and the `MC` form of a `MAC` name are alternates that link. The
/// parts of a double forename are not (twins may be Mary Ann and Mary Jane): they suggest, as do
/// initials and full names of a short form that has several.
///
/// # Errors
///
/// [`IdentityError`] `name.missing`, `name.sentinel`, `name.baby_of`, `name.characters` or
/// `name.length`.
///
/// ```
/// use porth::identity::{NameKind, normalise_name};
/// let forms = normalise_name("Mrs. Trelawny-O’Brien (née Penrose)", NameKind::Surname).expect("a name");
/// assert_eq!(forms.link(), ["TRELAWNYOBRIEN", "TRELAWNY", "OBRIEN"]);
/// ```
pub fn normalise_name(text: &str, kind: NameKind) -> Result<NameForms, IdentityError> {
    let mut variants = Variants::default();
    NameReader::default().read(text, kind, true, &mut variants)?;
    variants.sort();
    let mut forms = NameForms { link: Vec::new(), suggest: Vec::new() };
    for (value, span) in variants.iter() {
        let list = if span.grade == Grade::Suggest { &mut forms.suggest } else { &mut forms.link };
        list.push(value.to_owned());
    }
    Ok(forms)
}

/// Reads names with buffers that are used again.
#[derive(Default)]
pub(super) struct NameReader {
    folded: String,
    words: Vec<Range<usize>>,
    joined: String,
    other: String,
}

impl NameReader {
    pub(super) fn read(
        &mut self,
        text: &str,
        kind: NameKind,
        is_current: bool,
        out: &mut Variants,
    ) -> Result<(), IdentityError> {
        if text.len() > LONGEST {
            return Err(LENGTH);
        }
        fold(text, &mut self.folded);
        self.find_words(kind)?;
        self.joined.clear();
        for word in &self.words {
            self.joined.push_str(&self.folded[word.clone()]);
        }
        if self.joined.is_empty() {
            return Err(nothing_left(text));
        }
        if is_placeholder(&self.joined, kind) {
            return Err(SENTINEL);
        }
        match kind {
            NameKind::Forename => self.forename_forms(is_current, out),
            NameKind::Surname => self.surname_forms(is_current, out),
        }
        Ok(())
    }

    /// Splits the folded text and drops the words that are no name.
    fn find_words(&mut self, kind: NameKind) -> Result<(), IdentityError> {
        let Self { folded, words, .. } = self;
        words.clear();
        let mut start = 0;
        for word in folded.split(' ') {
            if !word.is_empty() {
                words.push(start..start + word.len());
            }
            start += word.len() + 1;
        }
        if words.len() < 2 {
            return Ok(());
        }
        let word = |range: &Range<usize>| &folded[range.clone()];

        if is_placeholder_phrase(folded) {
            return Err(SENTINEL);
        }
        while words.len() > 1 && is_title(word(&words[0]), kind) {
            words.remove(0);
        }
        while words.len() > 1 && is_suffix(word(&words[words.len() - 1])) {
            words.pop();
        }
        // BABY OF SARAH: for a forename that is the mother's, for a surname BABY OF goes.
        if word(&words[0]) == "BABY" && words.len() > 1 {
            let of = word(&words[1]) == "OF";
            if of && kind == NameKind::Forename {
                return Err(NOT_THE_CHILD);
            }
            words.drain(..if of { 2 } else { 1 });
        }
        if let [b, o, rest @ ..] = words.as_slice()
            && (word(b), word(o)) == ("B", "O")
            && !rest.is_empty()
            && kind == NameKind::Forename
        {
            return Err(NOT_THE_CHILD);
        }
        let mut at = 0;
        while at < words.len() {
            let next = words.get(at + 1).map(word);
            let dropped = match word(&words[at]) {
                "NOT" if next == Some("KNOWN") => 2,
                "TWIN" if next.is_some_and(|next| matches!(next, "A" | "B" | "ONE" | "TWO" | "I" | "II")) => 2,
                "UNKNOWN" | "NK" | "TWIN" => 1,
                _ => 0,
            };
            words.drain(at..at + dropped);
            at += usize::from(dropped == 0);
        }
        Ok(())
    }

    fn forename_forms(&self, is_current: bool, out: &mut Variants) {
        // Initials do not tell siblings apart, twins least of all.
        let is_initials = self.words.iter().all(|word| self.folded[word.clone()].chars().nth(1).is_none());
        out.push(&self.joined, if is_initials { Grade::Suggest } else { Grade::Primary }, is_current);
        if let Some((is_sure, full)) = full_names(&self.joined) {
            let grade = if is_sure { Grade::Alternate } else { Grade::Suggest };
            for name in full {
                out.push(name, grade, is_current);
            }
        }
        if self.words.len() > 1 {
            for part in self.parts() {
                out.push(part, Grade::Suggest, is_current);
                for name in full_names(part).map_or(&[][..], |(_, full)| full) {
                    out.push(name, Grade::Suggest, is_current);
                }
            }
        }
    }

    fn surname_forms(&mut self, is_current: bool, out: &mut Variants) {
        out.push(&self.joined, Grade::Primary, is_current);
        if self.words.len() > 1 {
            for part in self.parts().filter(|part| !is_particle(part)) {
                out.push(part, Grade::Alternate, is_current);
            }
        }
        let Self { folded, words, joined, other } = self;
        let parts = words.iter().map(|word| &folded[word.clone()]).filter(|_| words.len() > 1);
        for name in std::iter::once(joined.as_str()).chain(parts) {
            if let Some(rest) = name.strip_prefix("MAC")
                && rest.len() >= 3
                && !MAC_NAMES.contains(&name)
            {
                other.clear();
                other.push_str("MC");
                other.push_str(rest);
                out.push(other, Grade::Alternate, is_current);
            }
        }
        if celtic_spelling(joined, other) {
            out.push(other, Grade::Suggest, is_current);
        }
    }

    /// The words of two letters or more.
    fn parts(&self) -> impl Iterator<Item = &str> {
        self.words.iter().map(|word| &self.folded[word.clone()]).filter(|part| part.chars().nth(1).is_some())
    }
}

/// Letters in upper case without accents, one space between words; notes in brackets are left out.
fn fold(text: &str, folded: &mut String) {
    folded.clear();
    let mut depth = 0_u32;
    if text.is_ascii() {
        for c in text.chars() {
            push_folded(c, &mut depth, folded);
        }
    } else {
        // Apostrophes go first: decomposed, an acute accent used as one would be a space.
        for c in text.chars().filter(|&c| !is_apostrophe(c) && !is_invisible(c)).nfkd() {
            if !is_combining_mark(c) {
                push_folded(c, &mut depth, folded);
            }
        }
    }
    if folded.ends_with(' ') {
        folded.pop();
    }
}

fn push_folded(c: char, depth: &mut u32, folded: &mut String) {
    match c {
        '(' | '[' | '{' => *depth += 1,
        ')' | ']' | '}' => *depth = depth.saturating_sub(1),
        _ if *depth > 0 => return,
        'A'..='Z' => return folded.push(c),
        'a'..='z' => return folded.push(c.to_ascii_uppercase()),
        _ if is_apostrophe(c) => return,
        _ if c.is_alphabetic() => {
            match special_letter(c) {
                Some(letters) => folded.push_str(letters),
                None => folded.extend(c.to_uppercase()),
            }
            return;
        }
        _ => {}
    }
    if !folded.is_empty() && !folded.ends_with(' ') {
        folded.push(' ');
    }
}

/// A text without a letter outside brackets was empty, a mark that says so, or no name.
fn nothing_left(text: &str) -> IdentityError {
    if text.chars().all(|c| c.is_whitespace() || is_invisible(c)) {
        MISSING
    } else if text.chars().any(char::is_numeric) && !text.chars().any(char::is_alphabetic) {
        CHARACTERS
    } else {
        SENTINEL
    }
}

/// Cornish and Welsh spellings vary between K and C at the start (Karlyon, Carlyon) and between Y
/// and I. Writes the C and I form; `false` if the name is that already.
fn celtic_spelling(name: &str, out: &mut String) -> bool {
    out.clear();
    for (at, c) in name.char_indices() {
        let next = name.as_bytes().get(at + 1);
        out.push(match c {
            'K' if at == 0 && matches!(next, Some(b'A' | b'E' | b'O' | b'U' | b'L' | b'R')) => 'C',
            'Y' if at > 0 => 'I',
            other => other,
        });
    }
    out != name
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn link(text: &str, kind: NameKind) -> Vec<String> {
        normalise_name(text, kind).expect("a name").link
    }

    #[test]
    fn twins_share_no_form_that_links() {
        for (one, other) in
            [("Mary Ann", "Mary Jane"), ("Muhammad Ali", "Muhammad-Hassan"), ("Samuel", "Sam"), ("J", "J.")]
        {
            let (one, other) = (link(one, NameKind::Forename), link(other, NameKind::Forename));
            assert!(one.iter().all(|form| !other.contains(form)), "{one:?} {other:?}");
        }
    }

    #[test]
    fn a_sure_short_form_links_to_its_full_name() {
        assert_eq!(link("Lizzie", NameKind::Forename), ["LIZZIE", "ELIZABETH"]);
        assert_eq!(link("Sam", NameKind::Forename), ["SAM"]);
        assert_eq!(normalise_name("Sam", NameKind::Forename).expect("a name").suggest, ["SAMANTHA", "SAMUEL"]);
    }

    #[test]
    fn spellings_of_one_name_meet() {
        let one = normalise_name("Karlyon", NameKind::Surname).expect("a name");
        let other = normalise_name("Carlyon", NameKind::Surname).expect("a name");
        assert_eq!((one.suggest, other.suggest), (vec!["CARLION".into()], vec!["CARLION".into()]));
        assert_eq!(link("Mac Donald", NameKind::Surname), ["MACDONALD", "DONALD", "MCDONALD"]);
        assert_eq!(link("Mace", NameKind::Surname), ["MACE"]);
    }

    #[test]
    fn nothing_of_a_name_is_shown() {
        let forms = normalise_name("Jowan", NameKind::Forename).expect("a name");
        assert_eq!(format!("{forms:?}"), "NameForms(redacted)");
    }

    proptest! {
        #[test]
        fn a_name_normalised_twice_is_normalised_once(text in "\\PC{0,40}", forename in any::<bool>()) {
            let kind = if forename { NameKind::Forename } else { NameKind::Surname };
            let primary = |text: &str| {
                let mut reader = NameReader::default();
                let read = reader.read(text, kind, true, &mut Variants::default());
                read.map(|()| reader.joined)
            };
            if let Ok(once) = primary(&text) {
                prop_assert_eq!(primary(&once), Ok(once.clone()));
            }
        }

        #[test]
        fn words_in_any_order_never_panic(words in proptest::collection::vec(
            proptest::sample::select(vec!["MR", "BABY", "OF", "TWIN", "1", "A", "NOT", "KNOWN", "(", ")", "O'", "JNR", "NK", "B", "O", "Mac", "-"]), 0..8)) {
            let text = words.join(" ");
            let _ = normalise_name(&text, NameKind::Forename);
            let _ = normalise_name(&text, NameKind::Surname);
        }
    }
}
