//! The one JSON form that an entry may have, checked in one pass and without allocating.
//!
//! The form is RFC 8785 (JCS) narrowed to what needs no second opinion: objects, arrays, strings and
//! integers below 2^53 in size; keys of lower-case letters, digits and `_`. No floats, `null`, `true` or `false`.
//! Keys must rise strictly, so a duplicate key is refused by the same comparison. Every other
//! spelling of the same data is refused: an entry has exactly one sequence of bytes.

use super::entry::{EntryError, MAX_ENTRY_BYTES};
use crate::domain::ids::EventId;
use crate::domain::token::decode_base64url;

const MAX_DEPTH: usize = 16;
const MAX_INTEGER: u64 = (1 << 53) - 1;

/// The envelope of an entry whose bytes are canonical; borrows from them.
#[derive(Debug, Clone, Copy)]
pub struct Envelope<'a> {
    /// When, as written.
    pub at: &'a str,
    /// The body, canonical JSON itself.
    pub body: &'a str,
    /// The event's id.
    pub event: EventId,
    /// The log that the entry belongs to.
    pub log: &'a str,
    /// 32 random bytes.
    pub nonce: [u8; 32],
    /// The entry's type, such as `enquiry`.
    pub kind: &'a str,
}

/// Reads an entry's envelope and checks that the whole entry is canonical.
///
/// The body's fields are not compared with its type: [`super::entry::Entry::parse`] does that.
///
/// # Errors
///
/// [`EntryError`] for bytes that no entry of version 1 has.
pub fn envelope(bytes: &[u8]) -> Result<Envelope<'_>, EntryError> {
    let mut scanner = Scanner::new(bytes)?;
    scanner.expect(b'{')?;
    let at = scanner.member(b"\"at\":")?.text()?;
    let body = scanner.member(b",\"body\":")?.object()?;
    let event = scanner.member(b",\"event\":")?.text()?;
    let log = scanner.member(b",\"log\":")?.text()?;
    let nonce = scanner.member(b",\"nonce\":")?.text()?;
    let kind = scanner.member(b",\"type\":")?.text()?;
    scanner.member(b",\"v\":1}")?;
    scanner.end()?;
    if !is_time(at.as_bytes()) {
        return Err(EntryError::Envelope("at is not a time in UTC with microseconds"));
    }
    Ok(Envelope {
        at,
        body,
        event: event_id(event.as_bytes()).ok_or(EntryError::Envelope("event is not a lower-case UUID"))?,
        log,
        nonce: decode_base64url(nonce).ok_or(EntryError::Envelope("nonce is not 32 bytes of base64url"))?,
        kind,
    })
}

/// Checks that some bytes are one canonical JSON value.
///
/// # Errors
///
/// [`EntryError::NotCanonical`] or [`EntryError::NotUtf8`].
pub fn check(bytes: &[u8]) -> Result<(), EntryError> {
    let mut scanner = Scanner { text: utf8(bytes)?, at: 0 };
    scanner.value(0)?;
    scanner.end()
}

/// The canonical form of a struct of strings, integers, lists and structs.
pub(super) fn render(value: &impl serde::Serialize) -> String {
    serde_json_canonicalizer::to_string(value).expect("strings, integers, lists and structs have a JSON form")
}

struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    fn new(bytes: &'a [u8]) -> Result<Self, EntryError> {
        if bytes.len() > MAX_ENTRY_BYTES {
            return Err(EntryError::TooLong);
        }
        Ok(Self { text: utf8(bytes)?, at: 0 })
    }

    /// Steps over the bytes that canonical order fixes; any other key is not of this envelope.
    fn member(&mut self, key: &'static [u8]) -> Result<&mut Self, EntryError> {
        if !self.rest().starts_with(key) {
            return Err(EntryError::Envelope(
                "the keys are exactly at, body, event, log, nonce, type and v, which is 1",
            ));
        }
        self.at += key.len();
        Ok(self)
    }

    /// A non-empty string without escapes.
    fn text(&mut self) -> Result<&'a str, EntryError> {
        let start = self.at + 1;
        self.string()?;
        let text = &self.text[start..self.at - 1];
        if text.is_empty() || text.contains('\\') {
            return Err(EntryError::Envelope("a text is empty or holds an escape"));
        }
        Ok(text)
    }

    fn object(&mut self) -> Result<&'a str, EntryError> {
        let start = self.at;
        if self.peek() != Some(b'{') {
            return Err(EntryError::Envelope("body is not an object"));
        }
        self.value(1)?;
        Ok(&self.text[start..self.at])
    }

    fn value(&mut self, depth: usize) -> Result<(), EntryError> {
        if depth > MAX_DEPTH {
            return Err(self.fault("nested too deep"));
        }
        match self.peek() {
            Some(b'"') => self.string(),
            Some(b'{') => self.members(depth),
            Some(b'[') => self.items(depth),
            Some(b'-' | b'0'..=b'9') => self.integer(),
            _ => Err(self.fault("only objects, arrays, strings and integers")),
        }
    }

    fn members(&mut self, depth: usize) -> Result<(), EntryError> {
        self.at += 1;
        if self.step_if(b'}') {
            return Ok(());
        }
        let mut previous: &[u8] = b"";
        loop {
            let start = self.at + 1;
            self.string()?;
            let key = &self.text.as_bytes()[start..self.at - 1];
            let plain = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'_';
            if key.is_empty() || !key.iter().all(plain) {
                return Err(self.fault("a key has lower-case letters, digits and '_' only"));
            }
            if key <= previous {
                return Err(self.fault("keys are sorted and occur once"));
            }
            previous = key;
            self.expect(b':')?;
            self.value(depth + 1)?;
            if self.step_if(b'}') {
                return Ok(());
            }
            self.expect(b',')?;
        }
    }

    fn items(&mut self, depth: usize) -> Result<(), EntryError> {
        self.at += 1;
        if self.step_if(b']') {
            return Ok(());
        }
        loop {
            self.value(depth + 1)?;
            if self.step_if(b']') {
                return Ok(());
            }
            self.expect(b',')?;
        }
    }

    fn string(&mut self) -> Result<(), EntryError> {
        self.expect(b'"')?;
        loop {
            self.at += plain_length(self.rest());
            if self.peek().is_none() {
                return Err(self.fault("a string does not end"));
            }
            match self.rest()[0] {
                b'"' => {
                    self.at += 1;
                    return Ok(());
                }
                b'\\' => self.escape()?,
                _ => return Err(self.fault("a control character is not escaped")),
            }
        }
    }

    /// The only escapes of RFC 8785: the short ones, and `\u00xx` for controls that have none.
    fn escape(&mut self) -> Result<(), EntryError> {
        let length = match self.rest() {
            [_, b'"' | b'\\' | b'b' | b'f' | b'n' | b'r' | b't', ..] => 2,
            [_, b'u', b'0', b'0', b'0', b'0'..=b'7' | b'b' | b'e' | b'f', ..]
            | [_, b'u', b'0', b'0', b'1', b'0'..=b'9' | b'a'..=b'f', ..] => 6,
            _ => return Err(self.fault("not an escape of canonical form")),
        };
        self.at += length;
        Ok(())
    }

    fn integer(&mut self) -> Result<(), EntryError> {
        let negative = self.step_if(b'-');
        let digits = self.rest().iter().take_while(|b| b.is_ascii_digit()).count();
        let text = &self.text[self.at..self.at + digits];
        let value = text.parse::<u64>().ok().filter(|value| *value <= MAX_INTEGER);
        let Some(value) = value else { return Err(self.fault("an integer is below 2^53")) };
        if (text.starts_with('0') && digits > 1) || (negative && value == 0) {
            return Err(self.fault("an integer has no leading zero or negative zero"));
        }
        self.at += digits;
        Ok(())
    }

    fn end(&self) -> Result<(), EntryError> {
        if self.at == self.text.len() { Ok(()) } else { Err(self.fault("bytes follow the value")) }
    }

    fn expect(&mut self, byte: u8) -> Result<(), EntryError> {
        if self.step_if(byte) { Ok(()) } else { Err(self.fault("another character is due here")) }
    }

    fn step_if(&mut self, byte: u8) -> bool {
        let is_here = self.peek() == Some(byte);
        self.at += usize::from(is_here);
        is_here
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn rest(&self) -> &'a [u8] {
        &self.text.as_bytes()[self.at..]
    }

    fn fault(&self, rule: &'static str) -> EntryError {
        EntryError::NotCanonical { at: self.at, rule }
    }
}

