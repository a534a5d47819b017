//! What journeys' errors become at the edge: problems of listed kinds.

use crate::app::authenticate::AuthError;
use crate::app::claim::ClaimError;
use crate::app::emergency::ReviewError;
use crate::app::enquire::{EnquiryError, QuestionFault};
use crate::app::error::AppError;
use crate::app::log_access::LogAccessError;
use crate::app::match_run::MatchRunError;
use crate::app::not_to_share::NotSharingError;
use crate::app::notices::NoticeError;
use crate::app::possible_matches::MatchError;
use crate::app::preview::PreviewError;
use crate::app::recall::RecallError;
use crate::app::referral::ReferralError;
use crate::app::retract::RetractError;
use crate::app::screen::ScreeningError;
use crate::app::shields::ShieldError;
use crate::app::statistics::StatisticsError;
use crate::app::subject_rights::SubjectError;
use crate::app::submit::FileFault;
use crate::app::witness::WitnessError;
use crate::crypto::jwt::{ClaimFault, JwtError};
use crate::policy::rules::RuleHit;
use crate::store::StoreError;
use crate::web::problem::{FieldError, FieldPath, Problem, ProblemKind, RuleInTheWay, kinds};

/// The problem of a request whose certificate or access token is not accepted.
pub(super) fn access_problem(error: AuthError) -> Problem {
    let kind = match &error {
        AuthError::Jwt(_) => kinds::TOKEN_INVALID,
        _ => match standing_kind(&error) {
            Some(kind) => kind,
            None => return inside(error),
        },
    };
    with_code(Problem::new(kind).detail(&error), &error)
}

/// The problem of a token request.
pub(super) fn assertion_problem(error: AuthError) -> Problem {
    let kind = match &error {
        AuthError::Jwt(JwtError::ClockAhead { .. } | JwtError::ClockBehind { .. } | JwtError::Expired { .. }) => {
            kinds::ASSERTION_EXPIRED
        }
        AuthError::Jwt(JwtError::Claim { claim: "exp", fault: ClaimFault::Value(_) }) => kinds::ASSERTION_EXPIRED,
        AuthError::Jwt(JwtError::Claim { claim: "aud", .. }) => kinds::ASSERTION_AUDIENCE,
        AuthError::Jwt(_) => kinds::ASSERTION_INVALID,
        AuthError::Replayed => kinds::ASSERTION_REPLAYED,
        _ => match standing_kind(&error) {
            Some(kind) => kind,
            None => return inside(error),
        },
    };
    with_code(Problem::new(kind).detail(&error), &error)
}

fn standing_kind(error: &AuthError) -> Option<&'static ProblemKind> {
    match error {
        AuthError::NoCertificate => Some(kinds::UNAUTHENTICATED),
        AuthError::UnknownCertificate => Some(kinds::CERTIFICATE_UNKNOWN),
        AuthError::CertificateEnded => Some(kinds::CERTIFICATE_SUSPENDED),
        AuthError::AgencySuspended => Some(kinds::AGENCY_SUSPENDED),
        AuthError::Client | AuthError::Replayed | AuthError::Jwt(_) => Some(kinds::CLIENT_UNKNOWN),
        AuthError::App(_) => None,
    }
}

fn with_code(problem: Problem, error: &AuthError) -> Problem {
    match error {
        AuthError::Jwt(jwt) => problem.with(|extras| extras.code = Some(jwt.code())),
        _ => problem,
    }
}

fn inside(error: AuthError) -> Problem {
    match error {
        AuthError::App(error) => error.into(),
        other => Problem::internal(other),
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Full(_) => {
                tracing::error!(code = "storage-full", error = %error, "the database has no space left");
                Self::new(kinds::STORAGE_FULL)
            }
            StoreError::Conflict(_) => Self::new(kinds::STATE_CONFLICT),
            error if error.is_transient() => Self::storage_unavailable(error),
            error => Self::internal(error),
        }
    }
}

impl From<AppError> for Problem {
    fn from(error: AppError) -> Self {
        match error {
            AppError::File(fault) => fault.into(),
            AppError::RefusedFile { id, fault } => {
                Self::from(fault).with(|extras| extras.submission = Some(id.to_string()))
            }
            AppError::Store(error) => error.into(),
            AppError::KeysChanging => Self::new(kinds::KEYS_CHANGING),
            AppError::WitnessLate => {
                Self::new(kinds::WITNESSES_MISSING).with(|extras| extras.code = Some("log.witness-late"))
            }
            error => Self::internal(error),
        }
    }
}

