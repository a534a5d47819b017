//! Forms as pages show them: their fields, what was typed into them, and what was wrong with it.
//!
//! A page puts its form together with [`Form::new`] and one call for each field, and shows it. When it is
//! posted the page puts the same form together again, lets it [take](Form::take) what was typed, and reads
//! the fields; each reader notes what it cannot read, so that the page can be shown again with the errors.

use std::str::FromStr;

use askama::Template;
use jiff::civil::Date;

use super::form::Fields;
use super::visitor::Visitor;
use crate::domain::time::Timestamp;
use crate::tlog::entry::Code;

/// What is said of every field that goes into the log as it is.
pub(super) const CODE_HINT: &str = "It goes into the log as it is: letters, digits and - _ . : / without spaces, such as case-note/2026-114. \
     Never anybody's name.";

/// A form of a page.
#[derive(Clone, Template)]
#[template(path = "form.html")]
pub(super) struct Form {
    path: String,
    token: String,
    step: &'static str,
    heading: &'static str,
    button: &'static str,
    is_secondary: bool,
    refused: Option<String>,
    fields: Vec<Field>,
}

/// A field of a form.
#[derive(Debug, Clone)]
pub(super) struct Field {
    name: &'static str,
    id: String,
    label: &'static str,
    hint: &'static str,
    kind: Kind,
    typed: String,
    fault: Option<String>,
}

/// How a field is filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Text,
    Long,
    Number,
    Hidden,
    Paragraph,
    Checkboxes(Vec<Choice>),
    Radios(Vec<Choice>),
    Select(Vec<Choice>),
}

/// Something to choose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Choice {
    pub(super) value: String,
    pub(super) label: String,
    pub(super) hint: &'static str,
}

/// A line of the summary of errors: the field's id, and what is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) id: String,
    pub(super) said: String,
}

impl Choice {
    /// Whether it is among what was checked.
    fn is_among(&self, typed: &str) -> bool {
        typed.split(',').any(|value| value == self.value)
    }

    /// A choice that needs no explanation.
    pub(super) fn of(value: impl ToString, label: impl Into<String>) -> Self {
        Self { value: value.to_string(), label: label.into(), hint: "" }
    }
}

impl Form {
    /// A form without fields. `step` tells the forms of one page apart.
    pub(super) fn new(
        visitor: &Visitor,
        path: impl Into<String>,
        step: &'static str,
        heading: &'static str,
        button: &'static str,
    ) -> Self {
        let token = visitor.session.form_token.clone();
        let (refused, fields) = (None, Vec::new());
        Self { path: path.into(), token, step, heading, button, is_secondary: false, refused, fields }
    }

    /// The same with a button that is not the page's first.
    pub(super) fn secondary(self) -> Self {
        Self { is_secondary: true, ..self }
    }

    /// A line of text.
    pub(super) fn text(self, name: &'static str, label: &'static str, hint: &'static str) -> Self {
        self.field(name, label, hint, Kind::Text)
    }

    /// Several lines of text.
    pub(super) fn long(self, name: &'static str, label: &'static str, hint: &'static str) -> Self {
        self.field(name, label, hint, Kind::Long)
    }

    /// A whole number.
    pub(super) fn number(self, name: &'static str, label: &'static str, hint: &'static str) -> Self {
        self.field(name, label, hint, Kind::Number)
    }

    /// A day.
    pub(super) fn day(self, name: &'static str, label: &'static str) -> Self {
        self.field(name, label, "Year, month and day, such as 2026-09-20", Kind::Text)
    }

    /// What the page was made from, to be told when it is posted.
    pub(super) fn hidden(self, name: &'static str, value: impl Into<String>) -> Self {
        self.field(name, "", "", Kind::Hidden).with(name, value)
    }

    /// A few lines of text.
    pub(super) fn paragraph(self, name: &'static str, label: &'static str, hint: &'static str) -> Self {
        self.field(name, label, hint, Kind::Paragraph)
    }

    /// Any of a few things, all of them shown. Each is posted under a name of its own, the field's and its value.
    pub(super) fn checkboxes(
        self,
        name: &'static str,
        label: &'static str,
        hint: &'static str,
        choices: Vec<Choice>,
    ) -> Self {
        self.field(name, label, hint, Kind::Checkboxes(choices))
    }

    /// One of a few things, all of them shown.
    pub(super) fn radios(
        self,
        name: &'static str,
        label: &'static str,
        hint: &'static str,
        choices: Vec<Choice>,
    ) -> Self {
        self.field(name, label, hint, Kind::Radios(choices))
    }

    /// One of many things, or none.
    pub(super) fn select(
        self,
        name: &'static str,
        label: &'static str,
        hint: &'static str,
        choices: Vec<Choice>,
    ) -> Self {
        self.field(name, label, hint, Kind::Select(choices))
    }