/// How many bytes come before the first quote, backslash or control character.
///
/// Eight bytes at a time: strings are most of an entry, and this loop is most of the check.
fn plain_length(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::MAX / 255;
    const HIGH: u64 = ONES << 7;
    // A byte's high bit is set where the byte is below `bound`, if only by a borrow from such a byte.
    let below = |word: u64, bound: u64| word.wrapping_sub(ONES * bound) & !word & HIGH;
    let (words, _) = bytes.as_chunks::<8>();
    let is_plain = |word: &&[u8; 8]| {
        let word = u64::from_ne_bytes(**word);
        let quote = word ^ (ONES * u64::from(b'"'));
        let backslash = word ^ (ONES * u64::from(b'\\'));
        below(word, 0x20) | below(quote, 1) | below(backslash, 1) == 0
    };
    let whole = 8 * words.iter().take_while(is_plain).count();
    let special = |b: &u8| matches!(*b, b'"' | b'\\' | ..0x20);
    whole + bytes[whole..].iter().position(special).unwrap_or(bytes.len() - whole)
}

fn utf8(bytes: &[u8]) -> Result<&str, EntryError> {
    std::str::from_utf8(bytes).map_err(|_| EntryError::NotUtf8)
}

/// The shape `2026-09-20T10:15:00.000000Z`; whether the day exists is the typed parser's question.
fn is_time(text: &[u8]) -> bool {
    const SHAPE: &[u8; 27] = b"0000-00-00T00:00:00.000000Z";
    let fits = |(&have, &shape): (&u8, &u8)| if shape == b'0' { have.is_ascii_digit() } else { have == shape };
    text.len() == SHAPE.len() && text.iter().zip(SHAPE).all(fits)
}

