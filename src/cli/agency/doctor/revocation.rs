//! The authority's revocation lists: whether a gateway whose certificate was revoked would be noticed.

use super::Finding;
use crate::cli::agency::connection::Connection;
use crate::cli::agency::tokenise::read_file;
use crate::crypto::certs::{der_of_pem, revocation_lists_of_pem, subject};
use crate::domain::time::Timestamp;

const CHECK: &str = "revocation";
/// What to do whenever the list at hand is of no use.
const FETCH: &str = "get the authority's newest list from the operator, and name its file under `revocation_lists`";

/// Looks at the file that the connection names. A list that is overdue is still used by the commands.
pub(super) fn look(connection: &Connection, now: Timestamp) -> Finding {
    let Some(path) = &connection.revocation_lists else {
        let said = "connection.toml names no list: a stolen key of the gateway is good until its certificate ends";
        return Finding::warn(CHECK, said, FETCH);
    };
    match (read_file(path), read_file(&connection.root)) {
        (Ok(lists), Ok(root)) => judge(&lists, &root, now),
        (Err(failure), _) => Finding::fail(CHECK, failure.message(), FETCH),
        (_, Err(failure)) => Finding::fail(CHECK, failure.message(), "`porth join finish` with the operator's reply"),
    }
}

fn judge(lists: &[u8], root: &[u8], now: Timestamp) -> Finding {
    let lists = match revocation_lists_of_pem(lists) {
        Ok(lists) if !lists.is_empty() => lists,
        _ => return Finding::fail(CHECK, "the file holds no revocation list: no command connects with it", FETCH),
    };
    let authority = der_of_pem(&String::from_utf8_lossy(root)).and_then(|der| subject(&der));
    let Some(list) =
        lists.iter().filter(|list| authority.as_ref() == Ok(&list.issuer)).max_by_key(|list| list.next_update)
    else {
        let said = "no list in the file is of the authority in `root`: the gateway's certificate cannot be looked up";
        return Finding::fail(CHECK, said, FETCH);
    };
    match list.next_update {
        None => Finding::warn(CHECK, "the authority's list does not say when the next is due", FETCH),
        Some(due) if due < now => {
            let said = format!("the next list was due on {}: what was revoked since is not known here", due.date());
            Finding::warn(CHECK, said, FETCH)
        }
        Some(due) => Finding::ok(CHECK, format!("a list of the authority, the next is due on {}", due.date())),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;
    use crate::crypto::certs::{CertificateAuthority, Validity};
    use crate::crypto::random::SystemRandom;

    const DAY: i64 = 86_400;

    #[test]
    fn a_list_has_to_be_there_of_the_authority_and_not_overdue() {
        let (now, random) = (Timestamp::from_micros(1_800_000_000_000_000), SystemRandom::new());
        let authority =
            || CertificateAuthority::create("an authority", Validity::days(now, 30), true, &random).expect("made");
        let named = CertificateAuthority::create("another", Validity::days(now, 30), true, &random).expect("made");
        let ours = authority();
        let root = ours.certificate().pem.clone();
        let list = |of: &CertificateAuthority| {
            of.revocation_list(1, &[], now, now.plus_seconds(7 * DAY)).expect("issued").pem.into_bytes()
        };
        let verdict = |lists: &[u8], at: i64| judge(lists, root.as_bytes(), now.plus_seconds(at)).verdict;
        assert_eq!(verdict(&list(&ours), 0), Verdict::Ok);
        assert_eq!(verdict(&list(&ours), 8 * DAY), Verdict::Warn, "overdue");
        assert_eq!(verdict(&list(&named), 0), Verdict::Fail, "another authority's");
        assert_eq!(verdict(&[list(&named), list(&ours)].concat(), 0), Verdict::Ok, "one of two");
        assert_eq!(verdict(root.as_bytes(), 0), Verdict::Fail, "a certificate is no list");
        assert_eq!(verdict(b"", 0), Verdict::Fail);
    }
}
