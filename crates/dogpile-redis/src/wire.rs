//! Sending commands: counted, grouped by where their keys live, and scripts by their hash.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use dogpile_core::{Error, Result};
use futures_util::future::{Either, join_all};
use redis::{Cmd, Pipeline, Value};

use crate::error::told;
use crate::link::{Link, Resend, runtime, send_gathered};
use crate::script::Script;
use crate::stats::{Counts, add};

/// A command for the part of the servers that has its keys.
#[derive(Debug)]
pub(crate) struct Request {
    part: usize,
    command: Cmd,
    script: Option<&'static Script>,
}

impl Request {
    pub(crate) const fn new(part: usize, command: Cmd) -> Self {
        Self { part, command, script: None }
    }

    pub(crate) const fn script(part: usize, script: &'static Script, command: Cmd) -> Self {
        Self { part, command, script: Some(script) }
    }
}

#[derive(Debug)]
pub(crate) struct Wire {
    pub(crate) link: Arc<dyn Link>,
    pub(crate) counts: Arc<Counts>,
    /// The scripts that were sent whole, by their bits. A server may have forgotten them since, and a
    /// cluster has nodes that were not told.
    told: AtomicU32,
    fields_expire: tokio::sync::OnceCell<bool>,
}

impl Wire {
    pub(crate) fn new(link: Arc<dyn Link>, counts: Arc<Counts>) -> Self {
        Self { link, counts, told: AtomicU32::new(0), fields_expire: tokio::sync::OnceCell::new() }
    }

    /// The command to send: with the source of a script that was not sent before, so that the first
    /// call costs no round trip more than the others.
    fn command<'r>(&self, request: &'r Request) -> Cow<'r, Cmd> {
        match request.script {
            Some(script) if self.told.load(Relaxed) & script.bit == 0 => {
                Cow::Owned(script.with_source(&request.command))
            }
            _ => Cow::Borrowed(&request.command),
        }
    }

    fn answered(&self, request: &Request, reply: &Value) {
        if let Some(script) = request.script
            && self.told.load(Relaxed) & script.bit == 0
            && !matches!(reply, Value::ServerError(_))
        {
            self.told.fetch_or(script.bit, Relaxed);
        }
    }

    pub(crate) fn part_of(&self, key: &[u8]) -> usize {
        self.link.part_of(key)
    }

    /// Whether the server knows `HPEXPIRE`. It is asked once.
    pub(crate) async fn lets_fields_expire(&self) -> Result<bool> {
        let ask = || async {
            let mut cmd = redis::cmd("COMMAND");
            cmd.arg("INFO").arg("HPEXPIRE");
            let reply = self.one(Request::new(0, cmd)).await?;
            Ok(
                matches!(reply, Value::Array(commands) if !matches!(commands[..], [Value::Nil] | [])),
            )
        };
        self.fields_expire.get_or_try_init(ask).await.copied()
    }

    /// The command to publish with, or nothing.
    pub(crate) fn publish(&self) -> &'static str {
        self.link.publish()
    }

    /// The reply to one command.
    pub(crate) fn one(&self, request: Request) -> impl Future<Output = Result<Value>> + Send {
        self.one_as(request, Resend::May)
    }

    pub(crate) fn one_as(
        &self,
        request: Request,
        resend: Resend,
    ) -> impl Future<Output = Result<Value>> + Send {
        add(&self.counts.round_trips, 1);
        let reply = match request.script {
            None => Either::Left(self.send(request.command, resend)),
            // Boxed, so that a plain read carries nothing that is only there for scripts.
            Some(script) => Either::Right(Box::pin(self.scripted(script, request, resend))),
        };
        async move { checked(reply.await?) }
    }

    async fn scripted(
        &self,
        script: &'static Script,
        request: Request,
        resend: Resend,
    ) -> Result<Value> {
        let reply = self.send(self.command(&request).into_owned(), resend).await?;
        self.answered(&request, &reply);
        if !is_unknown_script(&reply) {
            return Ok(reply);
        }
        add(&self.counts.round_trips, 1);
        add(&self.counts.script_reloads, 1);
        self.send(script.with_source(&request.command), resend).await
    }

    fn send(&self, command: Cmd, resend: Resend) -> impl Future<Output = Result<Value>> + Send {
        match self.link.gathers().filter(|_| resend == Resend::May) {
            Some(line) => Either::Left(send_gathered(line, command)),
            None => Either::Right(async move {
                runtime()?;
                self.link.send(command, resend).await
            }),
        }
    }

    /// The replies to many commands, in their order: one round trip to each part, all at once.
    pub(crate) async fn all(&self, requests: &[Request]) -> Vec<Result<Value>> {
        let commands = requests.iter().map(|request| (request.part, self.command(request)));
        let mut replies = self.once(commands).await;
        for (request, reply) in requests.iter().zip(&replies) {
            reply.iter().for_each(|reply| self.answered(request, reply));
        }
        let unknown: Vec<_> = (0..requests.len())
            .filter_map(|at| match (&replies[at], requests[at].script) {
                (Ok(reply), Some(script)) if is_unknown_script(reply) => {
                    Some((at, script.with_source(&requests[at].command)))
                }
                _ => None,
            })
            .collect();
        if !unknown.is_empty() {
            add(&self.counts.script_reloads, 1);
            let again =
                unknown.iter().map(|(at, command)| (requests[*at].part, Cow::Borrowed(command)));
            let answered = self.once(again).await;
            for ((at, _), reply) in unknown.iter().zip(answered) {
                replies[*at] = reply;
            }
        }
        replies.into_iter().map(|reply| reply.and_then(checked)).collect()
    }

    async fn once<'c>(
        &self,
        commands: impl Iterator<Item = (usize, Cow<'c, Cmd>)>,
    ) -> Vec<Result<Value>> {
        let mut parts: BTreeMap<usize, (Vec<usize>, Pipeline)> = BTreeMap::new();
        let mut count = 0;
        for (at, (part, command)) in commands.enumerate() {
            let (places, pipeline) = parts.entry(part).or_default();
            places.push(at);
            pipeline.add_command(command.into_owned());
            count = at + 1;
        }
        if let Err(error) = runtime() {
            return vec![Err(error); count];
        }
        add(&self.counts.round_trips, parts.len());
        let sent = parts.values().map(|(_, pipeline)| self.link.send_many(pipeline, Resend::May));
        let answers = join_all(sent).await;
        let mut replies: Vec<Result<Value>> = (0..count).map(|_| Ok(Value::Nil)).collect();
        for ((places, _), answer) in parts.values().zip(answers) {
            match answer {
                Ok(values) if values.len() == places.len() => {
                    places.iter().zip(values).for_each(|(at, value)| replies[*at] = Ok(value));
                }
                Ok(values) => {
                    let error = miscounted(places.len(), values.len());
                    places.iter().for_each(|at| replies[*at] = Err(error.clone()));
                }
                Err(error) => places.iter().for_each(|at| replies[*at] = Err(error.clone())),
            }
        }
        replies
    }
}

fn is_unknown_script(reply: &Value) -> bool {
    matches!(reply, Value::ServerError(error) if error.code() == "NOSCRIPT")
}

fn checked(reply: Value) -> Result<Value> {
    match reply {
        Value::ServerError(error) => Err(told(error.into())),
        reply => Ok(reply),
    }
}

fn miscounted(sent: usize, answered: usize) -> Error {
    Error::new(
        dogpile_core::ErrorKind::Unavailable,
        format!("{sent} commands were sent, and {answered} replies came"),
    )
}
