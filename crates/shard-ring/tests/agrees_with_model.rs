//! Whatever is done to a ring, it is what a plain sorted list of points is.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod model;

use model::{Step, check};
use proptest::collection::vec;
use proptest::prelude::*;
use shard_ring::Profile;

fn step() -> impl Strategy<Value = Step> {
    let name = || 0_u8..12;
    prop_oneof![
        3 => (name(), 0_u8..4).prop_map(|(name, weight)| Step::Insert { name, weight }),
        1 => (name(), 0_u8..4).prop_map(|(name, weight)| Step::SetWeight { name, weight }),
        1 => name().prop_map(|name| Step::Remove { name }),
        1 => (name(), any::<bool>()).prop_map(|(name, down)| Step::Mark { name, down }),
        3 => vec(any::<u8>(), 0..6).prop_map(|key| Step::Lookup { key }),
        1 => "[a:-]{0,3}:[0-3]".prop_map(|key| Step::Lookup { key: key.into_bytes() }),
    ]
}

proptest! {
    #[test]
    fn a_ring_is_a_sorted_list(native in any::<bool>(), points in 1_u32..9, steps in vec(step(), 0..60)) {
        let profile = if native { Profile::native() } else { Profile::md5() };
        check(profile.with_points(points).unwrap(), &steps);
    }
}
