//! Chooses the widest instructions that the processor has, when the program runs.
//!
//! The loop itself is plain Rust in `scan`; here it is compiled for other instructions. That makes
//! the program portable and still as fast as the machine allows: it is never built with
//! `target-cpu=native`, which made hashing fifty times slower on one of our machines.
//!
//! The only `unsafe` of the crate is in this file: what is compiled for instructions that the
//! processor lacks must not be called, and each call stands behind the question whether it has them.
//! Left to itself the compiler gathers words across blocks, at half the speed, so the few operations
//! on registers are written out.
#![expect(clippy::inline_always, reason = "what is inlined takes on the instructions of where it is inlined")]
#![allow(clippy::needless_range_loop, reason = "zipped iterators are not inlined across code units in a release")]
#![allow(unsafe_code, reason = "a call into code for optional instructions, after asking the processor for them")]

use super::scan::Scan;

/// A set of instructions that the comparison was compiled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Path {
    /// 512-bit registers that count ones (AVX-512 VPOPCNTDQ).
    Avx512,
    /// 256-bit registers (AVX2).
    Avx2,
    /// One word at a time, with the instruction that counts ones.
    Popcnt,
    /// Whatever every processor has.
    Portable,
}

impl Path {
    /// All of them, the widest first.
    pub const ALL: [Self; 4] = [Self::Avx512, Self::Avx2, Self::Popcnt, Self::Portable];

    /// The widest that this processor has.
    pub fn best() -> Self {
        Self::ALL.into_iter().find(|path| path.is_here()).unwrap_or(Self::Portable)
    }

    /// Whether this processor has it.
    pub fn is_here(self) -> bool {
        #[cfg(target_arch = "x86_64")]
        match self {
            Self::Avx512 => {
                is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512vl")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512vpopcntdq")
            }
            Self::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("popcnt"),
            Self::Popcnt => is_x86_feature_detected!("popcnt"),
            Self::Portable => true,
        }
        #[cfg(not(target_arch = "x86_64"))]
        {
            self == Self::Portable
        }
    }
}

/// Runs a scan by a path; by the portable one if the processor lacks it.
pub(super) fn run<const W: usize>(path: Path, scan: &mut Scan<'_, W>) {
    #[cfg(target_arch = "x86_64")]
    if path.is_here() {
        match path {
            // SAFETY: `is_here` has asked the processor for every feature that the function enables.
            Path::Avx512 => return unsafe { x86::avx512(scan) },
            // SAFETY: as above.
            Path::Avx2 => return unsafe { x86::avx2(scan) },
            // SAFETY: as above.
            Path::Popcnt => return unsafe { x86::popcnt(scan) },
            Path::Portable => {}
        }
    }
    let _ = path;
    scan.run::<Everywhere>();
}

