//! Changes of the membership, each as a whole or not at all.

#![expect(
    clippy::cast_possible_truncation,
    reason = "the number of nodes is checked to fit 32 bits"
)]

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::{Member, Ring};
use crate::point::{Entry, Points};
use crate::profile::Crowd;
use crate::state::State;
use crate::{Error, Node, Position};

impl<N> Ring<N> {
    /// Adds a node of weight 1. Keys move to it, and between no others.
    ///
    /// # Errors
    /// As [`insert_node`](Ring::insert_node).
    pub fn insert(&mut self, name: impl Into<Arc<str>>, payload: N) -> Result<(), Error> {
        self.insert_node(Node::new(name, payload))
    }

    /// Adds a node. Keys move to it, and between no others (but for ketama).
    ///
    /// # Errors
    /// [`Error::DuplicateName`], [`Error::ZeroWeight`], [`Error::BadAddress`] for a ketama that
    /// hashes addresses, and [`Error::TooLarge`].
    pub fn insert_node(&mut self, node: Node<N>) -> Result<(), Error> {
        if self.profile.depends_on_crowd() {
            return self.extend([node]);
        }
        self.check(&node)?;
        let Err(place) = self.place(node.name()) else {
            return Err(Error::DuplicateName(node.name().into()));
        };
        let crowd = self.crowd.with(node.weight());
        self.check_size(&crowd, self.added(&node))?;
        let number = self.members.len() as u32;
        self.insert_points(node.name(), node.weight(), number);
        self.by_name.insert(place, number);
        self.push(node);
        self.crowd = crowd;
        self.placed += 1;
        self.epoch += 1;
        Ok(())
    }

    /// Adds all of these nodes, or none.
    ///
    /// # Errors
    /// As [`insert_node`](Ring::insert_node); two of them with one name are a duplicate, too.
    ///
    /// ```
    /// use shard_ring::{Node, Profile, Ring};
    ///
    /// let mut ring = Ring::new(Profile::native());
    /// ring.extend([Node::new("a", 1).with_weight(3), Node::new("b", 2)])?;
    /// assert!(ring.extend([("c", 3), ("a", 4)]).is_err());
    /// assert!(!ring.contains("c"));
    /// # Ok::<(), shard_ring::Error>(())
    /// ```
    pub fn extend<I>(&mut self, nodes: I) -> Result<(), Error>
    where
        I: IntoIterator,
        I::Item: Into<Node<N>>,
    {
        let nodes: Vec<Node<N>> = nodes.into_iter().map(Into::into).collect();
        if nodes.is_empty() {
            return Ok(());
        }
        let mut names: Vec<&str> = nodes.iter().map(Node::name).collect();
        names.sort_unstable();
        if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(Error::DuplicateName(twice[0].into()));
        }
        let mut crowd = self.crowd;
        let mut added: u64 = 0;
        for node in &nodes {
            self.check(node)?;
            if self.contains(node.name()) {
                return Err(Error::DuplicateName(node.name().into()));
            }
            crowd = crowd.with(node.weight());
            added = added.saturating_add(self.added(node));
        }
        self.check_size(&crowd, added)?;

