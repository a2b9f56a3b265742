//! Argon2id (RFC 9106) within bounds that hold before any of it runs.

use argon2::{Algorithm, Argon2, Block, Params, Version};
use zeroize::{Zeroize, Zeroizing};

use super::error::SealError;
use super::passphrase::Passphrase;

/// Memory, passes and lanes of Argon2id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KdfParams {
    pub m_kib: u32,
    pub t: u32,
    pub p: u32,
}

impl KdfParams {
    /// RFC 9106's second recommended option: 64 MiB, 3 passes, 4 lanes.
    pub const DEFAULT: KdfParams = KdfParams {
        m_kib: 64 * 1024,
        t: 3,
        p: 4,
    };

    /// The least that a header may ask for: 19 MiB, 2 passes, 1 lane.
    pub const LEAST: KdfParams = KdfParams {
        m_kib: 19_456,
        t: 2,
        p: 1,
    };

    /// Highest `m·t` of one slot.
    pub const WORK_MAX: u64 = 1 << 24;
    /// Highest sum of `m·t` over the passphrase slots of a header.
    pub const WORK_TOTAL_MAX: u64 = 1 << 25;

    pub fn work(&self) -> u64 {
        u64::from(self.m_kib) * u64::from(self.t)
    }

    /// Holds the numbers of slot `slot` to the bounds of the format.
    pub fn check(&self, slot: usize) -> Result<(), SealError> {
        let KdfParams { m_kib, t, p } = *self;
        if !(19_456..=1_048_576).contains(&m_kib) {
            return Err(SealError::KdfMemory { slot, m_kib });
        }
        let t_min = if m_kib >= 47_104 { 1 } else { 2 };
        if !(t_min..=64).contains(&t) {
            return Err(SealError::KdfPasses { slot, t });
        }
        if !(1..=8).contains(&p) {
            return Err(SealError::KdfLanes { slot, p });
        }
        if self.work() > Self::WORK_MAX {
            return Err(SealError::KdfWork { slot });
        }
        Ok(())
    }

    /// The slot's input key material. Needs `m_kib` of memory, which is wiped afterwards.
    pub(super) fn derive(
        &self,
        passphrase: &Passphrase,
        salt: &[u8; 32],
    ) -> Result<Zeroizing<[u8; 32]>, SealError> {
        let params = Params::new(self.m_kib, self.t, self.p, Some(32))
            .expect("the bounds above lie within the crate's");
        let count = params.block_count();
        let needed_kib = u64::from(self.m_kib);
        let mut blocks: Vec<Block> = Vec::new();
        blocks
            .try_reserve_exact(count)
            .map_err(|_| SealError::KdfAllocation { needed_kib })?;
        blocks.resize(count, Block::default());
        let mut out = Zeroizing::new([0; 32]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into_with_memory(
                passphrase.bytes(),
                salt,
                out.as_mut_slice(),
                &mut blocks,
            )
            .expect("a passphrase is shorter than 4 GiB, and the memory fits the parameters");
        blocks.zeroize();
        Ok(out)
    }

    /// Raises the passes from `self.t` until one derivation takes about `target`, as timed by
    /// `measure` on a derivation of `self`.
    pub fn calibrated(self, target: std::time::Duration) -> Result<KdfParams, SealError> {
        let probe = Passphrase::new(Zeroizing::new("calibration".to_owned()))?;
        let start = std::time::Instant::now();
        self.derive(&probe, &[0; 32])?;
        let once = start.elapsed().max(std::time::Duration::from_millis(1));
        let wanted = u128::from(self.t) * target.as_millis() / once.as_millis().max(1);
        let most = (Self::WORK_MAX / u64::from(self.m_kib)).min(64);
        let t = wanted.clamp(u128::from(self.t), u128::from(most)) as u32;
        Ok(KdfParams { t, ..self })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bound_has_its_own_error() {
        let at = |m_kib, t, p| KdfParams { m_kib, t, p }.check(3);
        assert_eq!(at(19_456, 2, 1), Ok(()));
        assert_eq!(at(1_048_576, 16, 8), Ok(()));
        assert_eq!(at(47_104, 1, 1), Ok(()));
        assert_eq!(
            at(19_455, 2, 1),
            Err(SealError::KdfMemory {
                slot: 3,
                m_kib: 19_455
            })
        );
        assert_eq!(
            at(1_048_577, 2, 1),
            Err(SealError::KdfMemory {
                slot: 3,
                m_kib: 1_048_577
            })
        );
        assert_eq!(
            at(19_456, 1, 1),
            Err(SealError::KdfPasses { slot: 3, t: 1 })
        );
        assert_eq!(
            at(47_103, 1, 1),
            Err(SealError::KdfPasses { slot: 3, t: 1 })
        );
        assert_eq!(
            at(19_456, 65, 1),
            Err(SealError::KdfPasses { slot: 3, t: 65 })
        );
        assert_eq!(at(19_456, 2, 0), Err(SealError::KdfLanes { slot: 3, p: 0 }));
        assert_eq!(at(19_456, 2, 9), Err(SealError::KdfLanes { slot: 3, p: 9 }));
        assert_eq!(at(1_048_576, 17, 1), Err(SealError::KdfWork { slot: 3 }));
    }
}
