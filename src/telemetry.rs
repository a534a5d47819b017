//! Logs and figures: what may be written, and where.
//!
//! A log line is a sentence and named fields. Only fields whose names are in [`ALLOWED_FIELDS`] are
//! written; any other field, ours or a library's, appears as `withheld`. Libraries speak only from
//! `warn` upwards, because below that HTTP and database libraries write headers, bodies and
//! statements. A panic is logged by its place, without its text.
//!
//! Lines go to standard error, as text or as one JSON object each.

use std::fmt;
use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle};
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber, span};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};

/// The names of fields that may be written. Add one only if no value of it can ever concern a
/// person: no token, pseudonym, family reference, case reference, body or header.
pub const ALLOWED_FIELDS: &[&str] = &[
    "agency",
    "agreement",
    "attempt",
    "bytes",
    "code",
    "count",
    "duration_ms",
    "enquiry.id",
    "epoch",
    "error",
    "event.id",
    "feed",
    "file",
    "file.line",
    "http.method",
    "http.route",
    "http.status",
    "job",
    "kind",
    "listener",
    "message",
    "programme",
    "reason",
    "request.id",
    "rows",
    "run.id",
    "size",
    "stage",
    "submission.id",
    "version",
    "witness",
];

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line, for collectors.
    Json,
    /// For people.
    Text,
}

/// Starts logging, once for the process. `level` is for our own code; libraries stay at `warn`.
pub fn start_logging(format: LogFormat, level: Level) -> Result<(), TryInitError> {
    let lines = Lines { format, write: Box::new(write_to_stderr) };
    let filter = filter_fn(move |metadata| is_wanted(metadata, level));
    tracing_subscriber::registry().with(lines.with_filter(filter)).try_init()?;
    std::panic::set_hook(Box::new(|panic| {
        let (file, line) = panic.location().map_or(("unknown", 0), |place| (place.file(), place.line()));
        tracing::error!(file, file.line = line, "a thread panicked");
    }));
    Ok(())
}

/// Installs the recorder of figures, once for the process; the handle renders them. Whoever asks
/// again, as a second gateway of one process does, gets the same handle.
pub fn install_metrics() -> Result<PrometheusHandle, BuildError> {
    const SECONDS: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
    static INSTALLED: Mutex<Option<PrometheusHandle>> = Mutex::new(None);
    let mut installed = INSTALLED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(handle) = &*installed {
        return Ok(handle.clone());
    }
    let handle = PrometheusBuilder::new().set_buckets(SECONDS)?.install_recorder()?;
    *installed = Some(handle.clone());
    Ok(handle)
}

/// Keeps the recorder's memory bounded until shutdown.
pub async fn keep_metrics(handle: PrometheusHandle, shutdown: CancellationToken) {
    while shutdown.run_until_cancelled(tokio::time::sleep(Duration::from_secs(5))).await.is_some() {
        handle.run_upkeep();
    }
}

fn is_wanted(metadata: &Metadata<'_>, level: Level) -> bool {
    let ours = metadata.target() == "porth" || metadata.target().starts_with("porth::");
    *metadata.level() <= if ours { level } else { Level::WARN }
}

fn write_to_stderr(line: &[u8]) {
    let _ = std::io::stderr().lock().write_all(line); // nowhere is left to say that it failed
}

type Write = Box<dyn Fn(&[u8]) + Send + Sync>;

/// Writes events as lines, with the fields of the spans around them.
struct Lines {
    format: LogFormat,
    write: Write,
}

/// The allowed fields of a span, kept with it.
struct SpanFields(Map<String, Value>);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Lines {
    fn on_new_span(&self, attributes: &span::Attributes<'_>, id: &span::Id, context: Context<'_, S>) {
        let mut fields = Fields(Map::new());
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(SpanFields(fields.0));
        }
    }

    fn on_record(&self, id: &span::Id, values: &span::Record<'_>, context: Context<'_, S>) {
        let mut fields = Fields(Map::new());
        values.record(&mut fields);
        if let Some(span) = context.span(id)
            && let Some(SpanFields(known)) = span.extensions_mut().get_mut::<SpanFields>()
        {
            known.extend(fields.0);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields(Map::new());
        for span in context.event_scope(event).into_iter().flat_map(tracing_subscriber::registry::Scope::from_root) {
            if let Some(SpanFields(known)) = span.extensions().get::<SpanFields>() {
                fields.0.extend(known.clone());
            }
        }
        event.record(&mut fields);
        let message = fields.0.remove("message").and_then(|value| value.as_str().map(str::to_owned));
        let line = self.line(event.metadata(), message.unwrap_or_default(), fields.0);
        (self.write)(line.as_bytes());
    }
}

