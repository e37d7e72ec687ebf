//! Addresses among the settings: where the broker listens, what clients are told, which addresses have limits of their own.
//!
//! Names are looked up when the broker starts, and never again: that may take long, and what they mean shall not change
//! under a running broker.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;

use super::layers::Layers;
use super::listeners::{self, Endpoint, Listener};
use super::sources::{ConfigError, Origin};
use super::value::items;

/// Host names with their addresses; a name without any was not found.
pub(super) type Hosts = BTreeMap<String, Vec<IpAddr>>;

/// Host and port that clients are told, by the name of the listener.
pub(super) type Advertised = BTreeMap<String, (String, u16)>;

/// What was looked up before. None: it is to be looked up now.
#[derive(Default)]
pub(super) struct Names<'n> {
    pub(super) listeners: Option<&'n [Endpoint]>,
    pub(super) hosts: Option<&'n Hosts>,
}

impl Names<'_> {
    /// Where `listeners` listen.
    pub(super) fn endpoints(
        &self,
        layers: &Layers,
        listeners: &[Listener],
    ) -> Result<Vec<Endpoint>, ConfigError> {
        match self.listeners {
            Some(known) => Ok(known.to_vec()),
            None => listeners.iter().map(|listener| endpoint(layers, listener)).collect(),
        }
    }
}

fn controller_names(layers: &Layers) -> Vec<String> {
    layers.list("controller.listener.names").iter().map(|name| name.to_ascii_uppercase()).collect()
}

/// The listeners for clients.
pub(super) fn broker_listeners(layers: &Layers) -> Result<Vec<Listener>, ConfigError> {
    let refuse = |message: String| layers.wrong("listeners", message);
    let mut listeners = listeners::parse(&layers.list("listeners")).map_err(refuse)?;
    let controllers = controller_names(layers);
    listeners.retain(|listener| !controllers.contains(&listener.name));
    if listeners.is_empty() {
        return Err(refuse("there is no listener for clients".to_owned()));
    }
    let map = layers.text("listener.security.protocol.map").unwrap_or_default();
    let protocols = listeners::parse_protocols(&map)
        .map_err(|message| layers.wrong("listener.security.protocol.map", message))?;
    for listener in &listeners {
        match protocols.get(&listener.name).map(String::as_str) {
            Some("PLAINTEXT") => {}
            Some(protocol) => {
                return Err(refuse(format!("{listener} asks for {protocol}, only PLAINTEXT is served yet")));
            }
            None => {
                return Err(refuse(format!(
                    "no security protocol defined for listener {} in listener.security.protocol.map",
                    listener.name
                )));
            }
        }
    }
    Ok(listeners)
}

/// Looks up a name; addresses and `localhost` need no resolver.
fn endpoint(layers: &Layers, listener: &Listener) -> Result<Endpoint, ConfigError> {
    let host = listener.host.as_str();
    let address = if host.is_empty() {
        SocketAddr::from((Ipv6Addr::UNSPECIFIED, listener.port))
    } else if host.eq_ignore_ascii_case("localhost") {
        SocketAddr::from((Ipv4Addr::LOCALHOST, listener.port))
    } else {
        let found = (host, listener.port).to_socket_addrs();
        found.ok().and_then(|mut all| all.next()).ok_or_else(|| {
            layers.wrong("listeners", format_args!("the host name of {listener} has no address"))
        })?
    };
    Ok(Endpoint { name: Arc::from(listener.name.as_str()), address })
}

/// The entries of `advertised.listeners`, but for those of controllers.
fn advertised_entries(layers: &Layers) -> Result<Vec<Listener>, ConfigError> {
    let refuse = |message: String| layers.wrong("advertised.listeners", message);
    let mut entries = listeners::parse(&layers.list("advertised.listeners")).map_err(refuse)?;
    let controllers = controller_names(layers);
    entries.retain(|entry| !controllers.contains(&entry.name));
    Ok(entries)
}

/// What the clients of each listener are told.
pub(super) fn advertised(layers: &Layers, listeners: &[Listener]) -> Result<Advertised, ConfigError> {
    let refuse = |message: String| layers.wrong("advertised.listeners", message);
    let mut advertised = BTreeMap::new();
    for entry in advertised_entries(layers)? {
        if ["", "0.0.0.0", "::"].contains(&entry.host.as_str()) {
            return Err(refuse(format!("{entry} is no address a client could connect to")));
        }
        if is_outdated(layers, &entry, listeners) {
            continue;
        }
        if !listeners.iter().any(|own| own.name == entry.name) {
            return Err(refuse(format!("{} is not among listeners", entry.name)));
        }
        advertised.insert(entry.name, (entry.host, entry.port));
    }
    Ok(advertised)
}

