//! How statements are written down, so that a test can prepare every one on both engines.

use std::sync::OnceLock;

use super::bulk::BulkInsert;
use super::dialect::Engine;

/// Declares statements as constants and lists them for the test.
macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident = $text:expr;)*) => {
        $($(#[$doc])* const $name: &str = $text;)*
        pub(super) const STATEMENTS: &[(&str, &str)] = &[$((stringify!($name), $name)),*];
    };
}
pub(super) use statements;

/// Lengths that a list of parameters is filled up to, so that few texts are ever prepared and the
/// length of a list says little.
const LENGTHS: [usize; 4] = [16, 64, 256, 1024];

/// A statement with one list of parameters, written `{list}`, after its fixed ones.
pub(super) struct ListStatement {
    text: &'static str,
    fixed: usize,
    texts: [OnceLock<&'static str>; LENGTHS.len()],
}

impl ListStatement {
    /// The longest list that one statement takes.
    pub(super) const MOST: usize = LENGTHS[LENGTHS.len() - 1];

    pub(super) const fn new(text: &'static str, fixed: usize) -> Self {
        Self { text, fixed, texts: [const { OnceLock::new() }; LENGTHS.len()] }
    }

    /// The text for a list, and how long the list has to be made for it.
    ///
    /// Lists over [`ListStatement::MOST`] are the caller's to split.
    pub(super) fn text(&self, length: usize) -> (&'static str, usize) {
        let index = LENGTHS.iter().position(|most| length <= *most).unwrap_or(LENGTHS.len() - 1);
        let text = self.texts[index].get_or_init(|| {
            let list: Vec<String> = (1..=LENGTHS[index]).map(|n| format!("${}", self.fixed + n)).collect();
            // One text per statement and length for the life of the process: bounded by design.
            Box::leak(self.text.replace("{list}", &list.join(", ")).into_boxed_str())
        });
        (text, LENGTHS[index])
    }
}

/// Every statement of the store on an engine: where it is, its name, its text.
pub(super) fn all(engine: Engine) -> Vec<(&'static str, String, &'static str)> {
    let mut found = Vec::new();
    for (file, statements) in super::FILES {
        for (name, text) in *statements {
            found.push((*file, (*name).to_owned(), *text));
        }
    }
    for (name, list) in super::LISTS {
        for length in LENGTHS {
            found.push(("list", format!("{name}[{length}]"), list.text(length).0));
        }
    }
    for (name, bulk) in super::BULKS {
        let bulk: &BulkInsert = bulk;
        found.push(("bulk", (*name).to_owned(), bulk.sample(engine)));
    }
    found
}