impl From<RetractError> for Problem {
    fn from(error: RetractError) -> Self {
        match error {
            RetractError::Unknown => Self::new(kinds::NOT_FOUND),
            RetractError::Over => Self::new(kinds::STATE_CONFLICT).detail(error),
            RetractError::App(error) => error.into(),
        }
    }
}

impl From<MatchError> for Problem {
    fn from(error: MatchError) -> Self {
        match error {
            MatchError::Unknown => Self::new(kinds::NOT_FOUND),
            MatchError::Record => Self::new(kinds::NOT_FOUND).detail(error),
            MatchError::Role | MatchError::Reason => Self::new(kinds::INVALID_FIELD).detail(error),
            MatchError::Decided | MatchError::NotDecided | MatchError::TooMany => {
                Self::new(kinds::STATE_CONFLICT).detail(error)
            }
            MatchError::App(error) => error.into(),
        }
    }
}

impl From<NoticeError> for Problem {
    fn from(error: NoticeError) -> Self {
        match error {
            NoticeError::Unknown => Self::new(kinds::NOT_FOUND),
            NoticeError::Word => Self::new(kinds::INVALID_FIELD).detail(error),
            NoticeError::App(error) => error.into(),
        }
    }
}

impl From<RecallError> for Problem {
    fn from(error: RecallError) -> Self {
        match error {
            RecallError::Unknown => Self::new(kinds::NOT_FOUND),
            RecallError::Entry | RecallError::Reason | RecallError::Role | RecallError::TooMany => {
                Self::new(kinds::INVALID_FIELD).detail(error)
            }
            RecallError::App(error) => error.into(),
        }
    }
}

impl From<ReviewError> for Problem {
    fn from(error: ReviewError) -> Self {
        match error {
            ReviewError::Unknown => Self::new(kinds::NOT_FOUND),
            ReviewError::Reviewed => Self::new(kinds::STATE_CONFLICT).detail(error),
            ReviewError::Own | ReviewError::Word => Self::new(kinds::INVALID_FIELD).detail(error),
            ReviewError::App(error) => error.into(),
        }
    }
}

impl From<NotSharingError> for Problem {
    fn from(error: NotSharingError) -> Self {
        match error {
            NotSharingError::Undeclared | NotSharingError::Items => Self::new(kinds::INVALID_FIELD).detail(error),
            NotSharingError::KeyReused => Self::new(kinds::IDEMPOTENCY_CONFLICT),
            NotSharingError::App(error) => error.into(),
        }
    }
}

impl From<ShieldError> for Problem {
    fn from(error: ShieldError) -> Self {
        match error {
            ShieldError::NotAnOfficer => Self::new(kinds::ROLE_NOT_ALLOWED).detail(error),
            ShieldError::Past => Self::new(kinds::INVALID_FIELD).detail(error),
            ShieldError::App(error) => error.into(),
        }
    }
}

impl From<MatchRunError> for Problem {
    fn from(error: MatchRunError) -> Self {
        match error {
            MatchRunError::Unknown => Self::new(kinds::NOT_FOUND),
            MatchRunError::NotDue | MatchRunError::NoLonger | MatchRunError::Removed | MatchRunError::Answered => {
                Self::new(kinds::STATE_CONFLICT).detail(error)
            }
            MatchRunError::NotListed => Self::new(kinds::INVALID_FIELD).detail(error),
            MatchRunError::Supply => Self::new(kinds::NO_AGREEMENT).detail(error),
            MatchRunError::Enquiry(error) => error.into(),
            MatchRunError::Match(error) => error.into(),
        }
    }
}

impl From<FileFault> for Problem {
    fn from(fault: FileFault) -> Self {
        let kind = match fault {
            FileFault::Header | FileFault::Columns | FileFault::Agency | FileFault::Future | FileFault::Empty => {
                kinds::INVALID_FIELD
            }
            FileFault::Programme => kinds::UNKNOWN_PROGRAMME,
            FileFault::Feed => kinds::UNKNOWN_FEED,
            FileFault::Agreement | FileFault::NotGranted => kinds::NO_AGREEMENT,
            FileFault::Scheme => kinds::UNSUPPORTED_SCHEME,
            FileFault::MatchKeys => kinds::MATCH_KEYS_MISMATCH,
            FileFault::WrongKey => kinds::WRONG_KEY_CHECK,
            FileFault::UncheckedTokens => kinds::UNCHECKED_TOKENS,
            FileFault::UnknownKey | FileFault::FrozenKey | FileFault::RetiredKey => kinds::WRONG_EPOCH,
            FileFault::Older
            | FileFault::NoSnapshot
            | FileFault::OtherAgreement
            | FileFault::FeedBusy
            | FileFault::BaseChanged
            | FileFault::Retracted
            | FileFault::Continuation
            | FileFault::Superseded
            | FileFault::Suspended
            | FileFault::SenderSuspended => kinds::STATE_CONFLICT,
            FileFault::Truncated => kinds::BODY_INCOMPLETE,
            FileFault::Rows => kinds::INVALID_ROWS,
        };
        Self::new(kind).detail(fault).with(|extras| extras.code = Some(fault.code()))
    }
}

