//! The normalised forms of one field of one record.

/// What a form of a value may be used for. Ordered: the surest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Grade {
    /// The value itself.
    Primary,
    /// Another way to write it that names the same person: one part of a double surname.
    Alternate,
    /// A form that another person of the household may share: for keys that only suggest.
    Suggest,
}

/// Forms of values, kept in one text; emptied and filled again for each record.
#[derive(Default)]
pub(super) struct Variants {
    text: String,
    spans: Vec<Span>,
}

#[derive(Clone, Copy)]
pub(super) struct Span {
    start: u32,
    end: u32,
    pub(super) grade: Grade,
    /// Whether it comes from the first text given, which is the current one.
    pub(super) is_current: bool,
}

impl Variants {
    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.spans.clear();
    }

    /// Adds a form unless an equal one is there; an equal one takes the surer grade.
    pub(super) fn push(&mut self, value: &str, grade: Grade, is_current: bool) {
        let Self { text, spans } = self;
        if let Some(known) = spans.iter_mut().find(|span| &text[span.range()] == value) {
            known.grade = known.grade.min(grade);
            known.is_current |= is_current;
            return;
        }
        let start = text.len() as u32;
        text.push_str(value);
        spans.push(Span { start, end: text.len() as u32, grade, is_current });
    }

    /// Puts the surest first; the order of arrival stays within a grade.
    pub(super) fn sort(&mut self) {
        if self.spans.len() > 1 {
            self.spans.sort_by_key(|span| span.grade);
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, Span)> {
        self.spans.iter().map(|span| (&self.text[span.range()], *span))
    }
}

impl Span {
    fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }
}