impl Lines {
    fn line(&self, metadata: &Metadata<'_>, message: String, fields: Map<String, Value>) -> String {
        let mut time = String::new();
        let _ = SystemTime.format_time(&mut Writer::new(&mut time)); // a String takes every write
        let (level, target) = (metadata.level().as_str(), metadata.target());
        match self.format {
            LogFormat::Json => {
                let mut object = Map::new();
                for (name, text) in [("time", time.as_str()), ("level", level), ("target", target)] {
                    object.insert(name.to_owned(), text.into());
                }
                object.insert("message".to_owned(), message.into());
                object.extend(fields);
                format!("{}\n", Value::Object(object))
            }
            LogFormat::Text => {
                // The values are written as JSON, so a line break inside one cannot forge a line.
                let mut line = format!("{time} {level:>5} {target}: {}", message.escape_debug());
                for (name, value) in &fields {
                    let _ = write!(line, " {name}={value}"); // a String takes every write
                }
                line.push('\n');
                line
            }
        }
    }
}

/// Takes over allowed fields and withholds the rest.
struct Fields(Map<String, Value>);

impl Fields {
    fn put(&mut self, field: &Field, value: impl Into<Value>) {
        let allowed = ALLOWED_FIELDS.contains(&field.name());
        self.0.insert(field.name().to_owned(), if allowed { value.into() } else { "withheld".into() });
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}"));
    }
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value);
    }
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    fn logged(format: LogFormat, act: impl FnOnce()) -> String {
        let written = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&written);
        let lines = Lines { format, write: Box::new(move |line| sink.lock().expect("one thread").extend(line)) };
        let filter = filter_fn(|metadata| is_wanted(metadata, Level::INFO));
        let subscriber = tracing_subscriber::registry().with(lines.with_filter(filter));
        tracing::subscriber::with_default(subscriber, act);
        String::from_utf8(written.lock().expect("one thread").clone()).expect("text")
    }

    #[test]
    fn only_allowed_fields_are_written_with_those_of_the_spans_around() {
        let text = logged(LogFormat::Json, || {
            let span = tracing::info_span!("request", http.route = "/v1/enquiries", name = "Jowan");
            span.in_scope(|| tracing::info!(http.status = 201, token = "Jowan", "answered"));
        });
        let line: Value = serde_json::from_str(&text).expect("one JSON object");
        assert_eq!(line["message"], "answered");
        assert_eq!(line["http.route"], "/v1/enquiries");
        assert_eq!(line["http.status"], 201);
        assert_eq!(line["token"], "withheld");
        assert!(!text.contains("Jowan"), "{text}");
    }

    #[test]
    fn libraries_speak_only_from_warn_upwards() {
        let text = logged(LogFormat::Text, || {
            tracing::info!(target: "hyper::proto", "parsed headers");
            tracing::debug!(target: "porth::web", "too detailed");
            tracing::info!(target: "porth_elsewhere", "not ours");
            tracing::warn!(target: "rustls", "certificate trouble");
        });
        assert!(text.contains("certificate trouble"));
        assert_eq!(text.lines().count(), 1, "{text}");
    }

    #[test]
    fn a_line_break_in_a_value_cannot_forge_a_line() {
        let text = logged(LogFormat::Text, || tracing::info!(reason = "a\nERROR b", "one\ntwo"));
        assert_eq!(text.lines().count(), 1, "{text}");
    }

    #[test]
    fn the_list_is_sorted_so_that_a_repeat_is_seen() {
        assert!(ALLOWED_FIELDS.is_sorted_by(|a, b| a < b));
    }
}
