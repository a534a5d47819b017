//! What the reader of a notice does next, and the one thing that it can do by the notice itself: have today's
//! answer to the question whose answer was recalled.

use super::{NoticeError, Today};
use crate::app::caller::AgencyCaller;
use crate::app::enquire::again::{AskAgain, NoQuestion};
use crate::app::enquire::{EnquiryError, Receipted};
use crate::app::error::AppError;
use crate::app::gateway::Gateway;
use crate::domain::ids::{AgreementRef, NoticeId, PurposeCode, RoleCode};
use crate::domain::notice::NoticeBody;
use crate::store::{StoreError, StoredNotice};
use crate::tlog::entry::{Body, Code, Enquiry, Entry};

/// What to do about a notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextStep {
    /// In words.
    pub say: &'static str,
    /// The question can be asked again by the notice: it is kept, and the notice waits.
    pub by_notice: bool,
    /// On what terms it was asked, so that it can be asked anew; `None` where it was no question about a person.
    pub terms: Option<PastTerms>,
}

/// The terms of an answer: nothing of whom it was about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastTerms {
    /// The agreement that it went under.
    pub agreement: Option<AgreementRef>,
    /// What it was for.
    pub purpose: PurposeCode,
    /// In which form.
    pub mode: Code,
    /// Why this person.
    pub relationship: Code,
    /// In which role.
    pub role: RoleCode,
}

/// Why a question is not asked again by a notice.
#[derive(Debug, thiserror::Error)]
pub enum AskAgainError {
    /// The notice.
    #[error(transparent)]
    Notice(#[from] NoticeError),
    /// It is dealt with.
    #[error("the notice is acknowledged: ask anew, as about any person [notice.acknowledged]")]
    Acknowledged,
    /// It tells of something else than the answer to an enquiry, or of an emergency.
    #[error(
        "the notice is about no enquiry that can be asked again: its next step says what to do [notice.no_question]"
    )]
    NoQuestion,
    /// The question is not kept.
    #[error(
        "the question is not kept any more: make the tokens again from your own record of the case, and ask \
         [notice.question_gone]"
    )]
    Gone,
    /// As for an enquiry.
    #[error(transparent)]
    Enquiry(#[from] EnquiryError),
}

impl From<AppError> for AskAgainError {
    fn from(error: AppError) -> Self {
        Self::Notice(error.into())
    }
}
impl From<StoreError> for AskAgainError {
    fn from(error: StoreError) -> Self {
        Self::Notice(error.into())
    }
}

impl Gateway {
    /// Gives today's answer to the question that a notice of the caller's tells of. The agency need not have its
    /// tokens any more. Decided, logged, charged and held against shields like any enquiry; the entry names the
    /// one of the old answer. Ends when the notice is acknowledged.
    ///
    /// # Errors
    ///
    /// [`AskAgainError`]; refusals by agreement are in the log.
    pub async fn ask_again(
        &self,
        caller: &AgencyCaller,
        id: NoticeId,
        now: &AskAgain,
        idempotency: &str,
    ) -> Result<Receipted, AskAgainError> {
        let notice = self.own_notice(caller, id).await?;
        if notice.acknowledged.is_some() {
            return Err(AskAgainError::Acknowledged);
        }
        let body = self.notice_body(&notice).await?.ok_or(AskAgainError::Gone)?;
        let entry = body.entry().ok_or(AskAgainError::NoQuestion)?;
        let (before, kept) = match self.kept_question(&caller.agency, entry).await? {
            Ok(question) => question,
            Err(NoQuestion::Other) => return Err(AskAgainError::NoQuestion),
            Err(NoQuestion::Gone) => return Err(AskAgainError::Gone),
        };
        let NoticeBody::AnswerWrong { case: Some(case), .. } = body else { return Err(AskAgainError::Gone) };
        Ok(self.enquire_again(caller, (&before, &kept), case, now, idempotency).await?)
    }

    /// What the reader of a notice does next.
    pub(super) async fn next_step(
        &self,
        caller: &AgencyCaller,
        notice: &StoredNotice,
        body: &NoticeBody,
        today: Option<&Today>,
    ) -> Result<NextStep, AppError> {
        let NoticeBody::AnswerWrong { entry, form, .. } = body else {
            return Ok(NextStep { say: FAMILY_ATTENTION, by_notice: false, terms: None });
        };
        let Some(logged) = self.store().event_body(*entry).await? else {
            return Err(StoreError::Corrupt("a notice of no entry").into());
        };
        let logged = Entry::parse(&logged).map_err(|_| StoreError::Corrupt("a log entry"))?;
        let Body::Enquiry(asked) = logged.into_body() else {
            return Ok(NextStep { say: elsewhere(form), by_notice: false, terms: None });
        };
        let kept = self.kept_question(&caller.agency, *entry).await?.map(drop);
        let waits = notice.acknowledged.is_none();
        let say = match (kept, today) {
            (Err(NoQuestion::Other), _) if asked.emergency.is_some() => EMERGENCY,
            (Err(NoQuestion::Other), _) => elsewhere(form),
            (_, Some(Today::Refused(_))) => REFUSED,
            (Ok(()), _) if waits => BY_NOTICE,
            (Ok(()) | Err(NoQuestion::Gone), _) => ANEW,
        };
        Ok(NextStep { say, by_notice: kept.is_ok() && waits, terms: Some(terms_of(*asked)) })
    }
}

const FAMILY_ATTENTION: &str = "Look the family up, and split it or decide about it anew.";
const EMERGENCY: &str = "Do not use the answer. The emergency is over: ask anew, with tokens made from your own record of \
    the case and the relationship that you have now.";
const REFUSED: &str = "Do not use the answer. The agreement that it went under does not let you ask today: name another \
    agreement in force that does, or go without an answer.";
const BY_NOTICE: &str = "Do not use the answer. Ask again by this notice, `POST /v1/notices/{id}/ask-again` or \
    `porth notices ask-again`: you need no tokens. Then acknowledge it.";
const ANEW: &str = "Do not use the answer. Ask again on the terms that this notice gives, `POST /v1/enquiries` or `porth enquire`, with tokens \
    made from your own record of the case: the question can no longer be asked by this notice.";

/// What to do about something that was no enquiry's answer.
fn elsewhere(form: &str) -> &'static str {
    match form {
        "family" => "Do not use what was shown. Look the family up again.",
        "match-run" => "Do not work from the families of that run. Begin another run.",
        "table" => {
            "Do not use the counts. The figures of a month stand until the next month's release: ask for the table again then."
        }
        "preview" => "Do not use the counts. Make the preview again.",
        "engagement" => "Engage the family anew: no claim is checked on that engagement until then.",
        "claim" => {
            "Do not claim on it. Where the engagement was recalled too, engage the family anew; then check the claim again."
        }
        _ => "Do not use it.",
    }
}

fn terms_of(asked: Enquiry) -> PastTerms {
    PastTerms {
        agreement: asked.agreement,
        purpose: asked.purpose,
        mode: asked.mode,
        relationship: asked.relationship,
        role: asked.role,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_that_is_no_enquiry_has_a_step_of_its_own() {
        let forms = ["family", "match-run", "table", "preview", "engagement", "claim"];
        let steps: std::collections::BTreeSet<&str> = forms.iter().map(|form| elsewhere(form)).collect();
        assert_eq!(steps.len(), forms.len());
        assert!(!steps.contains(elsewhere("areas")));
    }
}
