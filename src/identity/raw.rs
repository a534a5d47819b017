//! What an agency's file says of one person, field by field.

use std::fmt;

use crate::domain::match_keys::MatchKeys;

/// The texts of one record, by declared field. `Debug` shows which fields, never their texts.
///
/// A field may have several texts: the first is the current one, the others are previous names or
/// addresses. All of them strengthen a link; only the current one makes a household.
#[derive(Clone)]
pub struct RawFields<'a> {
    texts: Vec<(usize, &'a str)>,
}

impl<'a> RawFields<'a> {
    /// No text yet.
    pub fn new() -> Self {
        Self { texts: Vec::with_capacity(16) }
    }

    /// Adds a text; `false` if the file declares no such field.
    pub fn push(&mut self, keys: &MatchKeys, field: &str, text: &'a str) -> bool {
        let index = keys.field_index(field);
        if let Some(index) = index {
            self.push_at(index, text);
        }
        index.is_some()
    }

    /// Adds a text of the field with this index in [`MatchKeys::fields`].
    pub fn push_at(&mut self, field: usize, text: &'a str) {
        self.texts.push((field, text));
    }

    /// Forgets all but the first text of each field.
    ///
    /// For a child who was adopted, and whoever must not be tied to a former identity: previous
    /// names and addresses would be the bridge.
    pub fn keep_current_only(&mut self) {
        let mut seen = Vec::with_capacity(self.texts.len());
        self.texts.retain(|(field, _)| {
            let first = !seen.contains(field);
            seen.push(*field);
            first
        });
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.texts.clear();
    }

    /// The texts of one field, the current one first.
    pub(super) fn of(&self, field: usize) -> impl Iterator<Item = &'a str> {
        self.texts.iter().filter(move |(index, _)| *index == field).map(|(_, text)| *text)
    }
}

impl Default for RawFields<'_> {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for RawFields<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields: Vec<usize> = self.texts.iter().map(|(field, _)| *field).collect();
        f.debug_struct("RawFields").field("fields", &fields).finish_non_exhaustive()
    }
}
