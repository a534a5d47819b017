//! `porth check-tokens`: this machine's tokens of the test people, against those that the key custodian
//! registered at the gateway.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;

use super::connection::{Connection, Session, failure};
use super::key_file::{AgencyKeyFile, EpochTypeKeys, KeyFileError, hex};
use super::tokenise::{Minter, read_match_keys};
use crate::cli::output::{Failure, Output};
use crate::domain::ids::TokenType;
use crate::domain::match_keys::MatchKeys;
use crate::domain::submission::MOST_TOKENS;
use crate::domain::token_check::{TestTokens, TokenCheck, TypeOutcome, digests};
use crate::identity::{TEST_PEOPLE_TODAY, test_people};
use crate::web::api::token_checks::TokenCheckView;

/// Arguments of `porth check-tokens`.
#[derive(Debug, Args)]
pub struct CheckTokensArgs {
    /// The connection file: where the gateway is and how to prove who we are
    #[arg(long, short)]
    connection: PathBuf,
    /// The agency's key file
    #[arg(long, value_name = "FILE")]
    keys: PathBuf,
    /// The programme's match-keys file, if not the one shipped with this program
    #[arg(long, value_name = "FILE")]
    match_keys: Option<PathBuf>,
}

/// Runs `porth check-tokens`.
///
/// # Errors
///
/// [`Failure`]; exit code 4 if a token type differs.
pub fn run(args: CheckTokensArgs, output: &Output) -> Result<(), Failure> {
    let keys = AgencyKeyFile::read(&args.keys).map_err(Failure::unusable)?;
    let match_keys = read_match_keys(args.match_keys.as_deref())?;
    let mut session = Connection::read(&args.connection)?.open()?;
    let found = crate::cli::block_on(check(&mut session, &keys, &match_keys))?;
    output.result(found.iter().map(say).collect::<Vec<_>>().join("\n"), &found);
    if !found.iter().any(has_other_tokens) {
        return Ok(());
    }
    Err(Failure::faulty("check-tokens.differs: this machine does not make the registered tokens").next(
        "compare the match-keys file, the keys' epoch and the version of this program with the key custodian's; the \
         gateway takes no delivery before they agree",
    ))
}

/// Sends the test people's tokens of every epoch at hand; an epoch for which nothing is registered is
/// left out.
pub(super) async fn check(
    session: &mut Session,
    keys: &AgencyKeyFile,
    match_keys: &MatchKeys,
) -> Result<Vec<TokenCheckView>, Failure> {
    let mut found = Vec::new();
    for check in token_checks(keys, match_keys).map_err(Failure::unusable)? {
        let headers = session.headers(None).await?;
        match session.client().post_json("/v1/token-checks", &headers, &check).await {
            Ok(answer) => found.push(answer.json::<TokenCheckView>().map_err(|error| failure(&error))?),
            Err(error) if error.problem().is_some_and(|problem| problem.status == 404) => {}
            Err(error) => return Err(failure(&error)),
        }
    }
    Ok(found)
}

/// What this machine makes of the test people, epoch by epoch.
pub(crate) fn token_checks(keys: &AgencyKeyFile, match_keys: &MatchKeys) -> Result<Vec<TokenCheck>, KeyFileError> {
    let check = |epoch: EpochTypeKeys| TokenCheck {
        programme: keys.programme().clone(),
        match_keys: hex(match_keys.sha256()),
        epoch: epoch.epoch,
        people: test_tokens(match_keys, epoch),
    };
    Ok(keys.type_keys(match_keys)?.into_iter().map(check).collect())
}

/// The test people's tokens in one epoch.
fn test_tokens(match_keys: &MatchKeys, epoch: EpochTypeKeys) -> TestTokens {
    let epochs = [epoch];
    let mut minter = Minter::new(match_keys, &epochs);
    let mut people = TestTokens::new();
    for (number, raw) in test_people(match_keys) {
        minter.mint(&raw, TEST_PEOPLE_TODAY, true, MOST_TOKENS);
        let mut types = BTreeMap::new();
        for is_household in [false, true] {
            types.extend(minter.tokens(is_household).into_values().flatten());
        }
        people.insert(number, types);
    }
    people
}

/// Whether a token type came out otherwise than registered. One that this machine holds no key for is
/// none of its business.
pub(super) fn has_other_tokens(view: &TokenCheckView) -> bool {
    view.types.values().any(|outcome| *outcome == TypeOutcome::Differs)
}

fn say(view: &TokenCheckView) -> String {
    use std::fmt::Write as _;

    let of = |wanted: TypeOutcome| -> Vec<&str> {
        view.types.iter().filter(|(_, outcome)| **outcome == wanted).map(|(name, _)| name.as_str()).collect()
    };
    let (differs, missing) = (of(TypeOutcome::Differs), of(TypeOutcome::Missing));
    if view.passed {
        return format!("Epoch {}: the tokens of all {} types are the registered ones.", view.epoch, view.types.len());
    }
    let mut text = format!("Epoch {}: {} types are equal.", view.epoch, of(TypeOutcome::Equal).len());
    for (names, what) in [(differs, "differ"), (missing, "were not made: this machine has no key for them")] {
        if !names.is_empty() {
            let _ = write!(text, " {} {what}.", names.join(", "));
        }
    }
    text
}

/// The hashes to register, as the key custodian computes them.
pub(crate) fn registrable(match_keys: &MatchKeys, epoch: EpochTypeKeys) -> BTreeMap<TokenType, [u8; 32]> {
    digests(&test_tokens(match_keys, epoch))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::agency::key_file::LinkageKeyFile;
    use crate::crypto::random::SystemRandom;
    use crate::domain::ids::ProgrammeCode;
    use crate::identity::UK_MATCH_KEYS;

    #[test]
    fn every_type_has_test_tokens_and_another_key_gives_others() {
        let match_keys = MatchKeys::parse(UK_MATCH_KEYS).expect("the shipped file");
        let made = |programme: &str| {
            let programme = ProgrammeCode::parse(programme).expect("a code");
            let linkage = LinkageKeyFile::generate(programme, 1, &SystemRandom::new());
            registrable(&match_keys, linkage.type_keys(&match_keys))
        };
        let (one, other) = (made("tff"), made("tff"));
        assert_eq!(one.len(), match_keys.keys().len());
        assert!(one.iter().all(|(name, digest)| other[name] != *digest));
    }
}