        let first_new = self.members.len();
        nodes.into_iter().for_each(|node| self.push(node));
        self.by_name.extend(first_new as u32..self.members.len() as u32);
        let members = &self.members;
        self.by_name.sort_unstable_by_key(|number| members[*number as usize].node.name());
        self.crowd = crowd;
        let first = if self.profile.depends_on_crowd() { 0 } else { first_new };
        self.place_points(first);
        self.epoch += 1;
        Ok(())
    }

    /// Removes a node. Its keys move to others, and no others do (but for ketama).
    ///
    /// # Errors
    /// [`Error::UnknownName`].
    pub fn remove(&mut self, name: &str) -> Result<Node<N>, Error> {
        let place = self.place(name).map_err(|_| Error::UnknownName(name.into()))?;
        let number = self.by_name.remove(place);
        for other in &mut self.by_name {
            *other -= u32::from(*other > number);
        }
        if !self.profile.depends_on_crowd() {
            self.remove_points(number);
            self.points.close_gap(number);
            self.placed -= 1;
        }
        let member = self.members.remove(number as usize);
        self.crowd = Crowd::of(&self.members);
        if self.profile.depends_on_crowd() {
            self.place_points(0);
        }
        self.epoch += 1;
        Ok(member.node)
    }

    /// Gives a node another weight. Keys move to it or from it, and between no others (but for
    /// ketama). Answers the weight that it had.
    ///
    /// # Errors
    /// [`Error::UnknownName`], [`Error::ZeroWeight`], and [`Error::TooLarge`].
    pub fn set_weight(&mut self, name: &str, weight: u32) -> Result<u32, Error> {
        let number = self.number(name).ok_or_else(|| Error::UnknownName(name.into()))?;
        if weight == 0 {
            return Err(Error::ZeroWeight(name.into()));
        }
        let old = self.members[number].node.weight();
        let others = self.members.iter().enumerate().filter(|(other, _)| *other != number);
        let crowd = others
            .fold(Crowd::default(), |crowd, (_, member)| crowd.with(member.node.weight()))
            .with(weight);
        let added = self.profile.count(weight, &crowd);
        let kept = self.points.len() as u64 - self.profile.count(old, &self.crowd);
        check_points(kept.saturating_add(added))?;

        if !self.profile.depends_on_crowd() {
            self.remove_points(number as u32);
        }
        self.members[number].node.set_weight(weight);
        self.crowd = crowd;
        if self.profile.depends_on_crowd() {
            self.place_points(0);
        } else {
            let name = self.members[number].node.name_arc().clone();
            self.insert_points(&name, weight, number as u32);
        }
        self.epoch += 1;
        Ok(old)
    }

    fn check(&self, node: &Node<N>) -> Result<(), Error> {
        if node.weight() == 0 {
            return Err(Error::ZeroWeight(node.name().into()));
        }
        self.profile.check_name(node.name())
    }

    /// How many points a node will have, as far as that is known before the others are.
    fn added(&self, node: &Node<N>) -> u64 {
        if self.profile.depends_on_crowd() {
            160
        } else {
            self.profile.count(node.weight(), &self.crowd)
        }
    }

    fn check_size(&self, crowd: &Crowd, added: u64) -> Result<(), Error> {
        if crowd.nodes > u32::MAX as usize {
            return Err(Error::TooLarge);
        }
        check_points(added.saturating_add(self.points.len() as u64))
    }

    fn push(&mut self, node: Node<N>) {
        let zone = node.zone_arc().and_then(|zone| self.zones.get(zone).copied());
        let zone = zone.unwrap_or_else(|| {
            let zone = self.next_zone;
            self.next_zone = self.next_zone.wrapping_add(1);
            if let Some(name) = node.zone_arc() {
                self.zones.insert(name.clone(), zone);
            }
            zone
        });
        let state = Arc::new(State::new(self.tally.clone()));
        self.members.push(Member { node, zone, state });
    }

    /// Adds the points of one node to those that are there.
    fn insert_points(&mut self, name: &str, weight: u32, number: u32) {
        let mut new = Vec::new();
        self.profile.points_of(name, weight, &self.crowd, |point| new.push(point));
        new.sort_unstable();
        let placed: Vec<(usize, Entry)> = new
            .into_iter()
            .map(|point| (self.place_of(point, name), Entry::new(point.high(), number)))
            .collect();
        self.points.insert(&placed);
    }

    fn remove_points(&mut self, number: u32) {
        let mut highs = Vec::new();
        if let Some(Member { node, .. }) = self.members.get(number as usize) {
            self.profile.points_of(node.name(), node.weight(), &self.crowd, |point| {
                highs.push(point.high());
            });
        }
        highs.sort_unstable();
        self.points.remove(number, &highs);
    }

    /// Before which point one of a new name belongs.
    fn place_of(&self, point: Position, name: &str) -> usize {
        let mut at = self.points.find(point.high());
        while at < self.points.len() && self.points.at(at).high() == point.high() {
            if (self.exact(at), self.name(self.points.at(at).node())) > (point, name) {
                break;
            }
            at += 1;
        }
        at
    }

    /// Sorts the points of the members from `first` on in between the others'. From 0, all anew.
    fn place_points(&mut self, first: usize) {
        let new = self.members.iter().skip(first);
        let new: u64 =
            new.map(|member| self.profile.count(member.node.weight(), &self.crowd)).sum();
        let old = if first == 0 { &[] } else { self.points.as_slice() };
        let mut entries = Vec::with_capacity(old.len() + new as usize);
        entries.extend_from_slice(old);
        for (number, Member { node, .. }) in self.members.iter().enumerate().skip(first) {
            let number = number as u32;
            self.profile.points_of(node.name(), node.weight(), &self.crowd, |point| {
                entries.push(Entry::new(point.high(), number));
            });
        }
        self.points = Points::new(&entries);
        self.order_ties();
        let placed =
            |member: &&Member<N>| self.profile.count(member.node.weight(), &self.crowd) > 0;
        self.placed = self.members.iter().filter(placed).count();
    }
}

fn check_points(points: u64) -> Result<(), Error> {
    if points > u64::from(Ring::<()>::MAX_POINTS) {
        return Err(Error::TooLarge);
    }
    Ok(())
}

impl Crowd {
    fn of<N>(members: &[Member<N>]) -> Self {
        members.iter().fold(Self::default(), |crowd, member| crowd.with(member.node.weight()))
    }

    fn with(self, weight: u32) -> Self {
        Self {
            nodes: self.nodes + 1,
            weight: self.weight + u64::from(weight),
            heaviest: self.heaviest.max(weight),
        }
    }
}
