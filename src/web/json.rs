//! JSON in and out, with errors that never repeat what was sent.
//!
//! A parser's own message quotes the value that it did not expect. Ours gives the line, the column
//! and a code, and a name only where the name is ours.

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use crate::domain::token::TokenError;
use crate::web::body::{BodyLimit, read_whole};
use crate::web::problem::{Problem, kinds};

/// A JSON body, read within the route's [`BodyLimit`]; or a JSON answer.
#[derive(Debug, Clone, Copy, Default)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        if !is_json(&parts.headers) {
            return Err(Problem::new(kinds::UNSUPPORTED_MEDIA_TYPE).detail("this path takes application/json"));
        }
        let limit = parts.extensions.get::<BodyLimit>().copied().unwrap_or_default();
        let bytes = read_whole(&parts.headers, body, limit).await?;
        parse(&bytes).map(Self)
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(bytes) => {
                let mut response = Response::new(Body::from(bytes));
                let json = HeaderValue::from_static("application/json");
                response.headers_mut().insert(header::CONTENT_TYPE, json);
                response
            }
            Err(error) => Problem::internal(error).into_response(),
        }
    }
}

/// Parses one JSON value of the given type.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(bytes).map_err(|error| problem_of(&error))
}

fn problem_of(error: &serde_json::Error) -> Problem {
    let (line, column) = (error.line(), error.column());
    match error.classify() {
        Category::Io | Category::Syntax => {
            Problem::new(kinds::MALFORMED_BODY).detail(format_args!("not JSON at line {line}, column {column}"))
        }
        Category::Eof => {
            Problem::new(kinds::MALFORMED_BODY).detail(format_args!("ends too early at line {line}, column {column}"))
        }
        Category::Data => {
            let (kind, what) = data_error(&error.to_string());
            Problem::new(kind).detail(format_args!("{what} at line {line}, column {column}"))
        }
    }
}

/// What is wrong, from the parser's message, taking over only words that we wrote ourselves.
fn data_error(message: &str) -> (&'static kinds::ProblemKind, String) {
    let own = message.rsplit_once(" at line ").map_or(message, |(own, _)| own);
    if own == TokenError.to_string() {
        return (kinds::NOT_A_TOKEN, own.to_owned());
    }
    // The names in these two come from our own types, and the parser quotes nothing else there.
    for (start, what) in [("missing field `", "missing field"), ("duplicate field `", "repeated field")] {
        if let Some(name) = own.strip_prefix(start).and_then(|rest| rest.strip_suffix('`')) {
            return (kinds::INVALID_FIELD, format!("{what} '{name}'"));
        }
    }
    let what = match own {
        _ if own.starts_with("not a well-formed ") => own, // an identifier's error: kind and rule, both fixed text
        _ if own.starts_with("unknown field") => "a field that this path does not take",
        _ if own.starts_with("unknown variant") => "a word that is not in this field's list",
        _ if own.starts_with("invalid type") => "a value of the wrong type",
        _ if own.starts_with("invalid length") => "a list of the wrong length",
        _ => "a value that is not allowed",
    };
    (kinds::INVALID_FIELD, what.to_owned())
}

/// Whether the media type is JSON, parameters aside.
fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()) else {
        return false;
    };
    let media_type = value.split(';').next().unwrap_or_default().trim();
    media_type.eq_ignore_ascii_case("application/json")
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::domain::ids::AgencyCode;
    use crate::domain::token::Token;

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Mode {
        Count,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only parsing is tested")]
    struct Question {
        agency: AgencyCode,
        mode: Mode,
        #[serde(default)]
        token: Option<Token>,
        count: u32,
    }

    #[test]
    fn an_error_says_where_and_what_and_never_repeats_the_value() {
        let good = r#"{"agency":"hub","mode":"count","count":1}"#;
        assert!(parse::<Question>(good.as_bytes()).is_ok());
        let cases = [
            (r#"{"agency": Jowan}"#, "malformed-body", "not JSON at line 1"),
            (r#"{"agency": "Jowan"#, "malformed-body", "ends too early"),
            (r#"{"agency":"Jowan Trelawny","mode":"count","count":1}"#, "invalid-field", "agency code"),
            (r#"{"agency":"hub","mode":"Jowan","count":1}"#, "invalid-field", "not in this field's list"),
            (r#"{"agency":"hub","mode":"count","count":"Jowan"}"#, "invalid-field", "wrong type"),
            (r#"{"agency":"hub","mode":"count","Jowan":1}"#, "invalid-field", "does not take"),
            (r#"{"agency":"hub","mode":"count"}"#, "invalid-field", "missing field 'count'"),
            (r#"{"agency":"hub","agency":"Jowan","mode":"count"}"#, "invalid-field", "repeated field 'agency'"),
            (r#"{"agency":"hub","mode":"count","count":1,"token":"Jowan"}"#, "not-a-token", "values in clear"),
        ];
        for (text, kind, detail) in cases {
            let problem = parse::<Question>(text.as_bytes()).expect_err(text);
            let document = serde_json::to_string(&problem.document(None)).expect("plain data");
            assert_eq!(problem.kind(), kind, "{text}");
            assert!(document.contains(detail), "{text}: {document}");
            assert!(!document.contains("Jowan"), "{document}");
        }
    }

    #[test]
    fn deep_nesting_is_an_error_and_not_a_stack_overflow() {
        let deep = "[".repeat(100_000);
        assert_eq!(parse::<serde_json::Value>(deep.as_bytes()).expect_err("too deep").kind(), "malformed-body");
    }

    #[test]
    fn only_json_is_json() {
        for (value, expected) in [
            ("application/json", true),
            ("Application/JSON; charset=utf-8", true),
            ("application/jsonp", false),
            ("text/plain", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, value.parse().expect("a header value"));
            assert_eq!(is_json(&headers), expected, "{value}");
        }
        assert!(!is_json(&HeaderMap::new()));
    }
}
