//! The recovery code: 160 random bits for paper, in Crockford's base 32 with a checksum.
//!
//! 32 digits of the secret and 4 check digits (the first 20 bits of SHA-256 of the secret), in
//! nine groups of four: `K7QD-…`. `I`, `L` and `O` are read as 1, 1 and 0; case and separators do
//! not matter (<https://www.crockford.com/base32.html>).

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::error::SealError;
use super::keys::Random;

const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const SECRET_BYTES: usize = 20;

/// The secret of a recovery slot; wiped on drop.
pub struct RecoveryCode(Zeroizing<[u8; SECRET_BYTES]>);

impl RecoveryCode {
    #[cfg(test)]
    pub(super) fn of(secret: [u8; SECRET_BYTES]) -> Self {
        RecoveryCode(Zeroizing::new(secret))
    }

    pub fn draw() -> Result<Self, SealError> {
        Ok(RecoveryCode(Zeroizing::new(Random::bytes()?)))
    }

    /// Whether both are the same code.
    pub fn same_as(&self, other: &RecoveryCode) -> bool {
        subtle::ConstantTimeEq::ct_eq(self.0.as_slice(), other.0.as_slice()).into()
    }

    pub(super) fn bytes(&self) -> &[u8; SECRET_BYTES] {
        &self.0
    }

    fn check_bits(&self) -> u32 {
        let digest = Sha256::digest(self.0.as_slice());
        u32::from_be_bytes([0, digest[0], digest[1], digest[2]]) >> 4
    }

    /// The text to write down.
    pub fn text(&self) -> Zeroizing<String> {
        let mut out = Zeroizing::new(String::with_capacity(44));
        let digit = |bits: u64| char::from(DIGITS[(bits & 31) as usize]);
        let groups = self.0.chunks_exact(5).flat_map(|five| {
            let bits = five
                .iter()
                .fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
            [bits >> 20, bits & 0xf_ffff]
        });
        for group in groups.chain([u64::from(self.check_bits())]) {
            if !out.is_empty() {
                out.push('-');
            }
            for shift in [15, 10, 5, 0] {
                out.push(digit(group >> shift));
            }
        }
        out
    }

    /// Reads what a person typed.
    pub fn parse(text: &str) -> Result<Self, SealError> {
        let mut digits = Zeroizing::new(Vec::with_capacity(36));
        for c in text.chars().filter(|c| !c.is_whitespace() && *c != '-') {
            let upper = match c.to_ascii_uppercase() {
                'I' | 'L' => '1',
                'O' => '0',
                other => other,
            };
            let value = DIGITS.iter().position(|d| char::from(*d) == upper);
            digits.push(value.ok_or(SealError::RecoveryCode)? as u64);
        }
        if digits.len() != 36 {
            return Err(SealError::RecoveryCode);
        }
        let mut secret = Zeroizing::new([0; SECRET_BYTES]);
        for (eight, five) in digits[..32].chunks_exact(8).zip(secret.chunks_exact_mut(5)) {
            let bits = eight.iter().fold(0_u64, |bits, digit| bits << 5 | digit);
            five.copy_from_slice(&bits.to_be_bytes()[3..]);
        }
        let check = digits[32..]
            .iter()
            .fold(0_u64, |bits, digit| bits << 5 | digit);
        let code = RecoveryCode(secret);
        if u64::from(code.check_bits()) == check {
            Ok(code)
        } else {
            Err(SealError::RecoveryCode)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_back_also_as_people_write_it() {
        let code = RecoveryCode(Zeroizing::new(std::array::from_fn(|i| (i * 37 + 5) as u8)));
        let text = code.text();
        assert_eq!(text.len(), 44);
        let sloppy = text
            .to_lowercase()
            .replace('-', " ")
            .replace('1', "l")
            .replace('0', "o");
        for form in [text.as_str(), &sloppy, &format!(" {} ", text.as_str())] {
            assert_eq!(RecoveryCode::parse(form).unwrap().bytes(), code.bytes());
        }
    }

    #[test]
    fn every_single_wrong_digit_of_a_sample_is_noticed() {
        let code = RecoveryCode(Zeroizing::new([0xa7; SECRET_BYTES]));
        let text = code.text();
        for at in (0..text.len()).filter(|at| text.as_bytes()[*at] != b'-') {
            let mut wrong = text.as_bytes().to_vec();
            wrong[at] = if wrong[at] == b'Z' { b'Y' } else { b'Z' };
            assert!(RecoveryCode::parse(std::str::from_utf8(&wrong).unwrap()).is_err());
        }
        assert!(RecoveryCode::parse(&text[..43]).is_err());
        assert!(RecoveryCode::parse("U").is_err());
    }
}
