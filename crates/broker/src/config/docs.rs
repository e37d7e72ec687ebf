//! `docs/settings.md`, made from the tables, so that it cannot be wrong.

use std::fmt::Write;

use super::definition::{Rule, Setting, Standing, Update};
use super::names::variable;
use super::table::{SECTIONS, Section, TOPIC, TopicSetting, is_listed};

const HEAD: &str = "# Settings

Made from the tables in `crates/broker/src/config/table/`; `pagewire docs settings` prints it.

Names, types, defaults and bounds are Kafka's. A value comes from the first of these that has it: `--set KEY=VALUE`,
the environment (`log.segment.bytes` is `PAGEWIRE_LOG_SEGMENT_BYTES`; Pagewire's own keys go without their first word:
`pagewire.transfer.route` is `PAGEWIRE_TRANSFER_ROUTE`), the file of `--config`, the default. Topics' settings are changed
while running by `pagewire topic alter` or Kafka's tools; *dynamic* settings of the broker by Kafka's tools
(`kafka-configs.sh --entity-type brokers`) or any admin client. *Not yet* means: checked, kept and shown, but what it
governs is still to come. Keys of Kafka that govern nothing here are accepted and named once at the start; misspelt
ones are an error. No value is longer than 32,767 bytes.

These defaults are not Kafka's: `listeners` is loopback, not every interface; `log.dir` is `./pagewire-data`, not
`/tmp/kafka-logs`; `node.id` is 1, where Kafka demands one; `socket.send.buffer.bytes` and
`socket.receive.buffer.bytes` are -1, not 102400 ([why](decisions/0010-sockets-and-memory-of-connections.md)).

";

/// The page.
pub fn markdown() -> String {
    let mut page = String::from(HEAD);
    page.push_str(
        "## Settings of a topic\n\n| setting | default | allowed | falls back to | acts | meaning |\n|-|-|-|-|-|-|\n",
    );
    for row in TOPIC.iter().filter(|row| is_listed(&row.setting)) {
        topic_row(&mut page, row);
    }
    for section in SECTIONS {
        broker_section(&mut page, section);
    }
    page
}

fn topic_row(page: &mut String, row: &TopicSetting) {
    let names: Vec<String> = row.broker.iter().map(|(name, _)| format!("`{name}`")).collect();
    let setting = &row.setting;
    // Writing to a String cannot fail.
    let _ = writeln!(
        page,
        "| `{}` | {} | {} | {} | {} | {} |",
        setting.name,
        shown(setting.default),
        allowed(setting),
        names.join(", "),
        acts(setting),
        setting.documentation(),
    );
}

fn broker_section(page: &mut String, section: &Section) {
    let listed = || section.rows.iter().filter(|setting| !setting.internal);
    let _ = write!(page, "\n## {}\n\n", section.title);
    if listed().all(|setting| matches!(setting.standing, Standing::Moot(_))) {
        if let Some(Standing::Moot(area)) = listed().next().map(|setting| setting.standing) {
            let names: Vec<String> = listed().map(|setting| format!("`{}`", setting.name)).collect();
            let _ =
                writeln!(page, "Accepted without effect, because {}: {}.", area.reason(), names.join(", "));
        }
        return;
    }
    page.push_str("| setting | variable | default | allowed | dynamic | acts | meaning |\n|-|-|-|-|-|-|-|\n");
    for setting in listed() {
        let _ = writeln!(
            page,
            "| `{}` | `{}` | {} | {} | {} | {} | {} |",
            setting.name,
            variable(setting.name),
            shown(setting.default),
            allowed(setting),
            match setting.update {
                Update::ReadOnly => "no",
                Update::PerBroker => "per broker",
                Update::ClusterWide => "yes",
            },
            acts(setting),
            setting.documentation(),
        );
    }
}

fn shown(default: Option<&str>) -> String {
    match default {
        None => "unset".to_owned(),
        Some("") => "empty".to_owned(),
        Some("9223372036854775807") => "none".to_owned(),
        Some(text) => format!("`{text}`"),
    }
}

fn allowed(setting: &Setting) -> String {
    let kind = setting.kind.name().to_ascii_lowercase();
    match setting.rule {
        Rule::Any => kind,
        Rule::NotEmpty => format!("{kind}, not empty"),
        Rule::Min(min) => format!("{kind}, at least {min}"),
        Rule::Between(min, max) => format!("{kind}, {min} to {max}"),
        Rule::Fraction(min, max) => format!("{kind}, {min} to {max}"),
        Rule::GzipLevel => format!("{kind}, 1 to 9 or -1"),
        Rule::ThrottledReplicas => format!("{kind} of partition:broker, or `*`"),
        Rule::OffsetReset => "`earliest`, `latest`, `by_duration:PnDTnHnMn.nS`".to_owned(),
        Rule::OneOf(values) | Rule::OneOfAnyCase(values) => {
            values.iter().map(|value| format!("`{value}`")).collect::<Vec<_>>().join(", ")
        }
    }
}

fn acts(setting: &Setting) -> &'static str {
    match setting.standing {
        Standing::Acts => "yes",
        Standing::NotYet => "not yet",
        Standing::Moot(_) => "no",
    }
}
