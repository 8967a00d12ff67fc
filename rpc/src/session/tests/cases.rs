//! One verdict at a time.

use super::super::{Arrival, Progress, Refused, ReplyCache, Turn, Verdict, Window, Xid};

fn call(xid: Xid, first_incomplete: Xid) -> Arrival {
    Arrival { xid, first_incomplete, fingerprint: xid, turn: None }
}

fn after(xid: Xid, predecessor: Xid) -> Arrival {
    Arrival { turn: Some(Turn { lane: 0, after: predecessor }), ..call(xid, 1) }
}

/// A session of four calls and 100 bytes; `A` is who attached.
fn session() -> ReplyCache<&'static str> {
    ReplyCache::new(4, 100)
}

/// Arrives, where nothing is released or dropped.
fn arrive<'a>(session: &'a mut ReplyCache<&'static str>, arrival: Arrival) -> Result<Verdict<'a>, Refused> {
    let mut progress = Progress::default();
    let verdict = session.arrive(arrival, &mut progress);
    assert_eq!(progress, Progress::default());
    verdict
}

fn finish(session: &mut ReplyCache<&'static str>, xid: Xid, reply: &[u8]) -> (Option<Vec<&'static str>>, Vec<Xid>) {
    let mut progress = Progress::default();
    let attached = session.finish(xid, reply, true, &mut progress);
    (attached, progress.released)
}

#[test]
fn a_call_runs_once_and_its_reply_is_repeated() {
    let mut session = session();
    assert_eq!(arrive(&mut session, call(1, 1)), Ok(Verdict::New));
    assert_eq!(arrive(&mut session, call(1, 1)), Ok(Verdict::InProgress));
    assert_eq!(session.attach(1, "again"), Ok(()));
    assert_eq!(finish(&mut session, 1, b"eight"), (Some(vec!["again"]), vec![]));
    assert_eq!(arrive(&mut session, call(1, 1)), Ok(Verdict::Done(b"eight")));
    assert_eq!(session.attach(1, "late"), Err("late"));
    assert_eq!(finish(&mut session, 1, b"nine"), (None, vec![]), "it has ended");
    assert_eq!(arrive(&mut session, call(1, 1)), Ok(Verdict::Done(b"eight")));
}

#[test]
fn what_is_acknowledged_is_stale_and_forgotten() {
    let mut session = session();
    for xid in 1..=2 {
        assert_eq!(arrive(&mut session, call(xid, 1)), Ok(Verdict::New));
        finish(&mut session, xid, &[0; 40]);
    }
    assert_eq!(session.reply_bytes(), 80);
    assert_eq!(arrive(&mut session, call(3, 2)), Ok(Verdict::New));
    assert_eq!(session.reply_bytes(), 40);
    assert_eq!(arrive(&mut session, call(1, 1)), Err(Refused::Stale { first_incomplete: 2 }));
    assert_eq!(
        arrive(&mut session, call(2, 1)),
        Ok(Verdict::Done(&[0; 40])),
        "an old acknowledgement takes nothing back"
    );
}

#[test]
fn a_call_may_be_as_far_ahead_as_the_window() {
    let mut session = session();
    assert_eq!(arrive(&mut session, call(4, 1)), Ok(Verdict::New));
    assert_eq!(arrive(&mut session, call(5, 1)), Err(Refused::OutOfWindow { end: 5 }));
    assert_eq!(arrive(&mut session, call(Xid::MAX, 1)), Err(Refused::OutOfWindow { end: 5 }));
    assert_eq!(arrive(&mut session, call(5, 2)), Ok(Verdict::New));
    assert_eq!(arrive(&mut session, call(2, 1)), Ok(Verdict::New), "a hole is filled late");
}

#[test]
fn an_xid_stands_for_one_call() {
    let mut session = session();
    assert_eq!(arrive(&mut session, call(1, 1)), Ok(Verdict::New));
    let other = Arrival { fingerprint: 99, ..call(1, 1) };
    assert_eq!(arrive(&mut session, other), Err(Refused::Conflict));
    finish(&mut session, 1, b"");
    assert_eq!(arrive(&mut session, other), Err(Refused::Conflict));
}

