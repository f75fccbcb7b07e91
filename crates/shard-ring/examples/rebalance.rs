//! What moves between two sets of nodes, as a table and as a picture.
//!
//! ```text
//! cargo run --features plot --example rebalance -- a,b,c a,b,c,d plan.svg
//! ```
//!
//! Nodes are `name` or `name*weight`. `--ranges` lists the ranges, one a line, between tabs: first
//! place, last place, from whom, to whom.

#![expect(clippy::print_stdout, reason = "an example talks to its reader")]

use std::error::Error;

use shard_ring::{Node, Profile, Ring, plot};

const USAGE: &str = "usage: rebalance [--ranges] OLD,NODES NEW,NODES [FILE.svg]";

fn main() -> Result<(), Box<dyn Error>> {
    let (options, arguments): (Vec<_>, Vec<_>) =
        std::env::args().skip(1).partition(|argument| argument.starts_with("--"));
    let (old, new, file) = match &arguments[..] {
        [old, new] => (ring(old)?, ring(new)?, None),
        [old, new, file] => (ring(old)?, ring(new)?, Some(file)),
        _ => return Err(USAGE.into()),
    };
    let plan = old.diff(&new)?;
    match &options[..] {
        [] => print!("{plan}"),
        [ranges] if ranges == "--ranges" => {
            for step in plan.moves() {
                println!("{}\t{}\t{}\t{}", step.range.first, step.range.last, step.from, step.to);
            }
        }
        _ => return Err(USAGE.into()),
    }
    if let Some(file) = file {
        std::fs::write(file, plot::plan(&old, &new)?)?;
    }
    Ok(())
}

fn ring(nodes: &str) -> Result<Ring<()>, Box<dyn Error>> {
    let mut ring = Ring::new(Profile::native());
    for given in nodes.split(',') {
        let (name, weight) = given.rsplit_once('*').unwrap_or((given, "1"));
        ring.insert_node(Node::new(name, ()).with_weight(weight.parse()?))?;
    }
    Ok(ring)
}
