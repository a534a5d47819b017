//! Reads Rust source as far as the architecture test needs it: words, marks and quoted text.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A piece of source. Comments are gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// A name, keyword or number.
    Word(String),
    /// The inside of a string literal, escapes as written.
    Text(String),
    /// One character of punctuation.
    Mark(char),
}

impl Token {
    pub(super) fn is(&self, mark: char) -> bool {
        *self == Self::Mark(mark)
    }

    pub(super) fn word(&self) -> Option<&str> {
        if let Self::Word(word) = self { Some(word) } else { None }
    }
}

/// A file of `src/`.
pub(super) struct Source {
    /// Its path below `src/`, with `/`.
    pub(super) path: String,
    /// Its module path below the crate: `["app", "enquire"]`; empty for `lib.rs` and `main.rs`.
    pub(super) module: Vec<String>,
    /// How many lines it has, tests included.
    pub(super) lines: usize,
    /// What remains without comments and without anything marked `#[cfg(test)]`.
    pub(super) tokens: Vec<Token>,
}

impl Source {
    /// The first word of its module path: which part of the map it belongs to.
    pub(super) fn part(&self) -> &str {
        self.module.first().map_or("crate", String::as_str)
    }
}

/// Every file of `src/` that is in the product: files of test modules are left out.
pub(super) fn product_sources(root: &Path) -> Vec<Source> {
    let folder = root.join("src");
    let mut files = Vec::new();
    collect(&folder, &mut files);
    files.sort();
    let mut test_modules: BTreeSet<Vec<String>> = BTreeSet::new();
    let mut sources = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).expect("a source file is readable");
        let path = file.strip_prefix(&folder).expect("below src").to_string_lossy().replace('\\', "/");
        let module = module_of(&path);
        let (tokens, tests) = without_tests(tokens(&text));
        test_modules.extend(tests.into_iter().map(|name| [module.as_slice(), &[name]].concat()));
        sources.push(Source { path, module, lines: text.lines().count(), tokens });
    }
    sources.retain(|source| !test_modules.iter().any(|test| source.module.starts_with(test)));
    sources
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("src is a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

fn module_of(path: &str) -> Vec<String> {
    let mut parts: Vec<String> = path.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    if matches!(parts.last().map(String::as_str), Some("mod" | "lib" | "main")) {
        parts.pop();
    }
    parts
}

/// Splits source into tokens.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let chars: Vec<char> = text.chars().collect();
    let at = |index: usize| chars.get(index).copied().unwrap_or('\0');
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut tokens = Vec::new();
    let mut i = 0;
    while i < chars.len() {
        let c = chars[i];
        if c.is_whitespace() {
            i += 1;
        } else if c == '/' && at(i + 1) == '/' {
            while i < chars.len() && chars[i] != '\n' {
                i += 1;
            }
        } else if c == '/' && at(i + 1) == '*' {
            i = after_block_comment(&chars, i);
        } else if let Some(hashes) = raw_string(&chars, i) {
            let start = i + chars[i..].iter().position(|&c| c == '"').expect("a raw string opens") + 1;
            let close: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
            let end = (start..chars.len()).find(|&end| chars[end..].starts_with(&close)).unwrap_or(chars.len());
            tokens.push(Token::Text(chars[start..end].iter().collect()));
            i = end + close.len();
        } else if c == '"' || (matches!(c, 'b' | 'c') && at(i + 1) == '"') {
            let start = i + if c == '"' { 1 } else { 2 };
            let mut end = start;
            while end < chars.len() && chars[end] != '"' {
                end += if chars[end] == '\\' { 2 } else { 1 };
            }
            tokens.push(Token::Text(chars[start..end.min(chars.len())].iter().collect()));
            i = end + 1;
        } else if c == '\'' && at(i + 1) == '\\' {
            i += 3;
            while i < chars.len() && chars[i] != '\'' {
                i += 1;
            }
            i += 1;
        } else if c == '\'' && at(i + 2) == '\'' {
            i += 3;
        } else if is_word(c) {
            let end = (i..chars.len()).find(|&end| !is_word(chars[end])).unwrap_or(chars.len());
            tokens.push(Token::Word(chars[i..end].iter().collect()));
            i = end;
        } else {
            tokens.push(Token::Mark(c));
            i += 1;
        }
    }
    tokens
}

