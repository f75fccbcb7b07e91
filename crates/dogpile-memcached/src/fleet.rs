//! Which server has what.

use std::future::Future;
use std::sync::Arc;

use dogpile_core::{Locator, Result};
use futures_util::future::join_all;

use crate::error::unavailable;
use crate::memcached::is_down;
use crate::server::Server;

/// The servers, and what spreads names over them.
#[derive(Debug)]
pub(crate) struct Fleet {
    servers: Vec<Arc<Server>>,
    /// None where there is one server.
    locator: Option<Arc<dyn Locator>>,
}

/// A server, and the places of its items among all.
pub(crate) type Group<'f> = (&'f Arc<Server>, Vec<usize>);

impl Fleet {
    pub(crate) fn of_one(server: Arc<Server>) -> Self {
        Self { servers: vec![server], locator: None }
    }

    pub(crate) fn new(servers: Vec<Arc<Server>>, locator: Arc<dyn Locator>) -> Self {
        Self { servers, locator: Some(locator) }
    }

    pub(crate) fn servers(&self) -> &[Arc<Server>] {
        &self.servers
    }

    pub(crate) fn first(&self) -> Result<&Arc<Server>> {
        self.servers.first().ok_or_else(|| unavailable("there is no server"))
    }

    /// Connects to all servers, and fails if none can be reached.
    pub(crate) async fn connect(&self) -> Result<()> {
        let mut first = None;
        let mut reached = false;
        for line in join_all(self.servers.iter().map(|server| server.line())).await {
            match line {
                Ok(_) => reached = true,
                Err(error) if is_down(&error) => first = first.or(Some(error)),
                Err(error) => return Err(error),
            }
        }
        match first {
            Some(error) if !reached => Err(error),
            _ => Ok(()),
        }
    }

    /// The server of a name.
    pub(crate) fn server(&self, name: &[u8]) -> Result<&Arc<Server>> {
        let Some(locator) = &self.locator else { return self.first() };
        locator
            .locate(name)
            .and_then(|number| self.servers.get(number))
            .ok_or_else(|| unavailable("the locator knows no server for this key"))
    }

    /// The servers that have some of these names, each with the places of its own.
    pub(crate) fn grouped<'n>(
        &self,
        names: impl ExactSizeIterator<Item = &'n [u8]>,
    ) -> Result<Vec<Group<'_>>> {
        let Some(locator) = &self.locator else {
            let all = (0..names.len()).collect::<Vec<_>>();
            return Ok(if all.is_empty() { Vec::new() } else { vec![(self.first()?, all)] });
        };
        let share = 2 * names.len() / self.servers.len().max(1);
        let mut places: Vec<_> =
            self.servers.iter().map(|_| Vec::with_capacity(share.min(names.len()))).collect();
        for (at, name) in names.enumerate() {
            let number = locator.locate(name).filter(|number| *number < places.len());
            let number =
                number.ok_or_else(|| unavailable("the locator knows no server for this key"))?;
            places[number].push(at);
        }
        let groups = self.servers.iter().zip(places);
        Ok(groups.filter(|(_, places)| !places.is_empty()).collect())
    }
}

/// Runs all of these at the same time, and answers in their order.
pub(crate) async fn at_once<F: Future>(mut calls: Vec<F>) -> Vec<F::Output> {
    match calls.len() {
        1 => match calls.pop() {
            Some(call) => vec![call.await],
            None => Vec::new(),
        },
        _ => join_all(calls).await,
    }
}

/// The answers of the servers in the order of the questions, with `absent` for those of a server that
/// is down while another is not.
pub(crate) fn in_order<T>(
    count: usize,
    groups: &[Group<'_>],
    answers: Vec<Result<Vec<T>>>,
    forgiven: bool,
    absent: impl Fn() -> T,
) -> Result<Vec<T>> {
    let forgiven = forgiven || answers.iter().any(Result::is_ok);
    let mut ordered: Vec<T> = (0..count).map(|_| absent()).collect();
    for ((_, places), answers) in groups.iter().zip(answers) {
        match answers {
            Ok(answers) => {
                for (place, answer) in places.iter().zip(answers) {
                    ordered[*place] = answer;
                }
            }
            Err(error) if forgiven && is_down(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(ordered)
}