#[test]
fn an_acknowledgement_of_what_comes_is_refused_and_changes_nothing() {
    let mut session = session();
    assert_eq!(arrive(&mut session, call(1, 1)), Ok(Verdict::New));
    assert_eq!(arrive(&mut session, call(2, 3)), Err(Refused::BadAcknowledgement));
    assert_eq!(arrive(&mut session, after(2, 2)), Err(Refused::BadAcknowledgement));
    assert_eq!(session.first_incomplete(), 1);
    assert_eq!(arrive(&mut session, call(1, 1)), Ok(Verdict::InProgress));
}

#[test]
fn a_reply_too_large_to_keep_is_not_run_for_again() {
    let mut session = session();
    for xid in 1..=2 {
        assert_eq!(arrive(&mut session, call(xid, 1)), Ok(Verdict::New));
    }
    finish(&mut session, 1, &[0; 60]);
    finish(&mut session, 2, &[0; 60]);
    assert_eq!(session.reply_bytes(), 60);
    assert_eq!(arrive(&mut session, call(2, 1)), Err(Refused::Forgotten));
}

#[test]
fn what_was_abandoned_is_new_again() {
    let mut session = session();
    let mut progress = Progress::default();
    assert_eq!(arrive(&mut session, call(1, 1)), Ok(Verdict::New));
    assert_eq!(session.attach(1, "again"), Ok(()));
    assert_eq!(session.abandon(1, &mut progress), Some(vec!["again"]));
    assert_eq!(session.abandon(1, &mut progress), None);
    assert_eq!(arrive(&mut session, Arrival { fingerprint: 7, ..call(1, 1) }), Ok(Verdict::New));
}

#[test]
fn a_lane_waits_for_its_hole() {
    let mut session = session();
    assert_eq!(arrive(&mut session, after(3, 2)), Ok(Verdict::Held));
    assert_eq!(arrive(&mut session, after(3, 2)), Ok(Verdict::Held), "a copy");
    assert_eq!(arrive(&mut session, after(2, 1)), Ok(Verdict::Held));
    assert_eq!(arrive(&mut session, call(4, 1)), Ok(Verdict::New), "of no lane: held up by nobody");
    assert_eq!(arrive(&mut session, call(1, 1)), Ok(Verdict::New));
    assert_eq!(finish(&mut session, 1, b""), (Some(vec![]), vec![2]));
    assert_eq!(finish(&mut session, 2, b""), (Some(vec![]), vec![3]));
    assert_eq!(finish(&mut session, 3, b""), (Some(vec![]), vec![]));
}

#[test]
fn a_lane_goes_on_behind_what_its_client_gave_up() {
    let mut session = session();
    let mut progress = Progress::default();
    assert_eq!(arrive(&mut session, after(3, 2)), Ok(Verdict::Held));
    session.acknowledge(3, &mut progress);
    assert_eq!(progress, Progress { released: vec![3], ..Progress::default() });
}

#[test]
fn a_lane_waits_for_the_end_of_a_run_that_its_client_gave_up() {
    let mut session = session();
    let mut progress = Progress::default();
    assert_eq!(arrive(&mut session, after(1, 0)), Ok(Verdict::New));
    assert_eq!(arrive(&mut session, after(2, 1)), Ok(Verdict::Held));
    session.acknowledge(2, &mut progress);
    assert_eq!(progress, Progress::default(), "the first still runs");
    assert!(!session.is_idle());
    assert_eq!(finish(&mut session, 1, b""), (Some(vec![]), vec![2]));
    assert_eq!(session.reply_bytes(), 0, "nobody will ask for it");
}

#[test]
fn a_held_call_that_is_acknowledged_never_runs() {
    let mut session = session();
    let mut progress = Progress::default();
    assert_eq!(arrive(&mut session, after(2, 1)), Ok(Verdict::Held));
    session.acknowledge(3, &mut progress);
    assert_eq!(progress, Progress { dropped: vec![2], ..Progress::default() });
    assert!(session.is_idle());
}

