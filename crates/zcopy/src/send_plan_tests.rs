use super::*;

#[test]
fn advancing_across_pieces_stops_on_the_first_unsent_byte() {
    let mut plan = SendPlan::new();
    plan.push_bytes(Bytes::from_static(b"abc"));
    plan.push_bytes(Bytes::new());
    plan.push_bytes(Bytes::from_static(b"defg"));
    assert_eq!((plan.total(), plan.pieces().len()), (7, 2));
    plan.advance(3);
    assert_eq!((plan.ahead().0.len(), plan.ahead().1), (1, 0));
    plan.advance(1);
    assert_eq!((plan.ahead().1, plan.remaining()), (1, 3));
    plan.advance(100);
    assert!(plan.is_done() && plan.ahead().0.is_empty());
    plan.clear();
    assert!(plan.is_done() && plan.total() == 0);
}

#[test]
fn a_slow_socket_is_offered_less_and_a_quick_one_more() {
    let mut plan = SendPlan::from(Bytes::from(vec![0; 1 << 20]));
    plan.took(65_536, 65_536);
    assert_eq!(plan.appetite(), 131_072);
    plan.took(131_072, 131_072);
    plan.took(262_144, 262_144);
    assert_eq!(plan.appetite(), APPETITE_MAX);
    plan.took(30_000, 262_144);
    assert_eq!(plan.appetite(), 32_768);
    plan.took(1, 32_768);
    assert_eq!((plan.appetite(), plan.sent()), (APPETITE_MIN, 65_536 + 131_072 + 262_144 + 30_001));
}

#[test]
fn a_clone_knows_nothing_of_the_socket_and_goes_on_at_the_cursor() {
    let mut plan = SendPlan::from(Bytes::from_static(b"eleven byte"));
    plan.advance(4);
    plan.set_cork(Cork::In);
    plan.know_socket(|| SocketKind::KernelTls);
    plan.refused_mut().insert(crate::Route::Sendfile);
    let clone = plan.clone();
    assert_eq!((clone.sent(), clone.ahead().1, clone.total()), (4, 4, 11));
    assert_eq!((clone.cork(), clone.socket()), (Cork::Out, SocketKind::Plain));
    assert!(!clone.refused().contains(crate::Route::Sendfile));
}

#[test]
fn the_next_plan_for_a_socket_is_empty_and_knows_the_socket_alone() {
    let mut plan = SendPlan::from(Bytes::from_static(b"eleven byte"));
    plan.advance(4);
    plan.set_cork(Cork::In);
    plan.know_socket(|| SocketKind::KernelTls);
    plan.refused_mut().insert(crate::Route::Sendfile);
    let mut next = plan.next_to_same_socket();
    next.know_socket(|| unreachable!("it is known"));
    assert_eq!((next.total(), next.sent(), next.cork()), (0, 0, Cork::Out));
    assert_eq!(next.socket(), SocketKind::KernelTls);
    assert!(!next.refused().contains(crate::Route::Sendfile));
}

#[test]
fn a_total_beyond_all_numbers_is_cut_and_can_be_reached() {
    let file = std::sync::Arc::new(std::fs::File::open("/dev/null").expect("/dev/null"));
    let mut plan = SendPlan::new();
    plan.push_bytes(Bytes::from_static(b"header"));
    for _ in 0..2 {
        plan.push_file(FileRange::new(std::sync::Arc::clone(&file), 0, u64::MAX));
    }
    plan.push_bytes(Bytes::from_static(b"trailer"));
    assert_eq!((plan.total(), plan.pieces().len()), (u64::MAX, 2));
    plan.advance(u64::MAX);
    assert!(plan.is_done() && plan.ahead().0.is_empty());
}

#[test]
fn a_finished_plan_keeps_nothing_for_the_next_call() {
    let mut plan = SendPlan::from(Bytes::from_static(b"x"));
    let file = std::sync::Arc::new(std::fs::File::open("/proc/self/exe").expect("a file"));
    let range = FileRange::new(file, 0, 10);
    let map = crate::MappedFile::new(&range, crate::MapAccess::Read).expect("a map");
    *plan.carry_mut() = Carry::Window { route: crate::Route::Mmap, map };
    plan.advance(1);
    assert!(matches!(plan.carry_mut(), Carry::Nothing));
}

#[test]
fn appended_pieces_move_and_leave_the_other_plan_new() {
    let mut plan = SendPlan::new();
    for text in [&b"one"[..], b"two", b"three"] {
        let mut other = SendPlan::from(Bytes::copy_from_slice(text));
        other.advance(2);
        plan.append(&mut other);
        assert!(other.is_done() && other.total() == 0 && other.pieces().is_empty());
    }
    assert_eq!((plan.total(), plan.sent(), plan.pieces().len()), (11, 0, 3));
    plan.advance(4);
    assert_eq!((plan.ahead().0.len(), plan.ahead().1), (2, 1));
}

#[test]
fn three_pieces_need_no_heap() {
    let mut plan = SendPlan::new();
    for _ in 0..INLINE_PIECES {
        plan.push_bytes(Bytes::from_static(b"x"));
    }
    assert!(!plan.pieces.spilled());
}
