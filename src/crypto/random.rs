//! Randomness: the operating system's in production, injected in tests.

use ring::rand::SecureRandom as _;
use uuid::Uuid;

use crate::domain::time::Timestamp;

/// A source of random bytes fit for keys.
pub trait Random: Send + Sync {
    /// Overwrites the whole buffer.
    fn fill(&self, buffer: &mut [u8]);
}

/// The operating system's generator, through ring.
#[derive(Debug, Clone)]
pub struct SystemRandom(ring::rand::SystemRandom);

impl SystemRandom {
    /// Makes a handle; the generator itself belongs to the operating system.
    pub fn new() -> Self {
        Self(ring::rand::SystemRandom::new())
    }
}

impl Default for SystemRandom {
    fn default() -> Self {
        Self::new()
    }
}

impl Random for SystemRandom {
    /// # Panics
    ///
    /// When the operating system gives no randomness: no key, nonce or id may be made then, and
    /// stopping is the only safe answer.
    fn fill(&self, buffer: &mut [u8]) {
        self.0.fill(buffer).expect("the operating system gives random bytes; without them nothing may go on");
    }
}

/// `N` random bytes that are not secret: salts, nonces, subject ids.
pub fn random_bytes<const N: usize>(random: &dyn Random) -> [u8; N] {
    let mut bytes = [0; N];
    random.fill(&mut bytes);
    bytes
}

/// A version 7 UUID: the time in milliseconds, then 74 random bits.
///
/// Times before 1970 count as 1970.
pub fn uuid_v7(now: Timestamp, random: &dyn Random) -> Uuid {
    let millis = u64::try_from(now.as_micros().div_euclid(1_000)).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &random_bytes(random)).into_uuid()
}

/// Counts up from a start: every byte differs from the last, and a test repeats exactly.
#[cfg(test)]
pub(crate) struct CountingRandom(std::sync::atomic::AtomicU8);

#[cfg(test)]
impl CountingRandom {
    pub(crate) fn from(start: u8) -> Self {
        Self(start.into())
    }
}

#[cfg(test)]
impl Random for CountingRandom {
    fn fill(&self, buffer: &mut [u8]) {
        for byte in buffer {
            *byte = self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_generator_does_not_repeat_itself() {
        let random = SystemRandom::new();
        assert_ne!(random_bytes::<32>(&random), random_bytes::<32>(&random));
    }

    #[test]
    fn a_uuid_carries_version_variant_and_time() {
        let now = Timestamp::from_micros(1_790_000_000_123_456);
        let id = uuid_v7(now, &CountingRandom::from(0xf0));
        assert_eq!(id.get_version_num(), 7);
        assert_eq!(id.get_variant(), uuid::Variant::RFC4122);
        assert_eq!(id.as_u128() >> 80, 1_790_000_000_123);
        assert_ne!(id, uuid_v7(now, &CountingRandom::from(0xf1)));
        assert_eq!(uuid_v7(Timestamp::from_micros(-5), &CountingRandom::from(0)).as_u128() >> 80, 0);
    }

    #[test]
    fn later_uuids_sort_after_earlier_ones() {
        let random = SystemRandom::new();
        let ids: Vec<Uuid> = (0..50).map(|ms| uuid_v7(Timestamp::from_micros(ms * 1_000), &random)).collect();
        assert!(ids.is_sorted());
    }
}
