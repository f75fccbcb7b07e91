//! The commands of a developer of this workspace.

fn main() {}
