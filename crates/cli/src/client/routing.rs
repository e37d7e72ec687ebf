//! `Client`: finds the node to ask, keeps a connection to each, asks again while that can help.

use std::collections::HashMap;
use std::io;
use std::time::Duration;

use pagewire_wire::messages::metadata_request::{MetadataRequest, MetadataRequestTopic};
use pagewire_wire::{ErrorCode, Request, Str};

use super::Result;
use super::address::Bootstrap;
use super::cluster::{Cluster, Topic};
use super::connection::Connection;
use super::deadline::{Deadline, Retry};
use super::error::Error;
use super::leaders::Needs;
use crate::output::complain;

/// Time a topic that was just made (perhaps by the question itself) gets to appear.
const APPEARS: Duration = Duration::from_secs(5);

/// Who should answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    /// Whoever we are connected to.
    Any,
    /// The node that takes administrative requests.
    Controller,
    /// This node.
    Node(i32),
}

/// Which topics a question for metadata is about.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Which<'a> {
    /// All of them.
    All,
    /// These, and none is made.
    Named(&'a [&'a str]),
    /// This one, which may be made by asking.
    OrMade(&'a str),
}

/// A client of one cluster.
#[derive(Debug)]
pub(crate) struct Client {
    bootstrap: Bootstrap,
    name: Str,
    timeout: Duration,
    first: Option<Connection>,
    connections: HashMap<i32, Connection>,
    cluster: Cluster,
}

impl Client {
    /// Connects to the first address that answers and learns the cluster's nodes.
    pub(crate) async fn connect(bootstrap: Bootstrap, timeout: Duration) -> Result<Self> {
        let mut client = Self {
            bootstrap,
            name: Str::from_static("pagewire"),
            timeout,
            first: None,
            connections: HashMap::new(),
            cluster: Cluster::default(),
        };
        client.metadata(Which::Named(&[])).await?;
        Ok(client)
    }

    /// The cluster as last heard.
    pub(crate) fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// A deadline for one operation, from now.
    pub(crate) fn deadline(&self) -> Deadline {
        Deadline::after(self.timeout)
    }

    /// Attempts until that deadline.
    pub(crate) fn retry(&self) -> Retry {
        Retry::until(self.deadline())
    }

    /// A connection of the caller's own to a node, for requests that may wait long.
    pub(crate) async fn dedicated(&self, node: i32, deadline: Deadline) -> Result<Connection> {
        let known = self.cluster.nodes.get(&node).ok_or(Error::NoSuchNode(node))?;
        Connection::open(&known.address, &self.name, deadline).await.map_err(|error| match error {
            Error::Io { error, .. } => {
                Error::Unreachable { node, address: known.address.to_string(), reason: error.to_string() }
            }
            other => other,
        })
    }

    /// The connection to `target`, made if need be.
    pub(crate) async fn connection(&mut self, target: Target, deadline: Deadline) -> Result<&mut Connection> {
        match target {
            Target::Node(node) => self.node(node, deadline).await,
            Target::Controller => match self.cluster.controller {
                Some(node) => self.node(node, deadline).await,
                None => self.any(deadline).await,
            },
            Target::Any => self.any(deadline).await,
        }
    }

    async fn node(&mut self, node: i32, deadline: Deadline) -> Result<&mut Connection> {
        let usable = self.connections.remove(&node).filter(Connection::is_usable);
        let connection = match usable {
            Some(connection) => connection,
            None => self.dedicated(node, deadline).await?,
        };
        Ok(self.connections.entry(node).insert_entry(connection).into_mut())
    }

    async fn any(&mut self, deadline: Deadline) -> Result<&mut Connection> {
        let connection = match self.first.take().filter(Connection::is_usable) {
            Some(connection) => connection,
            None => self.bootstrap(deadline).await?,
        };
        Ok(self.first.insert(connection))
    }

    /// The addresses given, then the nodes that were heard of: a long-running client outlives its first broker.
    async fn bootstrap(&self, deadline: Deadline) -> Result<Connection> {
        let mut last = io::Error::from(io::ErrorKind::NotConnected);
        let heard = self.cluster.nodes.values().map(|node| &node.address);
        for address in self.bootstrap.0.iter().chain(heard) {
            match Connection::open(address, &self.name, deadline).await {
                Ok(connection) => return Ok(connection),
                Err(Error::Io { error, .. }) => last = error,
                Err(Error::Timeout { .. }) => last = io::ErrorKind::TimedOut.into(),
                Err(other) => return Err(other),
            }
        }
        if self.cluster.nodes.is_empty() {
            return Err(Error::NoBroker { addresses: self.bootstrap.to_string(), reason: last.to_string() });
        }
        // It was there before, so it may come back.
        Err(Error::io(&self.bootstrap, last))
    }

