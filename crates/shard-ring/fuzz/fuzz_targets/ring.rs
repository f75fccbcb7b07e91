//! Changes and lookups of any kind, against a plain sorted list of points.

#![no_main]

use arbitrary::{Arbitrary, Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use shard_ring::Profile;

#[path = "../../tests/model/mod.rs"]
mod model;

use model::Step;

#[derive(Debug)]
struct Input {
    profile: Profile,
    steps: Vec<Step>,
}

impl<'a> Arbitrary<'a> for Input {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let profile = if u.arbitrary()? { Profile::native() } else { Profile::md5() };
        let points = u.int_in_range(1..=20)?;
        let profile = profile.with_points(points).map_err(|_| arbitrary::Error::IncorrectFormat)?;
        let mut steps = Vec::new();
        while !u.is_empty() && steps.len() < 200 {
            steps.push(step(u)?);
        }
        Ok(Self { profile, steps })
    }
}

fn step(u: &mut Unstructured<'_>) -> Result<Step> {
    let name = u.int_in_range(0..=63)?;
    Ok(match u.int_in_range(0..=7)? {
        0..=2 => Step::Insert { name, weight: u.int_in_range(0..=5)? },
        3 => Step::SetWeight { name, weight: u.int_in_range(0..=5)? },
        4 => Step::Remove { name },
        5 => Step::Mark { name, down: u.arbitrary()? },
        _ => {
            let length = u.int_in_range(0..=20)?;
            Step::Lookup { key: u.bytes(length.min(u.len()))?.to_vec() }
        }
    })
}

fuzz_target!(|input: Input| model::check(input.profile, &input.steps));
