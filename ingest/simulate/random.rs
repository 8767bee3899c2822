//! Chance that can be repeated: every source is derived from the seed and from the name of what it
//! is for, so that one thing's chance does not depend on how many others there are.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sha2::Digest;

pub(super) type Source = ChaCha8Rng;

/// The source of chance of `purpose`.
pub(super) fn source(seed: u64, purpose: &str) -> Source {
    let mut hasher = sha2::Sha256::new();
    hasher.update(seed.to_le_bytes());
    hasher.update(purpose.as_bytes());
    ChaCha8Rng::from_seed(hasher.finalize().into())
}

/// One of `choices`, each as often as its weight says.
pub(super) fn weighted<T: Copy>(source: &mut impl Rng, choices: &[(T, f64)]) -> T {
    let total: f64 = choices.iter().map(|(_, weight)| weight).sum();
    let mut rest = source.random::<f64>() * total;
    for &(choice, weight) in choices {
        if rest < weight {
            return choice;
        }
        rest -= weight;
    }
    choices[choices.len() - 1].0
}

/// About normally distributed (the sum of four uniform numbers), mean 0 and deviation 1, never
/// beyond 3.5: no letter lands on the next page.
pub(super) fn bell(source: &mut impl Rng) -> f64 {
    let sum: f64 = (0..4).map(|_| source.random::<f64>()).sum();
    (sum - 2.0) * 3f64.sqrt()
}