impl From<QuestionFault> for Problem {
    fn from(fault: QuestionFault) -> Self {
        let kind = match fault {
            QuestionFault::Programme => kinds::UNKNOWN_PROGRAMME,
            QuestionFault::Scheme => kinds::UNSUPPORTED_SCHEME,
            QuestionFault::WrongKey => kinds::WRONG_KEY_CHECK,
            QuestionFault::NotGranted => kinds::NO_AGREEMENT,
            QuestionFault::UnknownKey
            | QuestionFault::FrozenKey
            | QuestionFault::RetiredKey
            | QuestionFault::Epochs => kinds::WRONG_EPOCH,
            QuestionFault::Undeclared => kinds::UNKNOWN_PURPOSE,
            QuestionFault::TokenType
            | QuestionFault::Danger
            | QuestionFault::LegacyToken
            | QuestionFault::NoTokens
            | QuestionFault::TooManyTokens => kinds::INVALID_FIELD,
        };
        Self::new(kind).detail(fault).with(|extras| extras.code = Some(fault.code()))
    }
}

impl From<EnquiryError> for Problem {
    fn from(error: EnquiryError) -> Self {
        match error {
            EnquiryError::NotPermitted { disclosure, hits, receipt } => Self::new(kinds::NO_AGREEMENT).with(|extras| {
                extras.disclosure = Some(disclosure.to_string());
                extras.receipt = Some(receipt);
                extras.rules = hits.into_iter().map(RuleInTheWay::from).collect();
            }),
            EnquiryError::CeilingReached { disclosure, receipt } => Self::new(kinds::CEILING_REACHED).with(|extras| {
                extras.disclosure = Some(disclosure.to_string());
                extras.receipt = Some(receipt);
            }),
            EnquiryError::EmergencyUnreviewed { disclosure, receipt } => {
                Self::new(kinds::EMERGENCY_UNREVIEWED).with(|extras| {
                    extras.disclosure = Some(disclosure.to_string());
                    extras.receipt = Some(receipt);
                })
            }
            EnquiryError::Question(fault) => fault.into(),
            EnquiryError::KeyReused => Self::new(kinds::IDEMPOTENCY_CONFLICT),
            EnquiryError::KeyLapsed => Self::new(kinds::IDEMPOTENCY_LAPSED),
            EnquiryError::App(error) => error.into(),
        }
    }
}

impl From<StatisticsError> for Problem {
    fn from(error: StatisticsError) -> Self {
        match error {
            StatisticsError::UnknownTable => Self::new(kinds::NOT_FOUND),
            StatisticsError::NotPermitted { disclosure, hits, receipt } => {
                EnquiryError::NotPermitted { disclosure, hits, receipt }.into()
            }
            StatisticsError::CeilingReached { disclosure, receipt } => {
                EnquiryError::CeilingReached { disclosure, receipt }.into()
            }
            StatisticsError::Question(fault) => fault.into(),
            StatisticsError::App(error) => error.into(),
        }
    }
}

impl From<LogAccessError> for Problem {
    fn from(error: LogAccessError) -> Self {
        match error {
            LogAccessError::Unknown => Self::new(kinds::NOT_FOUND),
            LogAccessError::NotPermitted { disclosure, hits, receipt } => {
                EnquiryError::NotPermitted { disclosure, hits, receipt }.into()
            }
            LogAccessError::CeilingReached { disclosure, receipt } => {
                EnquiryError::CeilingReached { disclosure, receipt }.into()
            }
            LogAccessError::Question(fault) => fault.into(),
            LogAccessError::App(error) => error.into(),
        }
    }
}

impl From<WitnessError> for Problem {
    fn from(error: WitnessError) -> Self {
        match error {
            WitnessError::NoWitnesses => Self::new(kinds::NOT_FOUND).detail(error),
            WitnessError::Malformed | WitnessError::Clock | WitnessError::Unknown => {
                Self::new(kinds::INVALID_FIELD).detail(error)
            }
            WitnessError::Foreign => Self::new(kinds::STATE_CONFLICT).detail(error),
            WitnessError::App(error) => error.into(),
        }
    }
}

