//! Identities sealed and opened a second on one core, as source and data team do it, beside the bare
//! `hpke` crate over the same bytes in the same run. Prints both and the ratio.

#![allow(clippy::print_stdout, reason = "figures are what a bench is run for")]

use std::convert::Infallible;
use std::hint::black_box;
use std::time::{Duration, Instant};

use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::rand_core::{TryCryptoRng, TryRng};
use hpke::{Deserializable as _, Kem as _, OpModeR, OpModeS, Serializable as _};
use porth::crypto::random::{Random as _, SystemRandom};
use porth::crypto::seal::{self, SealKeyPair};
use porth::domain::labels::ENVELOPE;
use porth::domain::reidentification::Field;
use porth::domain::reidentification::identity::Identity;

type Kem = X25519HkdfSha256;

const ROUND: Duration = Duration::from_millis(400);
const ROUNDS: usize = 7;
/// What an envelope is bound to has about this length.
const AAD: [u8; 200] = [7; 200];

/// The system's randomness in the form that `hpke` takes.
struct Source(SystemRandom);

impl TryRng for Source {
    type Error = Infallible;
    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.0.fill(&mut bytes);
        Ok(u32::from_le_bytes(bytes))
    }
    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        Ok(u64::from_le_bytes(bytes))
    }
    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0.fill(bytes);
        Ok(())
    }
}
impl TryCryptoRng for Source {}

fn main() {
    let random = SystemRandom::new();
    let pair = SealKeyPair::generate(&random);
    let texts = ["Zennoria Example", "2015-03-14", "7 Invented Street, Nowhere, ZZ99 9ZZ", "01632 960461", "C-104"];
    let identity = Identity::new(Field::ALL.into_iter().zip(texts.map(str::to_owned)));
    let length = Identity::padded_length(&identity.plaintext()).expect("it fits");

    let private = <Kem as hpke::Kem>::PrivateKey::from_bytes(pair.secret().expose()).expect("32 bytes");
    let public = Kem::sk_to_pk(&private);
    let (padded, mut source) = (vec![0x20; length], Source(SystemRandom::new()));
    let bare_seal = || {
        let sealed = hpke::single_shot_seal_with_rng::<ChaCha20Poly1305, HkdfSha256, Kem>(
            &OpModeS::Base,
            &public,
            ENVELOPE.as_bytes(),
            &padded,
            &AAD,
            &mut source,
        );
        sealed.expect("seals")
    };
    let our_seal = || {
        let plaintext = identity.plaintext();
        let length = Identity::padded_length(&plaintext).expect("it fits");
        seal::seal(&random, pair.public(), ENVELOPE, &AAD, &plaintext, length).expect("seals")
    };
    compare("seal", our_seal, bare_seal);

    let ours = seal::seal(&random, pair.public(), ENVELOPE, &AAD, &identity.plaintext(), length).expect("seals");
    let (encapsulated, ciphertext) = hpke::single_shot_seal_with_rng::<ChaCha20Poly1305, HkdfSha256, Kem>(
        &OpModeS::Base,
        &public,
        ENVELOPE.as_bytes(),
        &padded,
        &AAD,
        &mut Source(SystemRandom::new()),
    )
    .expect("seals");
    let encapsulated = encapsulated.to_bytes();
    let bare_open = || {
        let encapsulated = <Kem as hpke::Kem>::EncappedKey::from_bytes(&encapsulated).expect("32 bytes");
        let opened = hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha256, Kem>(
            &OpModeR::Base,
            &private,
            &encapsulated,
            ENVELOPE.as_bytes(),
            &ciphertext,
            &AAD,
        );
        opened.expect("opens")
    };
    let our_open = || Identity::parse(&pair.open(ENVELOPE, &AAD, &ours).expect("opens")).expect("an identity");
    compare("open", our_open, bare_open);
}

/// Round about, so that what else the machine does falls on both alike; the medians are compared.
fn compare<A, B>(what: &str, mut ours: impl FnMut() -> A, mut bare: impl FnMut() -> B) {
    let (mut our_rates, mut bare_rates) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        our_rates.push(rate(&mut ours));
        bare_rates.push(rate(&mut bare));
    }
    let (ours, bare) = (median(our_rates), median(bare_rates));
    println!("{what}: {ours:.0} a second; bare hpke {bare:.0} a second; ratio {:.2}", ours / bare);
}

fn rate<T>(work: &mut impl FnMut() -> T) -> f64 {
    let start = Instant::now();
    let mut count = 0_u32;
    while start.elapsed() < ROUND {
        black_box(work());
        count += 1;
    }
    f64::from(count) / start.elapsed().as_secs_f64()
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}
