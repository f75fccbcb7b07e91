//! Keys, and the order in which they are asked for.

/// Numbers that look random and are the same in every run.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// SplitMix64.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 to 1, without 1.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// Keys of 16 bytes.
pub(crate) fn names(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("key:{n:012}")).collect()
}

/// The same keys in another order.
pub(crate) fn shuffled(count: usize, seed: u64) -> Vec<usize> {
    let mut random = Random::new(seed);
    let mut order: Vec<usize> = (0..count).collect();
    for at in (1..count).rev() {
        order.swap(at, (random.next() % (at as u64 + 1)) as usize);
    }
    order
}

/// Draws from a Zipf distribution: key `k` (from 0) is drawn in proportion to `1 / (k + 1)^exponent`.
/// Popular keys do not stand beside each other.
pub(crate) fn zipf(keys: usize, exponent: f64, draws: usize, seed: u64) -> Vec<u32> {
    let mut sum = 0.0;
    let cumulated: Vec<f64> = (1..=keys)
        .map(|rank| {
            sum += (rank as f64).powf(-exponent);
            sum
        })
        .collect();
    let places = shuffled(keys, 7);
    let mut random = Random::new(seed);
    (0..draws)
        .map(|_| {
            let at = random.unit() * sum;
            places[cumulated.partition_point(|&upto| upto <= at).min(keys - 1)] as u32
        })
        .collect()
}