fn event_id(text: &[u8]) -> Option<EventId> {
    let text: &[u8; 36] = text.try_into().ok()?;
    let mut bytes = [0u8; 16];
    let mut nibbles = 0;
    for (position, &digit) in text.iter().enumerate() {
        if matches!(position, 8 | 13 | 18 | 23) {
            if digit != b'-' {
                return None;
            }
            continue;
        }
        let value = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        bytes[nibbles / 2] = bytes[nibbles / 2] << 4 | value;
        nibbles += 1;
    }
    EventId::from_slice(&bytes).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            (-(1i64 << 53) + 1..1i64 << 53).prop_map(Value::from),
            any::<String>().prop_map(Value::from),
            "[\\x00-\\x1f\"\\\\/\\x7f]{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                proptest::collection::btree_map("[a-z0-9_]{1,6}", inner, 0..6)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_the_canonicalizer_writes_is_canonical(value in values()) {
            let bytes = serde_json_canonicalizer::to_vec(&value).expect("JSON");
            prop_assert_eq!(check(&bytes), Ok(()));
        }

        #[test]
        fn a_plain_run_ends_at_the_first_special_byte(bytes in proptest::collection::vec(any::<u8>(), 0..40), spare in 0u8..3) {
            // Mostly plain bytes, so that runs cross several words.
            let bytes: Vec<u8> = bytes.iter().map(|b| if spare > 0 && b % 7 > 0 { b | 0x60 } else { *b }).collect();
            let first = bytes.iter().position(|b| *b < 0x20 || *b == b'"' || *b == b'\\');
            prop_assert_eq!(plain_length(&bytes), first.unwrap_or(bytes.len()));
        }

        #[test]
        fn what_is_canonical_is_what_the_canonicalizer_writes(value in values(), at in any::<prop::sample::Index>(), bit in 0u8..8) {
            let mut bytes = serde_json_canonicalizer::to_vec(&value).expect("JSON");
            let position = at.index(bytes.len());
            bytes[position] ^= 1 << bit;
            if check(&bytes).is_ok() {
                let value: Value = serde_json::from_slice(&bytes).expect("canonical is JSON");
                prop_assert_eq!(serde_json_canonicalizer::to_vec(&value).expect("JSON"), bytes);
            }
        }
    }

    #[test]
    fn other_spellings_are_refused() {
        for bad in [
            "",
            " 1",
            "1 ",
            "01",
            "-0",
            "1.0",
            "1e3",
            "9007199254740992",
            "-9007199254740992",
            "null",
            "true",
            "false",
            "[1,]",
            "[1, 2]",
            "{\"a\":1,}",
            "{\"b\":1,\"a\":2}",
            "{\"a\":1,\"a\":2}",
            "{\"A\":1}",
            "{\"\":1}",
            "{\"\\u0061\":1}",
            "\"\\u0041\"",
            "\"\\/\"",
            "\"\\u000a\"",
            "\"\\u001F\"",
            "\"\n\"",
            "\"open",
            "[",
            "{",
            "-",
        ] {
            assert!(check(bad.as_bytes()).is_err(), "{bad}");
        }
        assert_eq!(check(b"\"\xff\""), Err(EntryError::NotUtf8));
        assert!(check("[".repeat(100_000).as_bytes()).is_err(), "deep nesting is refused, not followed");
    }

    #[test]
    fn an_envelope_has_exactly_its_seven_keys() {
        let good = json!({
            "v": 1, "log": "gw.example/2026", "type": "enquiry", "at": "2026-09-20T10:15:00.000000Z",
            "event": "0199b4a0-7c00-7000-8000-000000000001", "nonce": "A".repeat(43), "body": {"a": 1},
        });
        let bytes = |value: &Value| serde_json_canonicalizer::to_vec(value).expect("JSON");
        let text = bytes(&good);
        let read = envelope(&text).expect("canonical");
        assert_eq!((read.kind, read.log, read.body), ("enquiry", "gw.example/2026", "{\"a\":1}"));
        assert_eq!(read.event.to_string(), "0199b4a0-7c00-7000-8000-000000000001");
        for (key, value) in [
            ("v", json!(2)),
            ("v", json!("1")),
            ("at", json!("2026-09-20T10:15:00Z")),
            ("event", json!("0199B4A0-7C00-7000-8000-000000000001")),
            ("nonce", json!("AAAA")),
            ("nonce", json!("A".repeat(42) + "B")),
            ("body", json!([])),
            ("log", json!("")),
            ("type", json!("a\"b")),
            ("extra", json!(1)),
            ("zzz", json!(1)),
        ] {
            let mut bad = good.clone();
            bad[key] = value;
            assert!(envelope(&bytes(&bad)).is_err(), "{key}");
        }
        for key in ["v", "at", "event", "nonce", "body", "log", "type"] {
            let mut bad = good.clone();
            bad.as_object_mut().expect("an object").remove(key);
            assert!(envelope(&bytes(&bad)).is_err(), "without {key}");
        }
        assert!(matches!(envelope(&vec![b' '; MAX_ENTRY_BYTES + 1]), Err(EntryError::TooLong)));
    }
}
