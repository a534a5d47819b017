//! Project Wycheproof's vectors, run against the primitives as this crate uses them.

use ring::aead::{AES_256_GCM, Aad, Algorithm, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use serde_json::Value;

use super::mac::Keyed;
use super::random::SystemRandom;
use super::seal::{self, SealError, SealPublicKey};
use super::sign::VerifyingKey;
use super::token::vectors::{hex, unhex};

macro_rules! vectors {
    ($name:literal) => {
        serde_json::from_str::<Value>(include_str!(concat!("../../tests/vectors/wycheproof/", $name)))
            .expect("the vector file")
    };
}

/// Every group with each of its cases.
fn cases(file: &Value) -> impl Iterator<Item = (&Value, &Value)> {
    let groups = file["testGroups"].as_array().expect("groups");
    groups.iter().flat_map(|group| group["tests"].as_array().expect("cases").iter().map(move |case| (group, case)))
}

fn bytes(value: &Value) -> Vec<u8> {
    unhex(value.as_str().expect("hexadecimal"))
}

fn is_valid(case: &Value) -> bool {
    match case["result"].as_str() {
        Some("valid") => true,
        Some("invalid") => false,
        other => panic!("unexpected result {other:?}"),
    }
}

#[test]
fn hmac_sha256() {
    let file = vectors!("hmac_sha256_test.json");
    let mut run = 0;
    for (_, case) in cases(&file) {
        let expected = bytes(&case["tag"]);
        let full = Keyed::new(&bytes(&case["key"]), "").raw(&bytes(&case["msg"])).finish();
        assert_eq!(full[..expected.len()] == expected, is_valid(case), "{}", case["tcId"]);
        run += 1;
    }
    assert_eq!(run, 174);
}

#[test]
fn hkdf_sha256() {
    struct Length(usize);
    impl ring::hkdf::KeyType for Length {
        fn len(&self) -> usize {
            self.0
        }
    }
    let file = vectors!("hkdf_sha256_test.json");
    let mut ours = 0;
    for (_, case) in cases(&file) {
        let (ikm, salt, info) = (bytes(&case["ikm"]), bytes(&case["salt"]), bytes(&case["info"]));
        let size = case["size"].as_u64().expect("a size") as usize;
        let prk = ring::hkdf::Salt::new(ring::hkdf::HKDF_SHA256, &salt).extract(&ikm);
        let mut derived = vec![0; size];
        let filled = prk.expand(&[&info], Length(size)).and_then(|okm| okm.fill(&mut derived)).is_ok();
        assert_eq!(filled && derived == bytes(&case["okm"]), is_valid(case), "{}", case["tcId"]);
        // `derive_key` is the same with 32 bytes: the first block of every longer answer.
        if is_valid(case) && size >= 32 {
            let key = super::mac::derive_key(&ikm, &salt, &info);
            assert_eq!(key.expose()[..], bytes(&case["okm"])[..32], "{}", case["tcId"]);
            ours += 1;
        }
    }
    assert!(ours > 30, "{ours}");
}

fn aead(file: &Value, algorithm: &'static Algorithm) -> usize {
    let mut run = 0;
    for (group, case) in cases(file) {
        if group["keySize"] != 256 || group["ivSize"] != 96 {
            continue;
        }
        let key = || LessSafeKey::new(UnboundKey::new(algorithm, &bytes(&case["key"])).expect("256 bits"));
        let nonce = || Nonce::try_assume_unique_for_key(&bytes(&case["iv"])).expect("96 bits");
        let (aad, message) = (bytes(&case["aad"]), bytes(&case["msg"]));
        let sealed = [bytes(&case["ct"]), bytes(&case["tag"])].concat();
        let mut buffer = sealed.clone();
        let opened = key().open_in_place(nonce(), Aad::from(&aad), &mut buffer);
        assert_eq!(opened.is_ok_and(|opened| *opened == message), is_valid(case), "{}", case["tcId"]);
        if is_valid(case) {
            let mut again = message;
            key().seal_in_place_append_tag(nonce(), Aad::from(&aad), &mut again).expect("seals");
            assert_eq!(again, sealed, "{}", case["tcId"]);
        }
        run += 1;
    }
    run
}

#[test]
fn aes_256_gcm() {
    assert!(aead(&vectors!("aes_gcm_test.json"), &AES_256_GCM) >= 66);
}

#[test]
fn chacha20_poly1305() {
    assert!(aead(&vectors!("chacha20_poly1305_test.json"), &CHACHA20_POLY1305) >= 300);
}

#[test]
fn ed25519() {
    let file = vectors!("ed25519_test.json");
    let mut run = 0;
    for (group, case) in cases(&file) {
        let key = VerifyingKey::from_bytes(&bytes(&group["publicKey"]["pk"])).expect("32 bytes");
        let verified = key.verify(&bytes(&case["msg"]), &bytes(&case["sig"])).is_ok();
        assert_eq!(verified, is_valid(case), "{}", case["tcId"]);
        run += 1;
    }
    assert!(run >= 150, "{run}");
}

#[test]
fn ecdsa_p256_in_the_form_of_es256() {
    let file = vectors!("ecdsa_secp256r1_sha256_p1363_test.json");
    let mut run = 0;
    for (group, case) in cases(&file) {
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, bytes(&group["publicKey"]["uncompressed"]));
        let verified = key.verify(&bytes(&case["msg"]), &bytes(&case["sig"])).is_ok();
        assert_eq!(verified, is_valid(case), "{}", case["tcId"]);
        run += 1;
    }
    assert!(run >= 250, "{run}");
}

#[test]
fn hpke_never_seals_to_a_key_that_gives_everybody_the_same_secret() {
    let file = vectors!("x25519_test.json");
    let (mut weak, mut usable) = (0, 0);
    for (_, case) in cases(&file) {
        let public = SealPublicKey::from_bytes(&bytes(&case["public"])).expect("32 bytes");
        let sealed = seal::seal(&SystemRandom::new(), &public, "label", b"", b"m", 16);
        if case["shared"] == hex(&[0; 32]) {
            assert_eq!(sealed, Err(SealError::WeakKey), "{}", case["tcId"]);
            weak += 1;
        } else {
            assert!(sealed.is_ok(), "{}", case["tcId"]);
            usable += 1;
        }
    }
    assert!(weak >= 10 && usable >= 400, "{weak} {usable}");
}