#[test]
fn a_lane_waits_for_the_end_of_a_run_also_behind_a_call_that_never_ran() {
    let mut session = session();
    let mut progress = Progress::default();
    assert_eq!(arrive(&mut session, after(1, 0)), Ok(Verdict::New));
    assert_eq!(arrive(&mut session, after(2, 1)), Ok(Verdict::Held));
    assert_eq!(arrive(&mut session, after(3, 2)), Ok(Verdict::Held));
    session.acknowledge(3, &mut progress);
    assert_eq!(progress, Progress { dropped: vec![2], ..Progress::default() });
    assert_eq!(finish(&mut session, 1, b""), (Some(vec![]), vec![3]));
}

/// A session of eight calls, of which 3 and 4 are held, behind 2, behind 1, which are not there yet.
fn with_a_hole() -> (ReplyCache<&'static str>, Progress<&'static str>) {
    let mut session = ReplyCache::new(8, 100);
    for xid in [3, 4] {
        assert_eq!(arrive(&mut session, after(xid, xid - 1)), Ok(Verdict::Held));
    }
    (session, Progress::default())
}

#[test]
fn a_call_that_ends_while_it_is_held_does_not_fill_the_hole() {
    let (mut session, mut progress) = with_a_hole();
    assert_eq!(session.finish(3, b"it ran", true, &mut progress), None, "it cannot have");
    assert_eq!(session.finish(3, b"late", false, &mut progress), Some(vec![]));
    assert_eq!(arrive(&mut session, after(3, 2)), Ok(Verdict::Done(b"late")));
    assert_eq!(arrive(&mut session, after(5, 3)), Ok(Verdict::Held), "behind it is behind the hole");
    assert_eq!(arrive(&mut session, after(1, 0)), Ok(Verdict::New));
    assert_eq!(finish(&mut session, 1, b""), (Some(vec![]), vec![]));
    assert_eq!(arrive(&mut session, after(2, 1)), Ok(Verdict::New));
    assert_eq!(finish(&mut session, 2, b""), (Some(vec![]), vec![4]));
    assert_eq!(progress, Progress::default());
}

#[test]
fn who_names_an_earlier_call_has_given_up_those_between() {
    let (mut session, mut progress) = with_a_hole();
    assert_eq!(session.attach(3, "again"), Ok(()));
    assert_eq!(session.arrive(after(5, 0), &mut progress), Ok(Verdict::New));
    assert_eq!(progress.dropped, [3, 4]);
    assert_eq!(progress.orphaned, ["again"]);
    for xid in 1..=4 {
        assert_eq!(arrive(&mut session, after(xid, 0)), Err(Refused::Overtaken { by: 5 }), "xid {xid}");
    }
    assert_eq!(arrive(&mut session, after(6, 5)), Ok(Verdict::Held));
    assert_eq!(finish(&mut session, 5, b""), (Some(vec![]), vec![6]));
}

#[test]
fn a_copy_of_a_held_call_says_what_it_waits_for_now() {
    let (mut session, mut progress) = with_a_hole();
    assert_eq!(session.arrive(after(4, 1), &mut progress), Ok(Verdict::Held));
    assert_eq!(session.arrive(after(4, 3), &mut progress), Ok(Verdict::Held), "a late copy takes nothing back");
    assert_eq!(progress, Progress::default());
    assert_eq!(session.arrive(after(4, 0), &mut progress), Ok(Verdict::Held));
    assert_eq!(progress, Progress { released: vec![4], dropped: vec![3], orphaned: vec![] });
}

#[test]
fn what_was_abandoned_is_waited_for() {
    let (mut session, mut progress) = with_a_hole();
    assert_eq!(session.abandon(3, &mut progress), Some(vec![]));
    for xid in [1, 2] {
        assert_eq!(arrive(&mut session, after(xid, xid - 1)), Ok(Verdict::New));
        assert_eq!(finish(&mut session, xid, b""), (Some(vec![]), vec![]));
    }
    assert_eq!(arrive(&mut session, after(3, 2)), Ok(Verdict::New));
    assert_eq!(session.abandon(3, &mut progress), Some(vec![]), "its connection was lost before it ran");
    assert_eq!(progress, Progress::default(), "it comes again");
    assert_eq!(arrive(&mut session, after(3, 2)), Ok(Verdict::New));
    assert_eq!(finish(&mut session, 3, b""), (Some(vec![]), vec![4]));
}