    fn field(mut self, name: &'static str, label: &'static str, hint: &'static str, kind: Kind) -> Self {
        let id = format!("{}-{name}", self.step);
        self.fields.push(Field { name, id, label, hint, kind, typed: String::new(), fault: None });
        self
    }

    /// The same with something in a field before anybody typed.
    pub(super) fn with(mut self, name: &'static str, typed: impl Into<String>) -> Self {
        self.set(name, typed.into());
        self
    }

    /// Takes what was typed.
    pub(super) fn take(&mut self, posted: &Fields) {
        for field in &mut self.fields {
            if let Kind::Checkboxes(choices) = &field.kind {
                let is_checked = |choice: &&Choice| posted.get(&format!("{}-{}", field.name, choice.value)).is_some();
                let checked: Vec<&str> =
                    choices.iter().filter(is_checked).map(|choice| choice.value.as_str()).collect();
                field.typed = checked.join(",");
                continue;
            }
            posted.get(field.name).unwrap_or_default().trim().clone_into(&mut field.typed);
        }
    }

    /// Says of the form as a whole why it was not done.
    pub(super) fn refuse(&mut self, said: impl Into<String>) {
        self.refused = Some(said.into());
    }

    /// Says what is wrong with a field.
    pub(super) fn fault(&mut self, name: &str, said: impl Into<String>) {
        if let Some(field) = self.fields.iter_mut().find(|field| field.name == name && field.fault.is_none()) {
            field.fault = Some(said.into());
        }
    }

    /// A code that has to be there.
    pub(super) fn code(&mut self, name: &'static str) -> Option<Code> {
        if self.typed(name).is_empty() {
            self.fault(name, format!("Enter: {}", lower_first(self.label(name))));
            return None;
        }
        self.optional_code(name)
    }

    /// A code, if there is one.
    pub(super) fn optional_code(&mut self, name: &'static str) -> Option<Code> {
        let typed = self.typed(name);
        if typed.is_empty() {
            return None;
        }
        let read = typed.parse().ok();
        if read.is_none() {
            let label = self.label(name);
            self.fault(name, format!("{label}: use letters, digits and - _ . : / without spaces, 128 at the most"));
        }
        read
    }

    /// A text that is read by whoever asks, if there is one.
    pub(super) fn optional_text(&self, name: &'static str) -> Option<String> {
        Some(self.typed(name)).filter(|typed| !typed.is_empty())
    }

    /// Codes with commas between them.
    pub(super) fn codes(&mut self, name: &'static str) -> Vec<String> {
        let typed = self.typed(name);
        let parts: Vec<&str> = typed.split(',').map(str::trim).filter(|part| !part.is_empty()).collect();
        if parts.iter().any(|part| part.parse::<Code>().is_err()) {
            let label = self.label(name);
            self.fault(name, format!("{label} Write codes without spaces, with commas between them"));
        }
        parts.into_iter().map(str::to_owned).collect()
    }

    /// A moment on the clock of the United Kingdom, of a field with the day and one with the time.
    pub(super) fn moment(&mut self, day: &'static str, time: &'static str) -> Option<Timestamp> {
        let date = self.date(day);
        let at = self.typed(time).parse::<jiff::civil::Time>().ok();
        if at.is_none() {
            self.fault(time, "Enter hours and minutes, such as 09:30");
        }
        let zone = jiff::tz::TimeZone::get("Europe/London").unwrap_or(jiff::tz::TimeZone::UTC);
        let moment = date?.to_datetime(at?).to_zoned(zone).ok()?;
        Some(Timestamp::from_micros(moment.timestamp().as_microsecond()))
    }

    /// One of the choices, which has to be there.
    pub(super) fn chosen<T: FromStr>(&mut self, name: &'static str) -> Option<T> {
        let read = self.typed(name).parse().ok();
        if read.is_none() {
            self.fault(name, format!("Choose: {}", lower_first(self.label(name))));
        }
        read
    }

    /// Those of the choices that were made, one at least.
    pub(super) fn checked<T: FromStr>(&mut self, name: &'static str) -> Vec<T> {
        let typed = self.typed(name);
        let read: Vec<T> =
            typed.split(',').filter(|value| !value.is_empty()).filter_map(|value| value.parse().ok()).collect();
        if read.is_empty() {
            self.fault(name, format!("Choose one at least: {}", lower_first(self.label(name))));
        }
        read
    }

    /// Takes out of a field what was typed, where it must not be shown again.
    pub(super) fn forget(&mut self, name: &str) {
        self.set(name, String::new());
    }

    /// One of the choices, if one was made.
    pub(super) fn optional_chosen<T: FromStr>(&mut self, name: &'static str) -> Option<T> {
        if self.typed(name).is_empty() { None } else { self.chosen(name) }
    }

