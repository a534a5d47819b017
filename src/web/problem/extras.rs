//! Members of a problem that only some kinds have (RFC 9457, section 3.2).

use serde::Serialize;

/// What a problem says beyond the members that every problem has. Nothing in it concerns a person.
#[derive(Debug, Clone, Default, Serialize, utoipa::ToSchema)]
pub struct ProblemExtras {
    /// The gateway's own short name of the fault, such as `key.wrong`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub code: Option<&'static str>,
    /// The submission that was refused; its row errors can be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub submission: Option<String>,
    /// The log entry of a refusal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disclosure: Option<String>,
    /// The signed promise that the refusal is in the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receipt: Option<String>,
    /// The rules that stand in the way of what was asked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<RuleInTheWay>,
    /// At the token endpoint, the error code of RFC 6749, section 5.2.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub error: Option<&'static str>,
    /// At the token endpoint, the same as `detail` or `title`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_description: Option<String>,
}

/// A rule that an enquiry does not pass. It speaks of agreements, never of a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct RuleInTheWay {
    /// Its id in the rule book, such as `R03`.
    pub rule: String,
    /// What it says.
    pub say: String,
}

impl RuleInTheWay {
    /// A rule of the journey itself, which stands in no book.
    pub fn fixed((rule, say): (&str, &str)) -> Self {
        Self { rule: rule.to_owned(), say: say.to_owned() }
    }
}