#[test]
fn lanes_do_not_wait_for_each_other() {
    let mut session = session();
    let of_another = Arrival { turn: Some(Turn { lane: 1, after: 0 }), ..call(2, 1) };
    assert_eq!(arrive(&mut session, after(1, 0)), Ok(Verdict::New));
    assert_eq!(arrive(&mut session, of_another), Ok(Verdict::New));
    assert_eq!(finish(&mut session, 2, b""), (Some(vec![]), vec![]));
    assert_eq!(arrive(&mut session, after(3, 1)), Ok(Verdict::Held));
}

#[test]
fn who_attached_to_a_run_that_is_acknowledged_is_let_go() {
    let mut session = session();
    let mut progress = Progress::default();
    assert_eq!(arrive(&mut session, call(1, 1)), Ok(Verdict::New));
    assert_eq!(session.attach(1, "again"), Ok(()));
    assert_eq!(session.arrive(call(2, 2), &mut progress), Ok(Verdict::New));
    assert_eq!(progress.orphaned, ["again"]);
    assert_eq!(finish(&mut session, 1, b""), (Some(vec![]), vec![]), "it was handed out");
}

#[test]
fn who_detaches_leaves_nothing() {
    let mut session = session();
    assert_eq!(arrive(&mut session, call(1, 1)), Ok(Verdict::New));
    assert_eq!(session.attach(1, "stays"), Ok(()));
    for _ in 0..1000 {
        assert_eq!(session.attach(1, "leaves"), Ok(()));
        session.detach(1, |who| *who == "leaves");
    }
    assert_eq!(finish(&mut session, 1, b""), (Some(vec!["stays"]), vec![]));
}

#[test]
fn what_was_said_not_to_have_run_is_never_said_to_have() {
    let mut session = session();
    let mut progress = Progress::default();
    for xid in 1..=2 {
        assert_eq!(arrive(&mut session, call(xid, 1)), Ok(Verdict::New));
    }
    finish(&mut session, 1, &[0; 95]);
    assert!(session.finish(2, b"unknown method", false, &mut progress).is_some());
    assert_eq!(arrive(&mut session, call(2, 1)), Ok(Verdict::Done(b"unknown method")));
    assert_eq!(arrive(&mut session, call(3, 1)), Ok(Verdict::New));
    finish(&mut session, 3, b"too much");
    assert_eq!(arrive(&mut session, call(3, 1)), Err(Refused::Forgotten));
}

#[test]
fn what_is_set_aside_is_not_acknowledged() {
    let mut session = session();
    let mut progress = Progress::default();
    // The second has not come.
    for xid in [1, 3, 4] {
        assert_eq!(arrive(&mut session, call(xid, 1)), Ok(Verdict::New));
    }
    assert_eq!(arrive(&mut session, call(5, 1)), Err(Refused::OutOfWindow { end: 5 }));
    session.set_aside(4, &[1, 2], &mut progress).expect("two of four");
    assert_eq!(arrive(&mut session, call(5, 1)), Ok(Verdict::New), "the window goes on");
    assert_eq!(arrive(&mut session, call(3, 1)), Err(Refused::Stale { first_incomplete: 4 }));
    assert_eq!(arrive(&mut session, call(1, 1)), Ok(Verdict::InProgress));
    assert_eq!(session.attach(1, "again"), Ok(()));
    assert_eq!(finish(&mut session, 1, b"one"), (Some(vec!["again"]), vec![]));
    assert_eq!(arrive(&mut session, call(1, 1)), Ok(Verdict::Done(b"one")));
    assert_eq!(arrive(&mut session, Arrival { fingerprint: 9, ..call(1, 1) }), Err(Refused::Conflict));
    assert_eq!(arrive(&mut session, call(2, 1)), Ok(Verdict::New), "late, and for the first time");
    assert_eq!(arrive(&mut session, call(2, 1)), Ok(Verdict::InProgress));

    // An earlier word that comes late takes nothing back; a later one acknowledges what it does not name.
    session.set_aside(2, &[1], &mut progress).expect("one of four");
    assert_eq!(arrive(&mut session, call(2, 1)), Ok(Verdict::InProgress));
    session.set_aside(4, &[2], &mut progress).expect("one of four");
    assert_eq!(arrive(&mut session, call(1, 1)), Err(Refused::Stale { first_incomplete: 4 }));
    assert_eq!(arrive(&mut session, call(6, 4)), Ok(Verdict::New), "whose client has the second, too");
    assert_eq!(arrive(&mut session, call(2, 1)), Err(Refused::Stale { first_incomplete: 4 }));
}

