//! What came back from an enquiry, as far as the story needs it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::client::{Answer, ClientError};

/// An answer, read.
pub(super) struct Heard {
    /// The whole document.
    pub(super) body: Value,
    /// Bytes of the body, and of the names and values of the headers.
    pub(super) body_bytes: usize,
    pub(super) header_bytes: usize,
    /// Names of the headers, sorted.
    pub(super) headers: Vec<String>,
    pub(super) status: u16,
}

impl Heard {
    pub(super) fn read(answer: &Answer) -> Result<Self, ClientError> {
        let mut headers: Vec<String> = answer.headers.keys().map(ToString::to_string).collect();
        headers.sort_unstable();
        Ok(Self {
            body: answer.json()?,
            body_bytes: answer.body.len(),
            header_bytes: answer.headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum(),
            headers,
            status: answer.status.as_u16(),
        })
    }

    /// Area to state, of an answer that names areas.
    pub(super) fn areas(&self) -> BTreeMap<&str, &str> {
        let areas = self.body["areas"].as_array().map(Vec::as_slice).unwrap_or_default();
        areas.iter().filter_map(|area| Some((area["code"].as_str()?, area["state"].as_str()?))).collect()
    }

    /// The areas that are met.
    pub(super) fn met(&self) -> BTreeSet<&str> {
        self.areas().into_iter().filter(|(_, state)| *state == "met").map(|(area, _)| area).collect()
    }

    /// Whether the threshold is reached, of an answer that says only that.
    pub(super) fn eligible(&self) -> Option<&str> {
        self.body["eligible"]["state"].as_str()
    }

    /// The areas that the agreements withhold.
    pub(super) fn withheld(&self) -> Vec<&str> {
        let covers = self.body["eligible"]["covers"].as_array().map(Vec::as_slice).unwrap_or_default();
        let named = covers.iter().filter(|area| area["is_withheld"] == true).filter_map(|area| area["area"].as_str());
        let found = self.areas();
        let states = found.iter().filter(|(_, state)| **state == "withheld_by_policy").map(|(area, _)| *area);
        named.chain(states).collect()
    }

    pub(super) fn receipt(&self) -> Option<&str> {
        self.body["receipt"].as_str()
    }

    /// In a few words.
    pub(super) fn words(&self) -> String {
        if let Some(state) = self.eligible() {
            return format!("eligible: {state}; withheld: {}", self.withheld().join(" "));
        }
        if let Some(lead) = self.body["lead"].as_object() {
            return match lead.get("state").and_then(Value::as_str) {
                Some("known") => format!("lead: {}, {}", words(&lead["agency_name"]), words(&lead["team_name"])),
                other => format!("lead: {}", other.unwrap_or("none")),
            };
        }
        let shown: Vec<String> = self.areas().iter().map(|(area, state)| format!("{area} {state}")).collect();
        shown.join(", ")
    }

    /// The document without what differs from one answer to the next whoever is asked about.
    pub(super) fn substance(&self) -> Value {
        let mut body = self.body.clone();
        if let Some(members) = body.as_object_mut() {
            for name in ["disclosure", "at", "receipt", "padding"] {
                members.remove(name);
            }
        }
        body
    }
}

fn words(value: &Value) -> &str {
    value.as_str().unwrap_or("")
}
