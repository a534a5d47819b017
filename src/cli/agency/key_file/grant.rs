//! A share on its way to one agency, sealed to that agency's key: whoever carries it can open nothing.

use sha2::{Digest as _, Sha256};

use super::{Keys, LinkageShare, copy, hex};
use crate::app::relay::GRANT_PADDED;
use crate::crypto::random::Random;
use crate::crypto::seal::{self, SealError, SealKeyPair, SealPublicKey};
use crate::crypto::token::TypeKey;
use crate::domain::ids::{AgencyCode, TokenType};
use crate::domain::labels;

impl LinkageShare {
    /// Seals it to an agency's public key.
    ///
    /// # Errors
    ///
    /// [`SealError`] for a key of small order, or a share that is far too long.
    pub fn sealed_for(
        &self,
        random: &dyn Random,
        to: &SealPublicKey,
        agency: &AgencyCode,
    ) -> Result<Vec<u8>, SealError> {
        let text = self.to_text();
        seal::seal(random, to, labels::LINKAGE_GRANT, &bound_to(to, agency), text.as_bytes(), GRANT_PADDED)
    }

    /// Opens what was sealed to this agency.
    ///
    /// # Errors
    ///
    /// [`SealError::Refused`] or [`SealError::Malformed`].
    pub fn from_sealed(pair: &SealKeyPair, agency: &AgencyCode, sealed: &[u8]) -> Result<Self, SealError> {
        let text = pair.open(labels::LINKAGE_GRANT, &bound_to(pair.public(), agency), sealed)?;
        let share = Self::from_text(&text).map_err(|_| SealError::Malformed)?;
        // A root key has no key checks that its fingerprint could follow from.
        let by_type = share.epochs.iter().all(|epoch| matches!(epoch.keys, Keys::Types { .. }));
        if by_type { Ok(share) } else { Err(SealError::Malformed) }
    }

    /// Epoch, type and key check of every single type key in it, in order; a whole root key has none.
    pub fn key_checks(&self) -> Vec<(u32, TokenType, String)> {
        let mut checks = Vec::new();
        for share in &self.epochs {
            let Keys::Types { norm, keys } = &share.keys else { continue };
            for (name, key) in keys {
                let key = TypeKey::from_bytes(copy(key), &self.programme, share.epoch, name, *norm);
                checks.push((share.epoch, name.clone(), hex(&key.key_check())));
            }
        }
        checks
    }

    /// A hash that two people compare: it follows from the keys by way of their key checks.
    pub fn fingerprint(&self) -> [u8; 32] {
        let mut hash = Sha256::new().chain_update(labels::LINKAGE_GRANT).chain_update(self.programme.as_str());
        for (epoch, name, check) in self.key_checks() {
            hash.update(format!("\n{epoch} {name} {check}"));
        }
        hash.finalize().into()
    }
}

fn bound_to(key: &SealPublicKey, agency: &AgencyCode) -> Vec<u8> {
    [key.to_bytes().as_slice(), agency.as_str().as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::super::{AgencyKeyFile, LinkageKeyFile};
    use super::*;
    use crate::crypto::random::SystemRandom;
    use crate::domain::ids::ProgrammeCode;

    #[test]
    fn a_share_opens_for_its_agency_alone_and_is_the_same_length_whatever_is_in_it() {
        let random = SystemRandom::new();
        let types: Vec<TokenType> =
            (0..64).map(|n| TokenType::parse(&format!("a-rather-long-type-name-{n}")).unwrap()).collect();
        let (tff, hearth) = (ProgrammeCode::parse("tff").unwrap(), AgencyCode::parse("hearth").unwrap());
        let linkage = LinkageKeyFile::generate(tff.clone(), 1, &random);
        let (pair, other) = (SealKeyPair::generate(&random), SealKeyPair::generate(&random));
        let (many, one) = (linkage.subkeys(&types, 1), linkage.subkeys(&types[..1], 1));
        let sealed = many.sealed_for(&random, pair.public(), &hearth).expect("fits");
        assert_eq!(sealed.len(), crate::app::relay::GRANT_BYTES);
        assert_eq!(one.sealed_for(&random, pair.public(), &hearth).expect("fits").len(), sealed.len());

        let kestrel = AgencyCode::parse("kestrel").unwrap();
        assert_eq!(LinkageShare::from_sealed(&other, &hearth, &sealed).err(), Some(SealError::Refused));
        assert_eq!(LinkageShare::from_sealed(&pair, &kestrel, &sealed).err(), Some(SealError::Refused));
        let opened = LinkageShare::from_sealed(&pair, &hearth, &sealed).expect("ours");
        assert_eq!(opened.fingerprint(), many.fingerprint());
        assert_ne!(opened.fingerprint(), one.fingerprint());
        assert_eq!(opened.key_checks().len(), 64);
        let again = LinkageKeyFile::generate(tff.clone(), 1, &random).subkeys(&types, 1);
        assert_ne!(again.fingerprint(), many.fingerprint());
        AgencyKeyFile::generate(tff, hearth, &random).add(opened).expect("the programme's own");
    }
}
