//! How even a ring is, as a table and as a picture.
//!
//! ```text
//! cargo run --features plot --example picture -- ring.svg [NODE or NODE*WEIGHT ...]
//! ```

#![expect(clippy::print_stdout, reason = "an example talks to its reader")]

use std::error::Error;

use shard_ring::{Node, Profile, Ring, plot};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let file = arguments.next().ok_or("usage: picture FILE.svg [NODE or NODE*WEIGHT ...]")?;
    let mut nodes = Vec::new();
    for given in arguments {
        let (name, weight) = given.rsplit_once('*').unwrap_or((&given, "1"));
        nodes.push(Node::new(name, ()).with_weight(weight.parse()?));
    }
    if nodes.is_empty() {
        nodes.extend((1..=10).map(|number| Node::new(format!("node{number}"), ())));
    }
    let ring = Ring::with_nodes(Profile::md5(), nodes)?;
    print!("{}", ring.stats());
    if let Some(points) = ring.points_for_peak(1.1)? {
        println!("for a peak of 1.1 it takes {points} points a node");
    }
    std::fs::write(&file, plot::ring(&ring))?;
    println!("{file}");
    Ok(())
}
