//! A ring by the simplest means: all points in one sorted list. What the real one has to agree with.

use shard_ring::{Error, Node, Position, Profile, Ring};

/// One thing to do to both.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Insert { name: u8, weight: u8 },
    SetWeight { name: u8, weight: u8 },
    Remove { name: u8 },
    Mark { name: u8, down: bool },
    Lookup { key: Vec<u8> },
}

/// Names that are short, alike, and full of separators.
fn name(number: u8) -> String {
    const PARTS: [&str; 8] = ["", "a", ":", "-", "0", "a:1", "a-1", "é"];
    format!("{}{}", PARTS[usize::from(number % 8)], PARTS[usize::from(number / 8 % 8)])
}

/// Does all steps to a ring and to the list, and compares what they answer.
///
/// # Panics
/// If they differ.
pub(crate) fn check(profile: Profile, steps: &[Step]) {
    let mut ring = Ring::new(profile);
    let mut nodes: Vec<(String, u32, bool)> = Vec::new();
    for step in steps {
        match step {
            Step::Insert { name: number, weight } => {
                let name = name(*number);
                let (weight, node) = (u32::from(*weight), Node::new(&*name, ()));
                let expected = if weight == 0 {
                    Err(Error::ZeroWeight((&*name).into()))
                } else if nodes.iter().any(|(other, ..)| *other == name) {
                    Err(Error::DuplicateName((&*name).into()))
                } else {
                    nodes.push((name, weight, false));
                    Ok(())
                };
                assert_eq!(ring.insert_node(node.with_weight(weight)), expected);
            }
            Step::SetWeight { name: number, weight } => {
                let name = name(*number);
                let node = nodes.iter_mut().find(|(other, ..)| *other == name);
                let expected = match node {
                    None => Err(Error::UnknownName((&*name).into())),
                    Some(_) if *weight == 0 => Err(Error::ZeroWeight((&*name).into())),
                    Some((_, old, _)) => Ok(std::mem::replace(old, u32::from(*weight))),
                };
                assert_eq!(ring.set_weight(&name, u32::from(*weight)), expected);
            }
            Step::Remove { name: number } => {
                let name = name(*number);
                let place = nodes.iter().position(|(other, ..)| *other == name);
                assert_eq!(ring.remove(&name).is_ok(), place.is_some());
                place.map(|place| nodes.remove(place));
            }
            Step::Mark { name: number, down } => {
                let name = name(*number);
                let node = nodes.iter_mut().find(|(other, ..)| *other == name);
                let expected = match node {
                    None => Err(Error::UnknownName((&*name).into())),
                    Some((.., old)) => Ok(std::mem::replace(old, *down) != *down),
                };
                let marked = if *down { ring.mark_down(&name) } else { ring.mark_up(&name) };
                assert_eq!(marked, expected);
            }
            Step::Lookup { key } => {
                let owners: Vec<&str> = ring.owners(key).map(Node::name).collect();
                assert_eq!(owners, owners_by_list(profile, &nodes, key));
                assert_eq!(ring.node(key).map(Node::name), owners.first().copied());
            }
        }
        assert!(ring.iter().map(Node::name).eq(nodes.iter().map(|(name, ..)| &**name)));
    }
}

fn owners_by_list<'n>(
    profile: Profile,
    nodes: &'n [(String, u32, bool)],
    key: &[u8],
) -> Vec<&'n str> {
    let strict = profile.name() == "md5-be128";
    let mut points: Vec<(Position, &str, bool)> = Vec::new();
    for (name, weight, down) in nodes {
        for replica in 0..profile.points().unwrap_or_default() * weight {
            let point = if strict {
                profile.position(format!("{name}:{replica}").as_bytes())
            } else {
                let seed = u64::from(replica) + 1;
                Position::from_u64(xxhash_rust::xxh3::xxh3_64_with_seed(name.as_bytes(), seed))
            };
            points.push((point, name, *down));
        }
    }
    points.sort_unstable();
    let position = profile.position(key);
    let behind =
        |point: &&(Position, &str, bool)| point.0 > position || !strict && point.0 == position;
    let first = points.iter().position(|point| behind(&point)).unwrap_or(0);
    let mut owners = Vec::new();
    for (_, name, down) in points[first..].iter().chain(&points[..first]) {
        if !down && !owners.contains(name) {
            owners.push(name);
        }
    }
    owners
}
