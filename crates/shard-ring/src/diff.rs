//! What moves when one ring follows another.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::fmt;

use crate::arcs::Range;
use crate::{Error, Node, Position, Ring};

/// A range that gets another owner.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Move<'r> {
    /// Where the keys lie.
    pub range: Range,
    /// Who owned them.
    pub from: &'r str,
    /// Who owns them now.
    pub to: &'r str,
}

/// Everything that moves from one ring to another. Made by [`Ring::diff`].
///
/// Its [`Display`](fmt::Display) is a table of who gives how much to whom.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan<'r> {
    moves: Vec<Move<'r>>,
    nodes: (usize, usize),
}

impl<N> Ring<N> {
    /// What moves when `new` takes the place of this ring: exact ranges, each with its old and its
    /// new owner. Neighbouring ranges that go the same way are one. Marks have no part in it.
    ///
    /// A key moves if its [position](crate::Position) is in one of them; a store that can list
    /// its keys knows what to copy.
    ///
    /// # Errors
    /// [`Error::DifferentProfiles`] if the rings hash keys differently or have other points per node,
    /// and [`Error::Empty`] if one of them has no node.
    ///
    /// ```
    /// use shard_ring::{Profile, Ring};
    ///
    /// let old = Ring::with_nodes(Profile::native(), [("a", ()), ("b", ())])?;
    /// let mut new = old.clone();
    /// new.insert("c", ())?;
    ///
    /// let plan = old.diff(&new)?;
    /// assert!(plan.moves().iter().all(|step| step.to == "c"));
    /// assert!((0.2..0.5).contains(&plan.share()), "about a third");
    /// # Ok::<(), shard_ring::Error>(())
    /// ```
    pub fn diff<'r, M>(&'r self, new: &'r Ring<M>) -> Result<Plan<'r>, Error> {
        if self.profile() != new.profile() {
            return Err(Error::DifferentProfiles);
        }
        if self.points().len() == 0 || new.points().len() == 0 {
            return Err(Error::Empty);
        }
        // The names in the new ring of the old ring's numbers, so that numbers are compared.
        let renamed: Vec<Option<usize>> = self.iter().map(|node| new.number(node.name())).collect();
        let mut moves: Vec<Move<'r>> = Vec::new();
        let mut first = 0;
        let (mut old_arcs, mut new_arcs) = (self.arcs().into_iter(), new.arcs().into_iter());
        let (mut from, mut to) = (old_arcs.next(), new_arcs.next());
        while let (Some(old_arc), Some(new_arc)) = (from, to) {
            let last = old_arc.last.min(new_arc.last);
            if renamed[old_arc.node as usize] != Some(new_arc.node as usize) {
                let range = Range { first: Position::new(first), last: Position::new(last) };
                push(&mut moves, range, self.name(old_arc.node), new.name(new_arc.node));
            }
            first = last.wrapping_add(1);
            if old_arc.last == last {
                from = old_arcs.next();
            }
            if new_arc.last == last {
                to = new_arcs.next();
            }
        }
        Ok(Plan { moves, nodes: (self.len(), new.len()) })
    }
}

fn push<'r>(moves: &mut Vec<Move<'r>>, range: Range, from: &'r str, to: &'r str) {
    if let Some(before) = moves.last_mut()
        && (before.from, before.to) == (from, to)
        && before.range.last.bits().wrapping_add(1) == range.first.bits()
    {
        before.range.last = range.last;
        return;
    }
    moves.push(Move { range, from, to });
}

impl<'r> Plan<'r> {
    /// The moves, in the order of the circle. Their ranges do not overlap.
    #[must_use]
    pub fn moves(&self) -> &[Move<'r>] {
        &self.moves
    }

    /// The move that takes along what lies at this place.
    #[must_use]
    pub fn at(&self, position: Position) -> Option<&Move<'r>> {
        let at = self.moves.partition_point(|step| step.range.last < position);
        self.moves.get(at).filter(|step| step.range.contains(position))
    }

    /// The part of all keys that moves, from 0 to 1.
    #[must_use]
    pub fn share(&self) -> f64 {
        self.moves.iter().map(|step| step.range.share()).sum()
    }

    /// How much goes from whom to whom, in the order of the names.
    #[must_use]
    pub fn totals(&self) -> Vec<(&'r str, &'r str, f64)> {
        let mut totals = BTreeMap::new();
        for step in &self.moves {
            *totals.entry((step.from, step.to)).or_insert(0.0) += step.range.share();
        }
        totals.into_iter().map(|((from, to), share)| (from, to, share)).collect()
    }
}

impl fmt::Display for Plan<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let totals = self.totals();
        let width = |name: fn(&(&str, &str, f64)) -> usize| {
            totals.iter().map(name).max().unwrap_or_default().max(4)
        };
        let from_width = width(|(from, _, _)| from.chars().count());
        let to_width = width(|(_, to, _)| to.chars().count());
        writeln!(
            f,
            "{} -> {} nodes, {} ranges, {:.2} % of all keys move",
            self.nodes.0,
            self.nodes.1,
            self.moves.len(),
            self.share() * 100.0
        )?;
        writeln!(f, "{:from_width$}    {:to_width$}  share of all keys", "from", "to")?;
        for (from, to, share) in &totals {
            writeln!(f, "{from:from_width$} -> {to:to_width$}  {:7.3} %", share * 100.0)?;
        }
        Ok(())
    }
}

/// Who owns a key while one ring follows another. Made by [`owners_during`].
#[derive(Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct During<'r, N> {
    /// Whom to read first, and to write: the owner in the new ring.
    pub new: Option<&'r Node<N>>,
    /// Whom to read if the new owner does not have it yet: the owner in the old ring, if that is
    /// another.
    pub old: Option<&'r Node<N>>,
}

/// Who owns a key while `new` takes the place of `old`: read the new owner, then the old one; write
/// the new one.
///
/// ```
/// use shard_ring::{Profile, Ring, owners_during};
///
/// let old = Ring::with_nodes(Profile::native(), [("a", ())])?;
/// let new = Ring::with_nodes(Profile::native(), [("b", ())])?;
/// let during = owners_during(&old, &new, "key");
/// assert_eq!(during.new.map(|node| node.name()), Some("b"));
/// assert_eq!(during.old.map(|node| node.name()), Some("a"));
/// assert!(owners_during(&new, &new, "key").old.is_none());
/// # Ok::<(), shard_ring::Error>(())
/// ```
pub fn owners_during<'r, N, K: AsRef<[u8]> + ?Sized>(
    old: &'r Ring<N>,
    new: &'r Ring<N>,
    key: &K,
) -> During<'r, N> {
    let (before, now) = (old.node(key), new.node(key));
    let same = before.map(Node::name) == now.map(Node::name);
    During { new: now, old: before.filter(|_| !same) }
}
