//! Whether this machine makes the registered tokens of the test people, as `porth check-tokens` finds out.

use super::Finding;
use crate::cli::agency::check_tokens::{check, has_other_tokens};
use crate::cli::agency::connection::Session;
use crate::cli::agency::key_file::AgencyKeyFile;
use crate::domain::match_keys::MatchKeys;
use crate::domain::token_check::TypeOutcome;
use crate::web::api::token_checks::TokenCheckView;

pub(super) const CHECK: &str = "test-tokens";

/// What tokens are made with.
pub(super) struct TokenKeys {
    pub(super) file: AgencyKeyFile,
    pub(super) match_keys: MatchKeys,
    /// How many epochs the file has keys of.
    pub(super) epochs: usize,
}

/// Sends the test people's tokens; the gateway notes what came of it.
pub(super) async fn look(session: &mut Session, keys: &TokenKeys) -> Finding {
    match check(session, &keys.file, &keys.match_keys).await {
        Ok(found) => judge(&found, keys.epochs),
        Err(failure) => Finding::of(CHECK, &failure),
    }
}

fn judge(found: &[TokenCheckView], epochs: usize) -> Finding {
    if let Some(view) = found.iter().find(|view| has_other_tokens(view)) {
        let said = format!(
            "epoch {}: this machine makes other tokens of the test people than the registered ones",
            view.epoch
        );
        let next = "run `porth check-tokens` to see which types, and compare match keys, epoch and program with the key \
                    custodian's; the gateway takes no delivery before they agree";
        return Finding::fail(CHECK, said, next);
    }
    let equal = found.iter().flat_map(|view| view.types.values()).filter(|it| **it == TypeOutcome::Equal).count();
    if equal == 0 && !found.is_empty() {
        let said = "this machine has no key of a type that the agreements give the agency";
        return Finding::fail(CHECK, said, "ask the key custodian for the keys, then `porth join finish`");
    }
    if found.len() < epochs {
        let said =
            format!("the test people's tokens are registered for {} of {epochs} epoch(s) of the key file", found.len());
        let next = "ask the key custodian whether the operator has the newest file of key checks; old hash values are \
                    not taken before that";
        return Finding::warn(CHECK, said, next);
    }
    Finding::ok(CHECK, format!("{equal} token type(s) in {epochs} epoch(s) come out as registered"))
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;
    use crate::domain::ids::TokenType;

    fn view(outcomes: &[TypeOutcome]) -> TokenCheckView {
        let name = |at| TokenType::parse(&format!("k{at}")).expect("a type");
        let types = outcomes.iter().enumerate().map(|(at, outcome)| (name(at), *outcome)).collect();
        let passed = outcomes.iter().all(|outcome| *outcome == TypeOutcome::Equal);
        TokenCheckView { epoch: 1, passed, types }
    }

    #[test]
    fn other_tokens_fail_keys_that_are_not_held_do_not_and_what_is_not_registered_is_told() {
        use TypeOutcome::{Differs, Equal, Missing};
        for (found, epochs, verdict, words) in [
            (vec![view(&[Equal, Equal])], 1, Verdict::Ok, "2 token type(s) in 1 epoch(s)"),
            (vec![view(&[Equal, Missing])], 1, Verdict::Ok, "1 token type(s)"),
            (vec![view(&[Equal]), view(&[Equal, Differs])], 2, Verdict::Fail, "other tokens"),
            (vec![view(&[Missing])], 1, Verdict::Fail, "no key"),
            (vec![view(&[Equal])], 2, Verdict::Warn, "1 of 2"),
            (vec![], 1, Verdict::Warn, "0 of 1"),
        ] {
            let finding = judge(&found, epochs);
            assert_eq!(finding.verdict, verdict, "{}", finding.said);
            assert!(finding.said.contains(words), "{}", finding.said);
            assert_eq!(finding.next.is_some(), verdict != Verdict::Ok, "what to do next");
        }
    }
}
