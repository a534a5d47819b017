//! The key of fuzzy encodings that an agency's file gives.

use super::{AgencyKeyFile, Keys};
use crate::crypto::clk::{ClkKey, clk_type};
use crate::domain::clk::EncodingProfile;

impl AgencyKeyFile {
    /// The key of an encoding profile, of the oldest epoch that gives one: while a linkage key is
    /// being changed, that is the one that every other agency has as well. None when the agency was
    /// handed single type keys without that of `clk`.
    pub fn clk_key(&self, profile: &EncodingProfile) -> Option<ClkKey> {
        self.epochs.iter().find_map(|share| match &share.keys {
            Keys::Root(root) => Some(ClkKey::derive(root, &self.programme, share.epoch, profile)),
            Keys::Types { norm, keys } if *norm == profile.norm() => {
                let key = keys.get(&clk_type())?;
                Some(ClkKey::from_type_key(key, &self.programme, share.epoch, profile))
            }
            Keys::Types { .. } => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::LinkageKeyFile;
    use super::*;
    use crate::crypto::random::SystemRandom;
    use crate::domain::ids::{AgencyCode, ProgrammeCode, TokenType};

    #[test]
    fn the_key_comes_with_the_whole_share_or_by_its_own_type_and_not_with_others() {
        let profile = EncodingProfile::parse(crate::identity::UK_CLK_PROFILE.as_bytes()).expect("the shipped file");
        let (random, programme) = (SystemRandom::new(), ProgrammeCode::parse("tff").expect("a code"));
        let custodian = LinkageKeyFile::generate(programme.clone(), 4, &random);
        let next = LinkageKeyFile::generate(programme.clone(), 5, &random);
        let agency = AgencyCode::parse("education").expect("a code");
        let file = |shares: Vec<super::super::LinkageShare>| {
            let mut file = AgencyKeyFile::generate(programme.clone(), agency.clone(), &random);
            for share in shares {
                file.add(share).expect("one programme");
            }
            file.clk_key(&profile).map(|key| key.space())
        };
        let whole = file(vec![custodian.whole()]).expect("the root key");
        assert_eq!(whole.epoch, 4);
        assert_eq!(file(vec![custodian.subkeys(&[clk_type()], 1)]), Some(whole));
        assert_eq!(file(vec![next.whole(), custodian.whole()]), Some(whole), "the older of two");
        let nhs = TokenType::parse("nhs").expect("a code");
        assert_eq!(file(vec![custodian.subkeys(&[nhs], 1)]), None);
        assert_eq!(file(vec![custodian.subkeys(&[clk_type()], 2)]), None, "another normalisation");
    }
}