/// Whether `listeners` were given by a flag or a variable, and what is advertised by the file.
fn listeners_were_moved(layers: &Layers) -> bool {
    let is_file = |name| layers.origin(name).map(|origin| matches!(origin, Origin::File { .. }));
    is_file("advertised.listeners") == Some(true) && is_file("listeners") == Some(false)
}

/// A file that advertises an address of this machine alone means its own listeners. Where others were chosen over the
/// file, nothing listens there: clients are told what they dialled. A name for the outside world stays as it is, as long
/// as there is a listener of its own.
fn is_outdated(layers: &Layers, entry: &Listener, listeners: &[Listener]) -> bool {
    let own = listeners.iter().find(|own| own.name == entry.name);
    let is_served = own.is_some_and(|own| own.port == entry.port || !entry.is_loopback());
    listeners_were_moved(layers) && !is_served
}

/// The limits of single addresses, and the host names among them. `known`: what they were found to be before.
pub(super) fn ip_overrides(
    layers: &Layers,
    known: Option<&Hosts>,
) -> Result<(HashMap<IpAddr, usize>, Hosts), ConfigError> {
    let name = "max.connections.per.ip.overrides";
    let (mut overrides, mut hosts) = (HashMap::new(), Hosts::new());
    for item in items(&layers.text(name).unwrap_or_default()) {
        let refuse = |why| layers.wrong(name, format_args!("{item:?} {why}"));
        let parsed = item.rsplit_once(':').and_then(|(host, count)| Some((host, count.trim().parse().ok()?)));
        let (host, count) =
            parsed.filter(|(host, _)| is_host(host)).ok_or_else(|| refuse("is not HOST:COUNT"))?;
        let host = host.trim().trim_start_matches('[').trim_end_matches(']');
        if let Ok(address) = host.parse::<IpAddr>() {
            overrides.insert(address.to_canonical(), count);
            continue;
        }
        let addresses = match known {
            None => look_up(host),
            Some(known) => known.get(host).cloned().ok_or_else(|| {
                refuse(
                    "is a host name, and names are looked up only when the broker starts: write its address",
                )
            })?,
        };
        overrides.extend(addresses.iter().map(|address| (*address, count)));
        hosts.insert(host.to_owned(), addresses);
    }
    Ok((overrides, hosts))
}

/// The characters of host names and addresses (kafka: Utils.validHostPattern).
fn is_host(text: &str) -> bool {
    let text = text.trim();
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || ".-_%:[]".contains(c))
}

fn look_up(host: &str) -> Vec<IpAddr> {
    (host, 0)
        .to_socket_addrs()
        .map_or_else(|_| Vec::new(), |found| found.map(|address| address.ip().to_canonical()).collect())
}

/// What the user should be told once at the start, of the names that were looked up and of the addresses that clients are told.
pub(super) fn notices(layers: &Layers, hosts: &Hosts, advertised: &Advertised) -> Vec<String> {
    let mut notices = Vec::new();
    let controllers = layers.list("controller.listener.names");
    if !controllers.is_empty() {
        notices.push(format!("the listeners of controllers are not opened: {}", controllers.join(", ")));
    }
    notices.extend(unknown_hosts(hosts));
    if let (true, Some(origin)) = (listeners_were_moved(layers), layers.origin("advertised.listeners")) {
        let entries = advertised_entries(layers).unwrap_or_default();
        notices.extend(entries.iter().map(|entry| {
            if advertised.contains_key(&entry.name) {
                format!("{origin}: clients are told to come to {entry}, wherever this broker listens")
            } else {
                format!("{origin}: {entry} is not told to clients, because the listeners were chosen over the file's")
            }
        }));
    }
    notices
}

/// A notice for each name that has no address.
fn unknown_hosts(hosts: &Hosts) -> impl Iterator<Item = String> {
    hosts.iter().filter(|(_, addresses)| addresses.is_empty()).map(|(host, _)| {
        format!("max.connections.per.ip.overrides: {host} has no address, so its limit is of no effect")
    })
}
