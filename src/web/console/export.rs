//! The log is exported: one file that verifies elsewhere, without us. The export is decided and logged first,
//! like any look at the log, and its own entry is in the file.

use std::fs;
use std::io::{self, BufWriter, Seek as _, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use askama::Template;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use tokio_util::io::ReaderStream;

use super::archive::write_archive;
use super::fields::Form;
use super::form::Posted;
use super::frame::{Failed, Frame, Shown};
use super::visitor::Visitor;
use super::{Console, page};
use crate::app::error::AppError;
use crate::app::export::{BundleFor, ExportError};
use crate::crypto::random::random_bytes;

#[derive(Template)]
#[template(path = "export.html")]
pub(super) struct ExportPage {
    frame: Frame,
    size: u64,
    has_log_keys: bool,
    form: Form,
}

/// Says what an export is, and offers it.
pub(super) async fn show(State(console): State<Console>, visitor: Visitor) -> Result<Shown<ExportPage>, Failed> {
    let head = console.gateway().store().log_head().await.map_err(AppError::from)?;
    Ok(Shown(ExportPage {
        frame: visitor.frame("Export the log", &page::LOG),
        size: head.map_or(0, |head| head.size),
        has_log_keys: !console.trust().log_keys.is_empty(),
        form: Form::new(&visitor, page::EXPORT.path, "export", "", "Export the log"),
    }))
}

/// Makes the file and sends it.
pub(super) async fn make(State(console): State<Console>, posted: Posted) -> Result<Response, Failed> {
    let Posted { visitor, fields } = posted;
    let stopped = |said: &str| Failed::Stopped(Box::new(visitor.frame("Export the log", &page::LOG)), said.to_owned());
    if fields.get("step") != Some("export") {
        return Err(stopped("This is not the form of an export. Go back to the page and try again."));
    }
    let Ok(_alone) = console.exporting().try_lock() else {
        return Err(stopped(
            "Another export is being made. Try again when it is done: each names the log’s newest export.",
        ));
    };
    let keys = console.trust().text().ok_or(AppError::Internal("the keys of an export cannot be written"))?;
    let folder = Folder::create(&console).map_err(|error| unwritten(&error))?;
    let reader = Some((visitor.access.agency.clone(), visitor.grounds()));
    let wanted = BundleFor { by: visitor.session.account.clone(), reader, with_openings: false };
    let made = console.gateway().export_bundle(&wanted, keys.as_bytes(), None, &folder.bundle()).await;
    let (event, _) = made.map_err(|error| match error {
        ExportError::Access(error) => Failed::of_look(error, visitor.frame("Export the log", &page::LOG)),
        ExportError::App(error) => error.into(),
        ExportError::File { source, .. } => unwritten(&source),
        ExportError::NoCheckpoint | ExportError::NotSequenced => {
            stopped("The log gets no places at this moment, so an export could not be proved. Tell your operator. The attempt is in the log.")
        }
        ExportError::Superseded | ExportError::Changed => {
            stopped("Another export was recorded meanwhile, or an agreement changed. Export once more. The attempt is in the log.")
        }
    })?;
    let seconds = console.gateway().store().now().await.map_err(AppError::from)?.as_seconds();
    let name = format!("porth-log-{event}");
    let file = tokio::task::spawn_blocking({
        let name = name.clone();
        move || folder.archive(&name, u64::try_from(seconds).unwrap_or(0))
    });
    let file = file.await.map_err(|_| AppError::Internal("an export broke off"))?.map_err(|error| unwritten(&error))?;
    let length = file.metadata().map_err(|error| unwritten(&error))?.len();
    let mut response = Body::from_stream(ReaderStream::new(tokio::fs::File::from_std(file))).into_response();
    let text = |text: String| HeaderValue::try_from(text).expect("ids and numbers are plain ASCII");
    for (header, value) in [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/x-tar")),
        (header::CONTENT_LENGTH, HeaderValue::from(length)),
        (header::CONTENT_DISPOSITION, text(format!("attachment; filename=\"{name}.tar\""))),
    ] {
        response.headers_mut().insert(header, value);
    }
    Ok(response)
}

fn unwritten(error: &io::Error) -> Failed {
    tracing::error!(kind = %error.kind(), "an export cannot be written beside the state file");
    AppError::Internal("an export cannot be written").into()
}

/// A folder of this program's alone, beside the file in which this machine remembers the log; it goes with the value.
struct Folder(PathBuf);

impl Folder {
    fn create(console: &Console) -> io::Result<Self> {
        let beside = console.state_file().parent().unwrap_or_else(|| Path::new("."));
        let random = random_bytes::<16>(console.gateway().random());
        let name = random.iter().fold("export-".to_owned(), |text, byte| format!("{text}{byte:02x}"));
        let folder = Self(beside.join(name));
        fs::DirBuilder::new().mode(0o700).create(&folder.0)?;
        Ok(folder)
    }

    fn bundle(&self) -> PathBuf {
        self.0.join("bundle")
    }

    /// The bundle as one open file. Nothing of it is left in the file system.
    fn archive(self, name: &str, seconds: u64) -> io::Result<fs::File> {
        let path = self.0.join("bundle.tar");
        let file = fs::OpenOptions::new().read(true).write(true).create_new(true).open(path)?;
        let mut out = BufWriter::new(file);
        write_archive(&self.bundle(), name, seconds, &mut out)?;
        out.flush()?;
        let mut file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.rewind()?;
        Ok(file)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            tracing::error!(kind = %error.kind(), "a folder of an export stays beside the state file: remove it");
        }
    }
}
