//! Chooses the widest instructions that the processor has, when the program runs.
//!
//! The loop itself is plain Rust; each function here only compiles it for other instructions. That
//! makes the whole program portable and still as fast as the machine allows: it is never built with
//! `target-cpu=native`, which made hashing fifty times slower on one of our machines.
//!
//! The calls below are the only `unsafe` of the crate: a function that is compiled for instructions
//! that the processor lacks must not be called. Each call stands behind the question whether it has
//! them.
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
    scan.run();
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::Scan;

    #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx512vpopcntdq,popcnt")]
    pub(super) fn avx512<const W: usize>(scan: &mut Scan<'_, W>) {
        scan.run();
    }

    #[target_feature(enable = "avx2,popcnt")]
    pub(super) fn avx2<const W: usize>(scan: &mut Scan<'_, W>) {
        scan.run();
    }

    #[target_feature(enable = "popcnt")]
    pub(super) fn popcnt<const W: usize>(scan: &mut Scan<'_, W>) {
        scan.run();
    }
}
