//! TLS and SASL: keys of Kafka that govern nothing yet.

use crate::config::definition::Kind::{Boolean, Class, Double, Int, List, Long, Password, Short, Text};
use crate::config::definition::Rule::{Any, Between, Min, OneOf, OneOfAnyCase};
use crate::config::definition::{Area, Kind, Rule, Setting};

const fn tls(name: &'static str, kind: Kind, default: Option<&'static str>, rule: Rule) -> Setting {
    Setting::moot(Area::Tls, name, kind, default, rule)
}

const fn sasl(name: &'static str, kind: Kind, default: Option<&'static str>, rule: Rule) -> Setting {
    Setting::moot(Area::Sasl, name, kind, default, rule)
}

/// Keys of TLS.
pub(super) static TLS: &[Setting] = &[
    tls("ssl.allow.dn.changes", Boolean, Some("false"), Any),
    tls("ssl.allow.san.changes", Boolean, Some("false"), Any),
    tls("ssl.cipher.suites", List, Some(""), Any).per_broker(),
    tls("ssl.client.auth", Text, Some("none"), OneOf(&["required", "requested", "none"])).per_broker(),
    tls("ssl.enabled.protocols", List, Some("TLSv1.2,TLSv1.3"), Any).per_broker(),
    tls("ssl.endpoint.identification.algorithm", Text, Some("https"), Any).per_broker(),
    tls("ssl.engine.factory.class", Class, None, Any).per_broker(),
    tls("ssl.key.password", Password, None, Any).per_broker(),
    tls("ssl.keymanager.algorithm", Text, Some("SunX509"), Any).per_broker(),
    tls("ssl.keystore.certificate.chain", Password, None, Any).per_broker(),
    tls("ssl.keystore.key", Password, None, Any).per_broker(),
    tls("ssl.keystore.location", Text, None, Any).per_broker(),
    tls("ssl.keystore.password", Password, None, Any).per_broker(),
    tls("ssl.keystore.type", Text, Some("JKS"), Any).per_broker(),
    tls("ssl.principal.mapping.rules", Text, Some("DEFAULT"), Any),
    tls("ssl.protocol", Text, Some("TLSv1.3"), Any).per_broker(),
    tls("ssl.provider", Text, None, Any).per_broker(),
    tls("ssl.secure.random.implementation", Text, None, Any).per_broker(),
    tls("ssl.trustmanager.algorithm", Text, Some("PKIX"), Any).per_broker(),
    tls("ssl.truststore.certificates", Password, None, Any).per_broker(),
    tls("ssl.truststore.location", Text, None, Any).per_broker(),
    tls("ssl.truststore.password", Password, None, Any).per_broker(),
    tls("ssl.truststore.type", Text, Some("JKS"), Any).per_broker(),
];