impl From<ScreeningError> for Problem {
    fn from(error: ScreeningError) -> Self {
        match error {
            ScreeningError::Question(fault) => fault.into(),
            ScreeningError::App(error) => error.into(),
            ScreeningError::Rows(faults) => Self::new(kinds::INVALID_QUESTIONS).errors(
                faults
                    .into_iter()
                    .map(|fault| FieldError::new(&FieldPath::of(""), fault.code, fault.meaning).in_row(fault.row)),
            ),
            ScreeningError::Head | ScreeningError::Empty => Self::new(kinds::INVALID_FIELD).detail(error),
            ScreeningError::Truncated => Self::new(kinds::BODY_INCOMPLETE).detail(error),
            ScreeningError::TooMany => Self::new(kinds::TOO_MANY_ROWS).detail(error),
            ScreeningError::TooManyUnderWay => Self::new(kinds::STATE_CONFLICT).detail(error),
            ScreeningError::KeyReused => Self::new(kinds::IDEMPOTENCY_CONFLICT),
        }
    }
}

impl From<ClaimError> for Problem {
    fn from(error: ClaimError) -> Self {
        match error {
            ClaimError::Enquiry(error) => error.into(),
            ClaimError::NotAClaim => Self::new(kinds::UNKNOWN_PURPOSE).detail(error),
            ClaimError::Future => Self::new(kinds::INVALID_FIELD).detail(error),
            ClaimError::UnknownEngagement => Self::new(kinds::NOT_FOUND).detail(error),
            ClaimError::Erased | ClaimError::Recalled => Self::new(kinds::STATE_CONFLICT).detail(error),
        }
    }
}

impl From<PreviewError> for Problem {
    fn from(error: PreviewError) -> Self {
        match error {
            PreviewError::Enquiry(error) => error.into(),
            error @ PreviewError::File(_) => Self::new(kinds::INVALID_FIELD).detail(error),
        }
    }
}

impl From<ReferralError> for Problem {
    fn from(error: ReferralError) -> Self {
        match error {
            ReferralError::Form | ReferralError::NoAnswer | ReferralError::NoFamily | ReferralError::NoTeam => {
                Self::new(kinds::INVALID_FIELD).detail(error)
            }
            ReferralError::Undeclared => Self::new(kinds::UNKNOWN_PURPOSE).detail(error),
            ReferralError::Unknown => Self::new(kinds::NOT_FOUND).detail(error),
            ReferralError::NotDue => Self::new(kinds::STATE_CONFLICT).detail(error),
            ReferralError::NotPermitted { disclosure, hits, receipt } => {
                EnquiryError::NotPermitted { disclosure, hits, receipt }.into()
            }
            ReferralError::KeyReused => Self::new(kinds::IDEMPOTENCY_CONFLICT),
            ReferralError::KeyLapsed => Self::new(kinds::IDEMPOTENCY_LAPSED),
            ReferralError::App(error) => error.into(),
        }
    }
}

impl From<SubjectError> for Problem {
    fn from(error: SubjectError) -> Self {
        match error {
            SubjectError::Unknown => Self::new(kinds::NOT_FOUND),
            SubjectError::Record => Self::new(kinds::NOT_FOUND).detail(error),
            SubjectError::Role
            | SubjectError::Count
            | SubjectError::Words
            | SubjectError::Reply
            | SubjectError::Key => Self::new(kinds::INVALID_FIELD).detail(error),
            SubjectError::Answered | SubjectError::Clock(_) => Self::new(kinds::STATE_CONFLICT).detail(error),
            SubjectError::KeyReused => Self::new(kinds::IDEMPOTENCY_CONFLICT),
            SubjectError::App(error) => error.into(),
        }
    }
}

impl From<RuleHit> for RuleInTheWay {
    fn from(hit: RuleHit) -> Self {
        Self { rule: hit.rule, say: hit.say }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_clock_is_told_by_how_many_seconds() {
        let ahead = AuthError::Jwt(JwtError::ClockAhead { claim: "iat", seconds: 95 });
        let document = assertion_problem(ahead).document(None);
        assert_eq!((document.kind, document.extras.code), ("assertion-expired", Some("token-clock-ahead")));
        assert!(document.detail.expect("a detail").contains("95 s in the future"));
    }

    #[test]
    fn only_what_follows_from_an_agreement_is_403() {
        for fault in FileFault::ALL {
            let is_forbidden = Problem::from(fault).status().as_u16() == 403;
            let follows = matches!(fault, FileFault::Agreement | FileFault::NotGranted);
            assert_eq!(is_forbidden, follows, "{}", fault.code());
        }
    }
}
