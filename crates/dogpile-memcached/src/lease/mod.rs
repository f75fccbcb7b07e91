//! Leases, kept by the servers.

#[cfg(feature = "classic")]
mod classic;
mod held;
mod hold;
mod stale;
mod token;
mod turn;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use dogpile_core::{
    Answer, Ask, Entry, Error, Held, Key, KeyBuf, Lease, LeaseBackend, Result, SetOptions,
};

pub(crate) use self::held::Held as HeldTurns;
use self::token::{On, Token};
use crate::fleet::{at_once, in_order};
use crate::memcached::{Memcached, WhenDown, is_down};
use crate::server::{Line, Server};
use crate::stats::add;

/// A key to ask for, and its name.
#[derive(Clone, Copy, Debug)]
struct Question<'a> {
    name: &'a [u8],
    ask: &'a Ask<'a>,
}

/// A value to fill in.
#[derive(Clone, Copy, Debug)]
struct Filling<'a> {
    #[cfg_attr(
        not(feature = "classic"),
        expect(dead_code, reason = "only classic locks have keys of their own")
    )]
    key: Key<'a>,
    name: &'a [u8],
    lease: Lease,
    entry: &'a Entry<Bytes>,
}

impl LeaseBackend for Memcached {
    async fn get_or_lease(&self, ask: &Ask<'_>) -> Result<Answer<Bytes>> {
        let name = self.name(ask.key);
        let server = self.fleet.server(&name)?;
        let question = Question { name: &name, ask };
        let asked = async {
            match server.line().await? {
                Line::Meta(connection) => self.ask(server, connection, question).await,
                #[cfg(feature = "classic")]
                Line::Classic(classic) => self.classic_ask(server, &classic, question).await,
            }
        };
        match asked.await {
            Err(error) if is_down(&error) && self.settings.when_down == WhenDown::Miss => {
                Ok(unstored())
            }
            answer => answer,
        }
    }