/// Keys of SASL and delegation tokens.
pub(super) static SASL: &[Setting] = &[
    sasl("sasl.client.callback.handler.class", Class, None, Any),
    sasl("sasl.enabled.mechanisms", List, Some("GSSAPI"), Any).per_broker(),
    sasl("sasl.jaas.config", Password, None, Any).per_broker(),
    sasl("sasl.kerberos.kinit.cmd", Text, Some("/usr/bin/kinit"), Any).per_broker(),
    sasl("sasl.kerberos.min.time.before.relogin", Long, Some("60000"), Any).per_broker(),
    sasl("sasl.kerberos.principal.to.local.rules", List, Some("DEFAULT"), Any).per_broker(),
    sasl("sasl.kerberos.service.name", Text, None, Any).per_broker(),
    sasl("sasl.kerberos.ticket.renew.jitter", Double, Some("0.05"), Any).per_broker(),
    sasl("sasl.kerberos.ticket.renew.window.factor", Double, Some("0.8"), Any).per_broker(),
    sasl("sasl.login.callback.handler.class", Class, None, Any),
    sasl("sasl.login.class", Class, None, Any),
    sasl("sasl.login.connect.timeout.ms", Int, None, Any),
    sasl("sasl.login.read.timeout.ms", Int, None, Any),
    sasl("sasl.login.refresh.buffer.seconds", Short, Some("300"), Any).per_broker(),
    sasl("sasl.login.refresh.min.period.seconds", Short, Some("60"), Any).per_broker(),
    sasl("sasl.login.refresh.window.factor", Double, Some("0.8"), Any).per_broker(),
    sasl("sasl.login.refresh.window.jitter", Double, Some("0.05"), Any).per_broker(),
    sasl("sasl.login.retry.backoff.max.ms", Long, Some("10000"), Any),
    sasl("sasl.login.retry.backoff.ms", Long, Some("100"), Any),
    sasl("sasl.mechanism.controller.protocol", Text, Some("GSSAPI"), Any),
    sasl("sasl.mechanism.inter.broker.protocol", Text, Some("GSSAPI"), Any).per_broker(),
    sasl("sasl.oauthbearer.assertion.algorithm", Text, Some("RS256"), OneOfAnyCase(&["ES256", "RS256"])),
    sasl("sasl.oauthbearer.assertion.claim.aud", Text, None, Any),
    sasl("sasl.oauthbearer.assertion.claim.exp.seconds", Int, Some("300"), Between(0, 86_400)),
    sasl("sasl.oauthbearer.assertion.claim.iss", Text, None, Any),
    sasl("sasl.oauthbearer.assertion.claim.jti.include", Boolean, Some("false"), Any),
    sasl("sasl.oauthbearer.assertion.claim.nbf.seconds", Int, Some("60"), Between(0, 3600)),
    sasl("sasl.oauthbearer.assertion.claim.sub", Text, None, Any),
    sasl("sasl.oauthbearer.assertion.file", Text, None, Any),
    sasl("sasl.oauthbearer.assertion.private.key.file", Text, None, Any),
    sasl("sasl.oauthbearer.assertion.private.key.passphrase", Password, None, Any),
    sasl("sasl.oauthbearer.assertion.template.file", Text, None, Any),
    sasl("sasl.oauthbearer.client.credentials.client.id", Text, None, Any),
    sasl("sasl.oauthbearer.client.credentials.client.secret", Password, None, Any),
    sasl("sasl.oauthbearer.clock.skew.seconds", Int, Some("30"), Any),
    sasl("sasl.oauthbearer.expected.audience", List, Some(""), Any),
    sasl("sasl.oauthbearer.expected.issuer", Text, None, Any),
    sasl("sasl.oauthbearer.jwks.endpoint.refresh.ms", Long, Some("3600000"), Any),
    sasl("sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms", Long, Some("10000"), Any),
    sasl("sasl.oauthbearer.jwks.endpoint.retry.backoff.ms", Long, Some("100"), Any),
    sasl("sasl.oauthbearer.jwks.endpoint.url", Text, None, Any),
    sasl(
        "sasl.oauthbearer.jwt.retriever.class",
        Class,
        Some("org.apache.kafka.common.security.oauthbearer.DefaultJwtRetriever"),
        Any,
    ),
    sasl(
        "sasl.oauthbearer.jwt.validator.class",
        Class,
        Some("org.apache.kafka.common.security.oauthbearer.DefaultJwtValidator"),
        Any,
    ),
    sasl("sasl.oauthbearer.scope", Text, None, Any),
    sasl("sasl.oauthbearer.scope.claim.name", Text, Some("scope"), Any),
    sasl("sasl.oauthbearer.sub.claim.name", Text, Some("sub"), Any),
    sasl("sasl.oauthbearer.token.endpoint.url", Text, None, Any),
    sasl("sasl.server.callback.handler.class", Class, None, Any),
    sasl("sasl.server.max.receive.size", Int, Some("524288"), Any),
    sasl("delegation.token.expiry.check.interval.ms", Long, Some("3600000"), Min(1)),
    sasl("delegation.token.expiry.time.ms", Long, Some("86400000"), Min(1)),
    sasl("delegation.token.max.lifetime.ms", Long, Some("604800000"), Min(1)),
    sasl("delegation.token.secret.key", Password, None, Any),
    sasl("connections.max.reauth.ms", Long, Some("0"), Any),
    sasl("connection.failed.authentication.delay.ms", Int, Some("100"), Min(0)),
    sasl(
        "security.inter.broker.protocol",
        Text,
        Some("PLAINTEXT"),
        OneOf(&["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]),
    ),
];
