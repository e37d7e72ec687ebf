//! What lay between the two ends: one line for each link, because each has its own offloads. Pure.

use pagewire_lab::record::{Link, Machine, RouteCell};

/// In the order in which they were measured.
pub(super) fn of(cells: &[RouteCell]) -> Vec<String> {
    let mut said: Vec<Link> = Vec::new();
    let mut lines = Vec::new();
    for cell in cells {
        if !said.contains(&cell.link) {
            said.push(cell.link);
            lines.push(line(cell.link, &cell.machine));
        }
    }
    lines
}

/// `veth-nosg: cubic (default bbr); scatter-gather off, tx-checksum on`
fn line(link: Link, machine: &Machine) -> String {
    let offloads: Vec<String> =
        machine.offloads.iter().map(|(name, state)| format!("{name} {state}")).collect();
    let offloads = if offloads.is_empty() { "offloads unknown".to_owned() } else { offloads.join(", ") };
    let (chosen, default) = (&machine.congestion_control, &machine.congestion_control_default);
    format!("{}: congestion control {chosen} (default {default}); {offloads}", link.name())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A cell as a program would read it.
    fn cell(link: &str, scatter_gather: Option<&str>) -> RouteCell {
        let spread = serde_json::json!({"min": 1.0, "median": 1.0, "max": 1.0});
        let offloads = scatter_gather
            .map_or(serde_json::json!({}), |state| serde_json::json!({"scatter-gather": state}));
        serde_json::from_value(serde_json::json!({
            "route": "copy", "bytes": 1024, "residency": "hot", "receiver": "drain", "link": link,
            "cpu_s_per_gb": spread, "system_cpu_s_per_gb": spread, "mb_per_s": spread, "cpu_us_per_response": spread,
            "syscalls_per_mib": 1.0, "crossings_per_mib": 2.0, "faults_per_mib": 0.0, "cpu_copies": 2, "measured": false,
            "dma_copies": 0, "by_route": 1.0, "rounds": 1,
            "machine": {
                "kernel": "6.1", "cpu": "a CPU", "cpus": 1, "memory_mib": 1, "congestion_control": "cubic",
                "congestion_control_default": "bbr", "offloads": offloads, "file_system": "ext4", "load": 0.0, "began": "",
            },
        }))
        .unwrap()
    }

    #[test]
    fn each_link_is_told_once_with_its_own_offloads() {
        let cells = [
            cell("loopback", None),
            cell("veth", Some("on")),
            cell("veth", Some("on")),
            cell("veth-nosg", Some("off")),
        ];
        assert_eq!(
            of(&cells),
            [
                "loopback: congestion control cubic (default bbr); offloads unknown",
                "veth: congestion control cubic (default bbr); scatter-gather on",
                "veth-nosg: congestion control cubic (default bbr); scatter-gather off",
            ]
        );
    }
}
