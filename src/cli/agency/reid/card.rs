//! Cards as files: [`ReidCard`] read, and refused where its id is not that of its key.

use std::path::Path;

use crate::app::reidentification::card::ReidCard;
use crate::cli::operator::keys::files::read_public_json;
use crate::cli::output::Failure;
use crate::store::ReidKey;

/// Reads a card and checks that its id is its own key's.
pub(in crate::cli) fn read_card(path: &Path) -> Result<(ReidCard, ReidKey), Failure> {
    let card: ReidCard = read_public_json(path, "a card for re-identification")?;
    let refused = || Failure::failed(format!("{}: the card's id is not that of its key", path.display()));
    let key = card.key().ok_or_else(refused)?;
    Ok((card, key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::random::SystemRandom;
    use crate::crypto::sign::SigningKey;
    use crate::domain::ids::OpaqueRef;

    #[test]
    fn a_file_whose_id_is_another_keys_is_refused() {
        let random = SystemRandom::new();
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("card.json");
        let person = OpaqueRef::parse("AAAAAAAAAAAAAAAAAAAAAA").expect("22 characters");
        let key = SigningKey::generate(&random).verifying_key();
        let card = ReidCard::officer(&"education".parse().expect("a code"), person, &key);
        let mut other = card.clone();
        other.key_id.push('0');
        for (card, is_good) in [(card, true), (other, false)] {
            std::fs::write(&path, serde_json::to_vec(&card).expect("plain")).expect("writes");
            assert_eq!(read_card(&path).is_ok(), is_good);
        }
    }
}