#[test]
fn no_more_is_set_aside_than_the_window_has() {
    let mut session = session();
    let mut progress = Progress::default();
    for (first_incomplete, wanted) in [(9, vec![1, 2, 3, 4]), (9, vec![2, 1]), (9, vec![1, 1]), (2, vec![2])] {
        let refused = session.set_aside(first_incomplete, &wanted, &mut progress);
        assert_eq!(refused, Err(Refused::BadAcknowledgement), "{wanted:?}");
    }
    assert_eq!(session.first_incomplete(), 1);
    session.set_aside(9, &[6, 7, 8], &mut progress).expect("three of four");
    assert_eq!((session.first_incomplete(), session.known()), (9, 3));
}

#[test]
fn a_lane_waits_for_what_was_set_aside() {
    let mut session = session();
    let mut progress = Progress::default();
    assert_eq!(arrive(&mut session, after(1, 0)), Ok(Verdict::New));
    assert_eq!(arrive(&mut session, after(3, 2)), Ok(Verdict::Held));
    session.set_aside(4, &[1, 2, 3], &mut progress).expect("three of four");
    assert_eq!(progress, Progress::default(), "the second has not come");
    assert_eq!(finish(&mut session, 1, b""), (Some(vec![]), vec![]));
    assert_eq!(arrive(&mut session, after(2, 1)), Ok(Verdict::New));
    assert_eq!(finish(&mut session, 2, b""), (Some(vec![]), vec![3]));
}

/// Its client sets a call aside, for ever, and lets others wait for it and gives them up, again and again.
#[test]
fn what_a_lane_has_passed_over_is_forgotten_although_a_call_is_set_aside() {
    let mut session = session();
    let mut progress = Progress::default();
    assert_eq!(session.set_aside(2, &[1], &mut progress), Ok(()));
    for xid in 2..100 {
        assert_eq!(arrive(&mut session, after(xid, 1)), Ok(Verdict::Held));
        assert_eq!(session.finish(xid, b"", false, &mut progress), Some(vec![]));
        if xid > 2 {
            assert_eq!(session.set_aside(xid, &[1, xid - 1], &mut progress), Ok(()));
        }
        assert!(session.detours() <= 2 * session.window(), "{}", session.detours());
    }
    assert_eq!(arrive(&mut session, after(100, 98)), Ok(Verdict::Held), "98 is set aside, and came after 1");
    assert_eq!(
        arrive(&mut session, after(101, 95)),
        Ok(Verdict::Held),
        "95 is acknowledged, and what was before it is not"
    );
    assert_eq!(arrive(&mut session, after(1, 0)), Ok(Verdict::New));
    assert_eq!(finish(&mut session, 1, b""), (Some(vec![]), vec![100]));
    assert_eq!(finish(&mut session, 100, b""), (Some(vec![]), vec![101]));
}

#[test]
fn a_window_made_narrower_sets_no_more_aside_than_it_can_tell() {
    for (wide, narrow) in (2..12).flat_map(|wide| (1..=wide).map(move |narrow| (wide, narrow))) {
        let mut window = Window::new(wide);
        let first = window.open().expect("it is empty");
        let others: Vec<_> = (2..wide).filter_map(|_| window.open()).collect();
        for xid in others {
            window.complete(xid);
        }
        while window.open().is_some() {}
        window.resize(narrow);
        let could_be_told = window.can_be_told();
        window.set_aside();
        assert_eq!(window.can_be_told(), could_be_told, "{wide} to {narrow}: {:?}", window.aside().collect::<Vec<_>>());
        assert!(window.is_outstanding(first));
    }
}
