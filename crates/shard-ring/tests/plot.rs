//! Pictures of rings that are hard to draw.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![cfg(feature = "plot")]

use shard_ring::{Error, Node, Profile, Ring, plot};

fn ring(names: &[&str]) -> Ring<()> {
    Ring::with_nodes(Profile::native(), names.iter().map(|name| (*name, ()))).unwrap()
}

fn assert_sound(picture: &str) {
    assert!(picture.starts_with("<svg") && picture.ends_with("</svg>\n"));
    assert!(!picture.contains("NaN") && !picture.contains("inf"), "{picture}");
    assert_eq!(picture.matches("<text").count(), picture.matches("</text>").count());
}

#[test]
fn every_ring_has_a_picture() {
    assert_sound(&plot::ring(&ring(&[])));
    assert_sound(&plot::ring(&ring(&["alone"])));
    assert_sound(&plot::ring(&ring(&["<&>\"'", "\u{0}\n", "日本語", &"x".repeat(500)])));
    let many = (0..1_000).map(|at| Node::new(format!("node{at}"), ()).with_weight(1 + at % 3));
    let many = plot::ring(&Ring::with_nodes(Profile::native(), many).unwrap());
    assert_sound(&many);
    assert!(many.len() < 1 << 20, "{} bytes", many.len());
}

#[test]
fn every_plan_has_a_picture() {
    let (two, three) = (ring(&["a", "b"]), ring(&["a", "b", "c"]));
    assert_sound(&plot::plan(&two, &three).unwrap());
    assert_sound(&plot::plan(&two, &two).unwrap());
    assert_sound(&plot::plan(&ring(&["a"]), &ring(&["b"])).unwrap());
    assert_eq!(plot::plan(&two, &ring(&[])), Err(Error::Empty));
    let other = Ring::with_nodes(Profile::md5(), [("a", ())]).unwrap();
    assert_eq!(plot::plan(&two, &other), Err(Error::DifferentProfiles));
}