    async fn get_or_lease_many(&self, asks: &[Ask<'_>]) -> Result<Vec<Answer<Bytes>>> {
        let names: Vec<_> = asks.iter().map(|ask| self.name(ask.key)).collect();
        let groups = self.fleet.grouped(names.iter().map(|name| &**name))?;
        let asked = groups.iter().map(|(server, places)| async {
            let question = |place: &usize| Question { name: &names[*place], ask: &asks[*place] };
            let questions: Vec<_> = places.iter().map(question).collect();
            match server.line().await? {
                Line::Meta(connection) => self.ask_many(server, connection, &questions).await,
                #[cfg(feature = "classic")]
                Line::Classic(classic) => {
                    let mut answers = Vec::with_capacity(questions.len());
                    for question in questions {
                        answers.push(self.classic_ask(server, &classic, question).await?);
                    }
                    Ok(answers)
                }
            }
        });
        let answers = at_once(asked.collect()).await;
        if answers.iter().any(|answer| answer.as_ref().is_err_and(|error| !is_down(error))) {
            // Nobody will hear of what was granted.
            for ((_, places), answers) in groups.iter().zip(&answers) {
                let asks = places.iter().map(|place| &asks[*place]);
                self.abandon_granted(asks.zip(answers.iter().flatten()));
            }
        }
        let misses = self.settings.when_down == WhenDown::Miss;
        in_order(asks.len(), &groups, answers, misses, || match misses {
            true => unstored(),
            false => Answer::Busy { stale: None },
        })
    }

    async fn fill(
        &self,
        key: Key<'_>,
        lease: Lease,
        entry: Entry<Bytes>,
        options: &SetOptions,
    ) -> Result<Held> {
        let held = self.fill_many(&[(key, lease, entry)], options).await?;
        Ok(held.into_iter().next().unwrap_or(Held::Lost))
    }

    async fn fill_many(
        &self,
        fills: &[(Key<'_>, Lease, Entry<Bytes>)],
        options: &SetOptions,
    ) -> Result<Vec<Held>> {
        let names: Vec<_> = fills.iter().map(|(key, ..)| self.name(*key)).collect();
        let groups = self.fleet.grouped(names.iter().map(|name| &**name))?;
        let filled = groups.iter().map(|(server, places)| async {
            let filling = |place: &usize| {
                let (key, lease, entry) = &fills[*place];
                Filling { key: *key, name: &names[*place], lease: *lease, entry }
            };
            let fillings: Vec<_> = places.iter().map(filling).collect();
            self.fill_one_server(server, &fillings, options).await
        });
        let answers = at_once(filled.collect()).await;
        if let Some(error) = answers.iter().find_map(|answer| refusal(answer.as_ref().err()?)) {
            for (key, lease, _) in fills {
                // A lease has an end, and the first error is the one that matters.
                let _ = self.release(*key, *lease).await;
            }
            return Err(error);
        }
        let misses = self.settings.when_down == WhenDown::Miss;
        in_order(fills.len(), &groups, answers, misses, || Held::Lost)
    }

    async fn extend(&self, key: Key<'_>, lease: Lease, lease_for: Duration) -> Result<Held> {
        let name = self.name(key);
        let token = Token::of(lease);
        if token == Token::NONE {
            return Ok(Held::Lost);
        }
        let server = self.fleet.server(&name)?;
        match server.line().await? {
            Line::Meta(connection) if connection.epoch == token.epoch => {
                self.extend_turn(server, connection, &name, token, lease_for).await
            }
            Line::Meta(_) => Ok(Held::Lost),
            #[cfg(feature = "classic")]
            Line::Classic(classic) => self.classic_extend(&classic, key, lease, lease_for).await,
        }
    }

    async fn release(&self, key: Key<'_>, lease: Lease) -> Result<Held> {
        let name = self.name(key);
        let token = Token::of(lease);
        if token == Token::NONE {
            return Ok(Held::Lost);
        }
        let server = self.fleet.server(&name)?;
        match server.line().await? {
            Line::Meta(connection) if connection.epoch == token.epoch => {
                self.release_turn(server, connection, &name, token).await
            }
            Line::Meta(_) => Ok(Held::Lost),
            #[cfg(feature = "classic")]
            Line::Classic(classic) => self.classic_release(&classic, key, lease).await,
        }
    }

    fn abandon(&self, key: Key<'_>, lease: Lease) {
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let (memcached, key) = (self.clone(), KeyBuf::from(key));
            runtime.spawn(async move { memcached.release(key.as_key(), lease).await });
        }
    }

    async fn wait(&self, key: Key<'_>, at_most: Duration) {
        self.wait_for_turn(key, at_most).await;
    }

    async fn is_leased(&self, key: Key<'_>) -> Result<bool> {
        let name = self.name(key);
        let server = self.fleet.server(&name)?;
        match server.line().await? {
            Line::Meta(connection) => self.is_taken(server, connection, &name).await,
            #[cfg(feature = "classic")]
            Line::Classic(classic) => self.classic_is_leased(&classic, key).await,
        }
    }
}

impl Memcached {
    /// Gives the turns back that are among these answers.
    fn abandon_granted<'a>(&self, answers: impl Iterator<Item = (&'a Ask<'a>, &'a Answer<Bytes>)>) {
        for (ask, answer) in answers {
            if let Answer::Create { lease, .. } = answer {
                self.abandon(ask.key, *lease);
            }
        }
    }

    async fn fill_one_server(
        &self,
        server: &Arc<Server>,
        fillings: &[Filling<'_>],
        options: &SetOptions,
    ) -> Result<Vec<Held>> {
        if fillings.iter().all(|filling| Token::of(filling.lease) == Token::NONE) {
            return Ok(vec![Held::Lost; fillings.len()]);
        }
        let held = match server.line().await? {
            Line::Meta(connection) => {
                self.fill_turns(server, connection, fillings, options).await?
            }
            #[cfg(feature = "classic")]
            Line::Classic(classic) => {
                let mut held = Vec::with_capacity(fillings.len());
                for filling in fillings {
                    held.push(self.classic_fill(server, &classic, *filling, options).await?);
                }
                held
            }
        };
        let lost = held.iter().filter(|held| **held == Held::Lost).count();
        add(&server.counts.lost_leases, lost);
        Ok(held)
    }
}

/// The turn of who asks a server that is down: the value is created, and not stored.
fn unstored() -> Answer<Bytes> {
    Answer::Create { lease: Token::NONE.lease(), stale: None }
}

/// An error that is about the question, and not about the server.
fn refusal(error: &Error) -> Option<Error> {
    (!is_down(error)).then(|| error.clone())
}
