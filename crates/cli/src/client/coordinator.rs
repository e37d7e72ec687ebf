//! Who coordinates a group or a transactional id, and questions to it.

use std::fmt;

use pagewire_wire::messages::find_coordinator_request::FindCoordinatorRequest;
use pagewire_wire::{ErrorCode, Request, Str};

use super::address::Address;
use super::deadline::{Deadline, Retry};
use super::error::Error;
use super::routing::{Client, Target};
use super::{Node, Result};
use crate::output::complain;

/// From this version on several groups can be asked about at once, and must be.
const SEVERAL_KEYS: i16 = 4;

/// What has a coordinator.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Coordinated<'k> {
    /// A group of consumers.
    Group(&'k str),
    /// What a producer calls itself in its transactions.
    TransactionalId(&'k str),
}

impl Coordinated<'_> {
    fn key(self) -> Str {
        let (Self::Group(key) | Self::TransactionalId(key)) = self;
        Str::from(key.to_owned())
    }

    fn key_type(self) -> i8 {
        match self {
            Self::Group(_) => 0,
            Self::TransactionalId(_) => 1,
        }
    }
}

impl fmt::Display for Coordinated<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Group(group) => write!(f, "group {group}"),
            Self::TransactionalId(id) => write!(f, "transactional id {id}"),
        }
    }
}

impl Client {
    /// The node that coordinates `group`, asked once.
    pub(crate) async fn coordinator_once(&mut self, group: &str, deadline: Deadline) -> Result<i32> {
        self.coordinator_of(Coordinated::Group(group), deadline).await
    }

    async fn coordinator_of(&mut self, of: Coordinated<'_>, deadline: Deadline) -> Result<i32> {
        let key = of.key();
        let answer = self
            .call_once(Target::Any, i16::MAX, deadline, |version| {
                let (key, coordinator_keys) =
                    if version < SEVERAL_KEYS { (key, Vec::new()) } else { (Str::new(), vec![key]) };
                FindCoordinatorRequest { key, coordinator_keys, key_type: of.key_type() }
            })
            .await?;
        let what = || format!("the coordinator of {of}");
        let (id, host, port) = if let Some(found) = answer.coordinators.first() {
            Error::check(found.error_code, found.error_message.as_deref(), what)?;
            (found.node_id, &found.host, found.port)
        } else {
            Error::check(answer.error_code, answer.error_message.as_deref(), what)?;
            (answer.node_id, &answer.host, answer.port)
        };
        let address = Address { host: host.to_string(), port: u16::try_from(port).unwrap_or_default() };
        self.learn(Node { id, address, rack: None });
        Ok(id)
    }

    /// Waits before a group is asked for again, or gives the error back. On a full disk its coordinator can only say that it
    /// is not here: then the disk is named, and it is not tried for long. What takes long is told on standard error, once.
    pub(crate) async fn wait_for_group(&mut self, retry: &mut Retry, error: Error) -> Result<()> {
        let error = self.in_view_of_disks(error).await;
        if retry.should_tell() {
            complain(format_args!("trying again: {error}"));
        }
        retry.after(error).await
    }

    /// Asks the coordinator of `group`, and the next one where it has moved. `code` finds the error of the whole
    /// answer; other errors in it are the caller's to judge.
    pub(crate) async fn call_coordinator<R: Request>(
        &mut self,
        group: &str,
        ceiling: i16,
        build: impl Fn(i16) -> R,
        code: impl Fn(&R::Response) -> i16,
    ) -> Result<R::Response> {
        self.call_coordinator_of(Coordinated::Group(group), ceiling, build, code).await
    }

    /// The same of whatever has a coordinator.
    pub(crate) async fn call_coordinator_of<R: Request>(
        &mut self,
        of: Coordinated<'_>,
        ceiling: i16,
        build: impl Fn(i16) -> R,
        code: impl Fn(&R::Response) -> i16,
    ) -> Result<R::Response> {
        let mut retry = self.retry();
        loop {
            let deadline = retry.deadline();
            let asked = match self.coordinator_of(of, deadline).await {
                Ok(node) => self.call_once(Target::Node(node), ceiling, deadline, &build).await,
                Err(error) => Err(error),
            };
            let error = match asked {
                Ok(answer) if !is_elsewhere(code(&answer)) => return Ok(answer),
                Ok(answer) => Error::Api { what: of.to_string(), code: code(&answer), message: None },
                Err(error) => error,
            };
            self.wait_for_group(&mut retry, error).await?;
        }
    }
}

/// Whether the code says to look for the coordinator again.
pub(crate) fn is_elsewhere(code: i16) -> bool {
    [ErrorCode::NotCoordinator, ErrorCode::CoordinatorNotAvailable, ErrorCode::CoordinatorLoadInProgress]
        .iter()
        .any(|elsewhere| elsewhere.code() == code)
}
