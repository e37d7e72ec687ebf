//! The proof with workers that only play their part: a shell that answers as they would.

use super::*;
use crate::watch::Nobody;

/// Answers what a sender and a receiver would: `uring` is refused, `splice` fails, nothing that was sent changes, and a
/// stream cannot be measured.
const WORKER: &str = r#"
while read -r order; do
  case "$order" in
    *'"congestion"') echo '{"congestion":{"chosen":"cubic","default":"bbr"}}' ;;
    '{"offloads"'*) echo '{"offloads":{"scatter-gather":"on"}}' ;;
    '{"prepare"'*) echo '{"prepared":{"syscalls_counted":false,"pages_from":"written"}}' ;;
    '{"listen"'*) echo '{"listening":9}' ;;
    '{"queue"'*'"uring"'*) echo '{"queued":{"by_way":0,"refusal":"not permitted"}}' ;;
    '{"queue"'*'"splice"'*) echo '{"failed":"no space left on device"}' ;;
    '{"queue"'*) echo '{"queued":{"by_way":65536,"refusal":null}}' ;;
    '{"count"'*) echo '{"counted":0}' ;;
    '{"send"'*|'{"receive"'*) echo '{"failed":"no stream"}' ;;
    *) echo '"done"' ;;
  esac
done
"#;

/// Says stop once so many steps have begun.
struct StopAt {
    steps: usize,
    begun: usize,
}

impl Watch for StopAt {
    fn step(&mut self, _what: &str) {
        self.begun += 1;
    }

    fn is_stopped(&self) -> bool {
        self.begun >= self.steps
    }
}

/// What the workers say up to the beginning of this step.
fn proof(steps: usize) -> Proof {
    let program = Program::new("/bin/sh", ["-c", WORKER]);
    run(&program, Path::new("."), &mut StopAt { steps, begun: 0 }).unwrap()
}

fn line<'p>(proof: &'p Proof, route: &str) -> &'p ProofLine {
    proof.routes.iter().find(|line| line.route == route).unwrap()
}

#[test]
fn a_route_that_fails_is_a_line_that_says_why_and_those_behind_it_are_tried() {
    let ways = Way::all().into_iter().filter(|way| matches!(way, Way::Library(_))).count();
    let proof = proof(ways + 1);
    assert_eq!(proof.routes.len(), ways, "{proof:?}");
    let failed = line(&proof, "splice");
    assert_eq!((failed.available, failed.cpu_copies, &failed.how), (true, None, &None));
    assert!(failed.why.as_ref().unwrap().contains("no space left on device"), "{failed:?}");
    let refused = line(&proof, "uring");
    assert_eq!((refused.available, refused.why.as_deref()), (false, Some("not permitted")));
    let mapped = line(&proof, "mmap");
    assert_eq!((mapped.cpu_copies, mapped.how.as_deref()), (Some(1), Some("aliasing")));
    assert!(proof.claims.is_empty());
}

#[test]
fn every_line_says_where_it_was_made_and_over_what() {
    for line in proof(4).routes {
        let machine = line.machine.unwrap();
        assert_eq!((&*machine.congestion_control, &*machine.congestion_control_default), ("cubic", "bbr"));
        assert_eq!(machine.offloads["scatter-gather"], "on");
    }
}

#[test]
fn what_is_stopped_half_way_is_no_line_and_those_before_it_are() {
    let proof = proof(3);
    let names: Vec<&str> = proof.routes.iter().map(|line| &*line.route).collect();
    assert_eq!(names, ["copy", "sendfile"]);
}

#[test]
fn a_proof_that_is_stopped_before_it_begins_is_empty_and_no_error() {
    let program = Program::new("/nowhere/at/all", ["lab-worker"]);
    let proof = run(&program, Path::new("."), &mut StopAt { steps: 0, begun: 0 }).unwrap();
    assert!(proof.routes.is_empty() && proof.claims.is_empty());
    let error = run(&program, Path::new("."), &mut Nobody).unwrap_err();
    assert!(format!("{error:#}").contains("cannot be started"), "{error:#}");
}