    /// Asks until there is an answer. Errors inside the answer are the caller's to judge.
    pub(crate) async fn call<R: Request>(
        &mut self,
        target: Target,
        ceiling: i16,
        build: impl Fn(i16) -> R,
    ) -> Result<R::Response> {
        let mut retry = self.retry();
        loop {
            let deadline = retry.deadline();
            let asked = match self.connection(target, deadline).await {
                Ok(connection) => connection.ask(ceiling, deadline, &build).await,
                Err(error) => Err(error),
            };
            match asked {
                Ok(answer) => return Ok(answer),
                Err(error) => retry.after(error).await?,
            }
        }
    }

    /// Asks once, until `deadline`, for those who try again in their own way.
    pub(crate) async fn call_once<R: Request>(
        &mut self,
        target: Target,
        ceiling: i16,
        deadline: Deadline,
        build: impl FnOnce(i16) -> R,
    ) -> Result<R::Response> {
        self.connection(target, deadline).await?.ask(ceiling, deadline, build).await
    }

    /// Learns the cluster's nodes anew, and topics.
    pub(crate) async fn metadata(&mut self, which: Which<'_>) -> Result<Vec<Topic>> {
        let named = |name: &str| MetadataRequestTopic {
            name: Some(Str::from(name.to_owned())),
            ..MetadataRequestTopic::default()
        };
        let topics = match which {
            Which::All => None,
            Which::Named(names) => Some(names.iter().map(|name| named(name)).collect()),
            Which::OrMade(name) => Some(vec![named(name)]),
        };
        let request = MetadataRequest {
            topics,
            allow_auto_topic_creation: matches!(which, Which::OrMade(_)),
            ..MetadataRequest::default()
        };
        let answer = self
            .call(Target::Any, i16::MAX, |version| {
                let mut request = request.clone();
                // Before version 4 the broker alone decides, and the field cannot say otherwise.
                request.allow_auto_topic_creation |= version < 4;
                request
            })
            .await?;
        Error::check(answer.error_code, None, || "the cluster's metadata".to_owned())?;
        self.cluster = Cluster::new(&answer);
        Ok(answer.topics.iter().map(Topic::new).collect())
    }

    /// The topic of this name, waited for while it appears or the partitions that are needed get leaders.
    pub(crate) async fn topic(&mut self, name: &str, make: bool, needs: Needs<'_>) -> Result<Topic> {
        let patience = if make { APPEARS } else { Duration::ZERO };
        let mut unknown = Retry::until(self.deadline().at_most(patience));
        let mut retry = self.retry();
        loop {
            let names = [name];
            let which = if make { Which::OrMade(name) } else { Which::Named(&names) };
            let found = self.metadata(which).await?.into_iter().next();
            let topic = found.ok_or_else(|| Error::NoTopic(name.to_owned()))?;
            if topic.is_unknown() {
                let missing = Error::Api { what: String::new(), code: topic.error, message: None };
                unknown.after(missing).await.map_err(|_| Error::NoTopic(name.to_owned()))?;
                continue;
            }
            let checked = match Error::check(topic.error, None, || format!("topic {name}")) {
                Err(error) if error.code() != Some(ErrorCode::LeaderNotAvailable) => Err(error),
                _ => self.check_leaders(&topic, needs).await,
            };
            let Err(error) = checked else { return Ok(topic) };
            match retry.after(error).await {
                Ok(()) => {}
                Err(error) if error.needs_a_person() && needs.are_met_in_part(&topic) => {
                    complain(format_args!("going on without it: {error}"));
                    return Ok(topic);
                }
                Err(error) if error.code() == Some(ErrorCode::KafkaStorageError) => {
                    return Err(error.explained(self.disk_trouble().await));
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Takes note of a node that an answer named.
    pub(crate) fn learn(&mut self, node: super::Node) {
        self.cluster.nodes.insert(node.id, node);
    }

    /// How long one operation may take.
    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }
}
