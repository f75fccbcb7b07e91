//! The membership of a ring in a form that can be stored: profile and nodes, never points.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Node, Profile, Ring};

#[derive(Serialize)]
struct RingOut<'r, N> {
    profile: Profile,
    nodes: Vec<&'r Node<N>>,
}

#[derive(Deserialize)]
struct RingIn<N> {
    profile: Profile,
    nodes: Vec<Node<N>>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename = "Node")]
struct NodeForm<T, N> {
    name: T,
    #[serde(default = "one")]
    weight: u32,
    #[serde(default = "Option::default")]
    zone: Option<T>,
    payload: N,
}

fn one() -> u32 {
    1
}

/// As its name with the points, such as `"md5-be128/100"`.
impl Serialize for Profile {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Profile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'_, str>::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

impl<N: Serialize> Serialize for Node<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (name, zone) = (self.name(), self.zone());
        NodeForm { name, weight: self.weight(), zone, payload: self.payload() }
            .serialize(serializer)
    }
}

/// Weight and zone may be left out: 1, and none.
impl<'de, N: Deserialize<'de>> Deserialize<'de> for Node<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let form = NodeForm::<String, N>::deserialize(deserializer)?;
        let node = Self::new(form.name, form.payload).with_weight(form.weight);
        Ok(match form.zone {
            Some(zone) => node.with_zone(zone),
            None => node,
        })
    }
}

/// The profile and the nodes in the order of insertion.
impl<N: Serialize> Serialize for Ring<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        RingOut { profile: *self.profile(), nodes: self.iter().collect() }.serialize(serializer)
    }
}

/// Builds the points anew; what [`Ring::extend`] refuses is an error. The epoch is 0, and no node is
/// marked down.
impl<'de, N: Deserialize<'de>> Deserialize<'de> for Ring<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let RingIn { profile, nodes } = RingIn::deserialize(deserializer)?;
        Self::with_nodes(profile, nodes).map_err(D::Error::custom)
    }
}