    /// A day, if there is one.
    pub(super) fn optional_date(&mut self, name: &'static str) -> Option<Date> {
        let typed = self.typed(name);
        if typed.is_empty() {
            return None;
        }
        let read = typed.parse().ok();
        if read.is_none() {
            let label = self.label(name);
            self.fault(name, format!("{label}: write the day like 2026-09-20"));
        }
        read
    }

    /// A day that has to be there.
    pub(super) fn date(&mut self, name: &'static str) -> Option<Date> {
        if self.typed(name).is_empty() {
            self.fault(name, format!("Enter: {}", lower_first(self.label(name))));
        }
        self.optional_date(name)
    }

    /// A whole number that has to be there.
    pub(super) fn whole(&mut self, name: &'static str, most: u64) -> Option<u64> {
        let read = self.typed(name).parse().ok().filter(|number| *number <= most);
        if read.is_none() {
            let label = self.label(name);
            self.fault(name, format!("{label}: enter a whole number from 0 to {most}"));
        }
        read
    }

    /// What is wrong, for the top of the page.
    pub(super) fn faults(&self) -> Vec<Fault> {
        let whole = self.refused.iter().map(|said| Fault { id: self.step.to_owned(), said: said.clone() });
        let fields = self.fields.iter().filter_map(|field| {
            let id = match &field.kind {
                Kind::Radios(choices) | Kind::Checkboxes(choices) if !choices.is_empty() => format!("{}-0", field.id),
                _ => field.id.clone(),
            };
            Some(Fault { id, said: field.fault.clone()? })
        });
        whole.chain(fields).collect()
    }

    /// Which form of its page it is.
    pub(super) const fn step(&self) -> &'static str {
        self.step
    }

    fn set(&mut self, name: &str, typed: String) {
        if let Some(field) = self.fields.iter_mut().find(|field| field.name == name) {
            field.typed = typed;
        }
    }

    fn typed(&self, name: &str) -> String {
        self.fields.iter().find(|field| field.name == name).map(|field| field.typed.clone()).unwrap_or_default()
    }

    fn label(&self, name: &str) -> &'static str {
        self.fields.iter().find(|field| field.name == name).map_or("", |field| field.label)
    }
}

fn lower_first(text: &str) -> String {
    let mut letters = text.trim_end_matches('?').chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form() -> Form {
        let choices = vec![Choice::of("none", "None"), Choice::of("low", "Low")];
        Form {
            path: "/here".to_owned(),
            token: "token".to_owned(),
            step: "decide",
            heading: "Decide",
            button: "Record",
            is_secondary: false,
            refused: None,
            fields: Vec::new(),
        }
        .radios("severity", "How grave is it?", "", choices)
        .text("reason", "Why", CODE_HINT)
        .day("due", "Day")
        .checkboxes("what", "What?", "", vec![Choice::of("names", "Names"), Choice::of("contact", "Contact")])
    }

    #[test]
    fn what_cannot_be_read_is_said_at_its_field_and_at_the_top() {
        let mut form = form();
        form.take(&Fields::of(&[("reason", "two words"), ("due", "soon")]));
        assert!(form.chosen::<crate::domain::review::finding::Severity>("severity").is_none());
        assert!(form.code("reason").is_none() && form.optional_date("due").is_none());
        let ids: Vec<String> = form.faults().into_iter().map(|fault| fault.id).collect();
        assert_eq!(ids, ["decide-severity-0", "decide-reason", "decide-due"]);
        assert!(form.checked::<String>("nothing").is_empty() && form.faults().len() == 3, "there is no such field");
        let text = form.render().expect("it renders");
        assert!(text.contains("id=\"decide-severity-0\"") && text.contains("id=\"decide-reason-error\""), "{text}");
    }

    #[test]
    fn what_was_typed_stays_and_is_no_markup() {
        let mut form = form();
        form.take(&Fields::of(&[("reason", "\"><script>alert(1)</script>"), ("severity", "low")]));
        let text = form.render().expect("it renders");
        assert!(!text.contains("<script"), "{text}");
        assert!(text.contains("value=\"low\" checked"), "{text}");
    }

    #[test]
    fn what_was_checked_is_read_and_stays_checked() {
        let mut form = form();
        form.take(&Fields::of(&[("what-contact", "yes"), ("what-surname", "yes"), ("what", "names")]));
        assert_eq!(form.checked::<String>("what"), ["contact"], "only what the form offers");
        let text = form.render().expect("it renders");
        assert_eq!(text.matches(" checked").count(), 1, "{text}");
        form.forget("what");
        assert_eq!(form.checked::<crate::domain::reidentification::Field>("what"), []);
        assert_eq!(form.faults()[0].id, "decide-what-0");
    }
}