fn after_block_comment(chars: &[char], start: usize) -> usize {
    let (mut depth, mut i) = (0, start);
    while i < chars.len() {
        if chars[i..].starts_with(&['/', '*']) {
            (depth, i) = (depth + 1, i + 2);
        } else if chars[i..].starts_with(&['*', '/']) {
            (depth, i) = (depth - 1, i + 2);
            if depth == 0 {
                return i;
            }
        } else {
            i += 1;
        }
    }
    i
}

/// How many `#` a raw string that opens here has.
fn raw_string(chars: &[char], i: usize) -> Option<usize> {
    let r = if matches!(chars[i], 'b' | 'c') { i + 1 } else { i };
    if chars.get(r) != Some(&'r') || (i > 0 && (chars[i - 1].is_alphanumeric() || chars[i - 1] == '_')) {
        return None;
    }
    let hashes = chars[r + 1..].iter().take_while(|&&c| c == '#').count();
    (chars.get(r + 1 + hashes) == Some(&'"')).then_some(hashes)
}

/// Drops every item marked `#[cfg(test)]`; names the modules among them that are files of their own.
fn without_tests(tokens: Vec<Token>) -> (Vec<Token>, Vec<String>) {
    let mark: Vec<Token> = self::tokens("#[cfg(test)]");
    let (mut kept, mut modules) = (Vec::with_capacity(tokens.len()), Vec::new());
    let mut i = 0;
    while i < tokens.len() {
        if !tokens[i..].starts_with(&mark) {
            kept.push(tokens[i].clone());
            i += 1;
            continue;
        }
        let start = i + mark.len();
        let mut depth = 0;
        i = start;
        while i < tokens.len() {
            match &tokens[i] {
                Token::Mark('{' | '(' | '[') => depth += 1,
                Token::Mark('}' | ')' | ']') => depth -= 1,
                _ => {}
            }
            i += 1;
            if depth == 0 && (tokens[i - 1].is(';') || tokens[i - 1].is('}')) {
                break;
            }
        }
        let item = &tokens[start..i];
        if let Some(place) = item.iter().position(|token| token.word() == Some("mod"))
            && let [Token::Word(name), Token::Mark(';')] = &item[place + 1..]
        {
            modules.push(name.clone());
        }
    }
    (kept, modules)
}

/// The parts of the crate that a file names: `crate::store::…`, `use crate::{app, web::x}`, and
/// `super::super::…` where that leaves the file's own part.
pub(super) fn parts_named(source: &Source) -> BTreeSet<String> {
    let tokens = &source.tokens;
    let mut parts = BTreeSet::new();
    let mut i = 0;
    while i < tokens.len() {
        let mut depth = match tokens[i].word() {
            Some("crate") if !is_visibility(tokens, i) => 0,
            Some("super") if i < 2 || !tokens[i - 1].is(':') => source.module.len().saturating_sub(1),
            _ => {
                i += 1;
                continue;
            }
        };
        i += 1;
        while after_colons(tokens, i).and_then(Token::word) == Some("super") {
            depth = depth.saturating_sub(1);
            i += 3;
        }
        if depth == 0 && after_colons(tokens, i).is_some() {
            names_after(&tokens[i + 2..], &mut parts);
        }
    }
    parts
}

fn is_visibility(tokens: &[Token], i: usize) -> bool {
    i >= 2 && tokens[i - 1].is('(') && tokens[i - 2].word() == Some("pub")
}

