//! A vector in signed bytes: its direction only, which is all that likeness asks for.

use zeroize::Zeroizing;

/// Larger vectors are of no model that is known.
pub const DIMENSIONS_MAX: usize = 4096;

/// A direction, each number in -127 to 127. Wiped on drop.
#[derive(Clone, PartialEq, Eq)]
pub struct Vector(Zeroizing<Vec<i8>>);

impl std::fmt::Debug for Vector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Vector({})", self.0.len())
    }
}

impl Vector {
    /// The direction of a vector; none if it has none.
    pub fn of(numbers: &[f32]) -> Option<Vector> {
        let largest = numbers.iter().fold(0f32, |most, n| most.max(n.abs()));
        // A NaN is passed over by `max`, and would count as zero below.
        let whole = numbers.iter().all(|n| n.is_finite());
        if !whole || largest <= 0.0 || numbers.len() > DIMENSIONS_MAX {
            return None;
        }
        let to_byte = |n: &f32| (f64::from(*n) / f64::from(largest) * 127.0).round() as i8;
        Some(Vector(Zeroizing::new(
            numbers.iter().map(to_byte).collect(),
        )))
    }

    pub fn dimensions(&self) -> usize {
        self.0.len()
    }

    /// Its row in a file.
    pub fn bytes(&self) -> impl Iterator<Item = u8> {
        self.0.iter().map(|n| n.cast_unsigned())
    }

    /// The cosine of the angle to a row; none if the row says nothing.
    pub fn to_row(&self, row: &[u8]) -> Option<f32> {
        cosine(&self.0, row)
    }
}

/// The cosine of the angle between a vector and a row of as many bytes; in whole numbers up to the
/// last step, so that it is the same on every machine.
pub fn cosine(vector: &[i8], row: &[u8]) -> Option<f32> {
    let (mut dot, mut own, mut other) = (0i32, 0i32, 0i32);
    for (a, b) in vector.iter().zip(row) {
        let (a, b) = (i32::from(*a), i32::from(b.cast_signed()));
        dot += a * b;
        own += a * a;
        other += b * b;
    }
    let norms = f64::from(own) * f64::from(other);
    (norms > 0.0 && vector.len() == row.len()).then(|| (f64::from(dot) / norms.sqrt()) as f32)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_row_of_zeros_or_of_another_length_is_like_nothing() {
        let vector = Vector::of(&[0.5, -1.0]).unwrap();
        assert_eq!(vector.bytes().collect::<Vec<_>>(), [64, 129]);
        assert_eq!(vector.to_row(&[0, 0]), None);
        assert_eq!(vector.to_row(&[64]), None);
        assert_eq!(vector.to_row(&[64, 129]), Some(1.0));
        assert_eq!(format!("{vector:?}"), "Vector(2)");
    }

    proptest! {
        #[test]
        fn bytes_keep_the_angle(a in prop::collection::vec(-1f32..1.0, 64),
                                b in prop::collection::vec(-1f32..1.0, 64)) {
            let (Some(x), Some(y)) = (Vector::of(&a), Vector::of(&b)) else {
                return Ok(());
            };
            let row: Vec<u8> = y.bytes().collect();
            let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
            let exact = dot(&a, &b) / (dot(&a, &a) * dot(&b, &b)).sqrt();
            prop_assert!((x.to_row(&row).unwrap() - exact).abs() < 0.02);
        }
    }
}