/// What counts where nothing is known of the processor.
#[cfg(target_arch = "x86_64")]
type Everywhere = super::plain::Plain;
/// Every 64-bit ARM counts ones, eight bytes at a time.
#[cfg(not(target_arch = "x86_64"))]
type Everywhere = [u64; super::blocks::LANES];

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{
        __m256i, __m512i, _mm256_add_epi8, _mm256_add_epi64, _mm256_and_si256, _mm256_loadu_si256, _mm256_sad_epu8,
        _mm256_set1_epi8, _mm256_set1_epi64x, _mm256_setr_epi8, _mm256_setzero_si256, _mm256_shuffle_epi8,
        _mm256_srli_epi16, _mm256_storeu_si256, _mm512_add_epi64, _mm512_and_si512, _mm512_cmpge_epu64_mask,
        _mm512_loadu_si512, _mm512_min_epu64, _mm512_popcnt_epi64, _mm512_set1_epi64, _mm512_setzero_si512,
        _mm512_storeu_si512,
    };

    use super::super::blocks::LANES;
    use super::super::scan::{Lanes, Scan};

    #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx512vpopcntdq,popcnt")]
    pub(super) fn avx512<const W: usize>(scan: &mut Scan<'_, W>) {
        scan.run::<Wide>();
    }

    #[target_feature(enable = "avx2,popcnt")]
    pub(super) fn avx2<const W: usize>(scan: &mut Scan<'_, W>) {
        scan.run::<Half>();
    }

    #[target_feature(enable = "popcnt")]
    pub(super) fn popcnt<const W: usize>(scan: &mut Scan<'_, W>) {
        scan.run::<[u64; LANES]>();
    }

    /// Eight sums in one register. Made by [`avx512`] alone, and so only where the processor has
    /// what its methods use.
    #[derive(Clone, Copy)]
    struct Wide(__m512i);

    // SAFETY of every block below: the methods are inlined into `avx512`, which runs only after the
    // processor was asked for the features; loads and stores are of whole arrays of 64 bytes, and
    // need no alignment.
    impl Lanes for Wide {
        #[inline(always)]
        fn zero() -> Self {
            Self(unsafe { _mm512_setzero_si512() })
        }

        #[inline(always)]
        fn add_common(self, row: &[u64], block: &[[u64; LANES]]) -> Self {
            let mut sums = self.0;
            for at in 0..row.len().min(block.len()) {
                unsafe {
                    let lanes = _mm512_loadu_si512(block[at].as_ptr().cast());
                    let common = _mm512_and_si512(lanes, _mm512_set1_epi64(row[at].cast_signed()));
                    sums = _mm512_add_epi64(sums, _mm512_popcnt_epi64(common));
                }
            }
            Self(sums)
        }

        #[inline(always)]
        fn can_reach(self, row_beyond: u64, block_beyond: &[u64; LANES], least: u64) -> bool {
            unsafe {
                let beyond = _mm512_loadu_si512(block_beyond.as_ptr().cast());
                let beyond = _mm512_min_epu64(beyond, _mm512_set1_epi64(row_beyond.cast_signed()));
                let most = _mm512_add_epi64(self.0, beyond);
                _mm512_cmpge_epu64_mask(most, _mm512_set1_epi64(least.cast_signed())) != 0
            }
        }

        #[inline(always)]
        fn to_array(self) -> [u64; LANES] {
            let mut sums = [0; LANES];
            unsafe { _mm512_storeu_si512(sums.as_mut_ptr().cast(), self.0) };
            sums
        }
    }

    /// Eight sums in two registers. Made by [`avx2`] alone.
    #[derive(Clone, Copy)]
    struct Half([__m256i; 2]);

    // SAFETY of every block below: as for `Wide`, with `avx2` and arrays of 32 bytes.
    impl Lanes for Half {
        #[inline(always)]
        fn zero() -> Self {
            Self([unsafe { _mm256_setzero_si256() }; 2])
        }

        /// Counts ones by looking up each half byte.
        ///
        /// Source: W. Mula, N. Kurz and D. Lemire, "Faster Population Counts Using AVX2
        /// Instructions" (The Computer Journal 61, 2018). Bytes are added up as bytes, which holds
        /// for 31 words of 8 ones, and to words of 64 bits at the end.
        #[inline(always)]
        fn add_common(self, row: &[u64], block: &[[u64; LANES]]) -> Self {
            unsafe {
                let ones_of = _mm256_setr_epi8(
                    0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4, 0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4,
                );
                let low_half = _mm256_set1_epi8(15);
                let mut bytes = [_mm256_setzero_si256(); 2];
                for at in 0..row.len().min(block.len()) {
                    let word = _mm256_set1_epi64x(row[at].cast_signed());
                    for half in 0..2 {
                        let lanes = _mm256_loadu_si256(block[at][half * 4..half * 4 + 4].as_ptr().cast());
                        let common = _mm256_and_si256(lanes, word);
                        let low = _mm256_and_si256(common, low_half);
                        let high = _mm256_and_si256(_mm256_srli_epi16::<4>(common), low_half);
                        let ones =
                            _mm256_add_epi8(_mm256_shuffle_epi8(ones_of, low), _mm256_shuffle_epi8(ones_of, high));
                        bytes[half] = _mm256_add_epi8(bytes[half], ones);
                    }
                }
                let add = |sums, bytes| _mm256_add_epi64(sums, _mm256_sad_epu8(bytes, _mm256_setzero_si256()));
                Self([add(self.0[0], bytes[0]), add(self.0[1], bytes[1])])
            }
        }

        #[inline(always)]
        fn can_reach(self, row_beyond: u64, block_beyond: &[u64; LANES], least: u64) -> bool {
            self.to_array().can_reach(row_beyond, block_beyond, least)
        }

        #[inline(always)]
        fn to_array(self) -> [u64; LANES] {
            let mut sums = [[0; LANES / 2]; 2];
            for half in 0..2 {
                unsafe { _mm256_storeu_si256(sums[half].as_mut_ptr().cast(), self.0[half]) };
            }
            std::array::from_fn(|lane| sums[lane / (LANES / 2)][lane % (LANES / 2)])
        }
    }
}