fn after_colons(tokens: &[Token], i: usize) -> Option<&Token> {
    (tokens.get(i)?.is(':') && tokens.get(i + 1)?.is(':')).then(|| tokens.get(i + 2)).flatten()
}

fn names_after(tokens: &[Token], parts: &mut BTreeSet<String>) {
    if let Some(Token::Word(word)) = tokens.first() {
        parts.insert(word.clone());
        return;
    }
    let (mut depth, mut begins) = (0, false);
    for token in tokens {
        match token {
            Token::Mark('{') => (depth, begins) = (depth + 1, depth == 0),
            Token::Mark('}') => depth -= 1,
            Token::Mark(',') => begins = depth == 1,
            Token::Word(word) if begins && depth == 1 => {
                parts.insert(word.clone());
                begins = false;
            }
            _ => {}
        }
        if depth == 0 {
            return;
        }
    }
}

/// Whether the file names a path, such as `std::fs`: its words in a row with `::` between them.
pub(super) fn names_path(source: &Source, path: &str) -> bool {
    let wanted = tokens(path);
    let is_start = |place: usize| place < 2 || !source.tokens[place - 1].is(':');
    source
        .tokens
        .windows(wanted.len())
        .enumerate()
        .any(|(place, window)| window == wanted.as_slice() && (wanted.len() > 1 || is_start(place)))
}

/// Whether the file names an external crate: as the start of a path, or in `use`.
pub(super) fn names_crate(source: &Source, name: &str) -> bool {
    let tokens = &source.tokens;
    (0..tokens.len()).filter(|&i| tokens[i].word() == Some(name)).any(|i| {
        let starts = i == 0 || !(tokens[i - 1].is(':') || tokens[i - 1].is('.'));
        let is_path = after_colons(tokens, i + 1).is_some();
        let is_used = i > 0 && tokens[i - 1].word() == Some("use");
        starts && (is_path || is_used)
    })
}

/// `use std::{fs, net}` names `fs` and `net` of `std`, as `std::fs` does.
pub(super) fn std_modules(source: &Source) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for i in 0..source.tokens.len() {
        let is_std = matches!(source.tokens[i].word(), Some("std"));
        if is_std && after_colons(&source.tokens, i + 1).is_some() {
            names_after(&source.tokens[i + 3..], &mut names);
        }
    }
    names
}

#[test]
fn the_reader_sees_what_the_compiler_sees() {
    let text = r##"
        //! use crate::web; in a comment
        /* use crate::cli; /* nested */ use crate::demo; */
        use crate::{store, tlog::{note, merkle}, domain as d};
        pub(crate) fn f<'a>(x: &'a str) -> char { let _ = "use crate::jobs;"; let _ = r#"crate::app"#; '\'' }
        fn g() { super::super::policy::decide(); super::helper(); crate::crypto::seal(); '"'; let _ = "end"; }
        #[cfg(test)]
        mod tests { use crate::identity; fn t() { x.unwrap() } }
        #[cfg(test)]
        pub(crate) mod people;
        use std::{fs, net::TcpListener};
        #[tokio::main] fn m() { self.tokio.run() }
    "##;
    let (tokens, tests) = without_tests(tokens(text));
    let module = vec!["linkage".to_owned(), "cluster".to_owned()];
    let source = Source { path: "linkage/cluster.rs".to_owned(), module, lines: 0, tokens };
    let named = parts_named(&source);
    assert_eq!(named.iter().map(String::as_str).collect::<Vec<_>>(), ["crypto", "domain", "policy", "store", "tlog"]);
    assert_eq!(tests, ["people"]);
    assert_eq!(std_modules(&source).into_iter().collect::<Vec<_>>(), ["fs", "net"]);
    assert!(names_crate(&source, "tokio") && !names_crate(&source, "crypto"));
    assert!(!source.tokens.iter().any(|token| token.word() == Some("unwrap")));
    assert!(source.tokens.contains(&Token::Text("end".to_owned())), "quotes in characters open no string");
}
