//! The rules one by one.

use crate::limits::STREAM_CREDIT_MAX;
use crate::stream::flow::{Violation, cost};
use crate::stream::inbound::{End, Inbound, Taken};
use crate::stream::outbound::{Next, Outbound, Over};

const MAX: usize = 1_000;

#[test]
fn what_is_sent_without_credit_is_refused() {
    let mut inbound = Inbound::new(cost(10) + cost(5), MAX);
    assert_eq!(inbound.receive(&[0; 10], false), Ok(true));
    assert_eq!(inbound.receive(&[0; 6], false), Err(Violation::BeyondCredit));
}

#[test]
fn items_of_a_byte_cost_their_headers() {
    let mut inbound = Inbound::new(1_024, MAX);
    let came = (0..1_024).take_while(|_| inbound.receive(&[0], false).is_ok()).count();
    assert_eq!(came, 1_024 / cost(1));
}

#[test]
fn nothing_comes_after_the_end() {
    for end in [End::Finished, End::Abandoned] {
        let mut inbound = Inbound::new(1_024, MAX);
        assert_eq!(inbound.end(end), Ok(()));
        assert_eq!(inbound.receive(&[0], false), Err(Violation::AfterEnd));
        assert_eq!(inbound.end(End::Finished), Err(Violation::AfterEnd));
    }
}

#[test]
fn an_item_is_finished_before_its_stream() {
    let mut inbound = Inbound::new(1_024, MAX);
    inbound.receive(b"half", true).expect("there is credit");
    assert_eq!(inbound.end(End::Finished), Err(Violation::WithinItem));
    assert_eq!(inbound.end(End::Abandoned), Ok(()));
    let mut item = Vec::new();
    assert_eq!(inbound.take(&mut item), Taken::End(End::Abandoned));
}

#[test]
fn what_came_before_the_end_is_taken_before_it() {
    let mut inbound = Inbound::new(1_024, MAX);
    inbound.receive(b"one", false).expect("there is credit");
    inbound.end(End::Finished).expect("the first");
    let mut item = Vec::new();
    assert_eq!((inbound.take(&mut item), &item[..]), (Taken::Item, &b"one"[..]));
    assert_eq!(inbound.take(&mut item), Taken::End(End::Finished));
}

#[test]
fn an_item_in_pieces_is_no_longer_than_one_frame_may_be() {
    let mut inbound = Inbound::new(100_000, MAX);
    inbound.receive(&[0; MAX], true).expect("just as long");
    // Also if the beginning has been taken.
    inbound.take(&mut Vec::new());
    assert_eq!(inbound.receive(&[0], false), Err(Violation::ItemTooLong));
}

#[test]
fn credit_is_given_by_the_half_window() {
    let mut inbound = Inbound::new(1_000, MAX);
    let mut item = Vec::new();
    let mut grants = Vec::new();
    for _ in 0..100 {
        inbound.receive(&[0; 84], false).expect("there is credit");
        inbound.take(&mut item);
        grants.extend(inbound.grant());
    }
    assert_eq!(grants, [500; 20]);
}

#[test]
fn nobody_gets_credit_for_what_nobody_takes() {
    let mut inbound = Inbound::new(1_000, MAX);
    inbound.receive(&[0; 900], false).expect("there is credit");
    inbound.discard();
    assert_eq!((inbound.take(&mut Vec::new()), inbound.grant()), (Taken::Nothing, None));
    assert_eq!(inbound.receive(&[0; 60], false), Ok(false), "what was under way is dropped");
    assert_eq!(inbound.receive(&[0; 60], false), Err(Violation::BeyondCredit));
}

#[test]
fn pieces_of_two_items_do_not_mix() {
    let mut outbound = Outbound::new(10_000);
    let Next::Piece { len } = outbound.next(50_000, false) else { panic!("there is credit for a piece") };
    outbound.grant(1_000).expect("within the limit");
    assert_eq!(outbound.next(10, false), Next::Wait, "another is on its way");
    outbound.grant(100_000).expect("within the limit");
    assert_eq!(outbound.next(50_000 - len, true), Next::Piece { len: 50_000 - len });
    assert_eq!(outbound.next(10, false), Next::Piece { len: 10 });
}

#[test]
fn a_short_item_is_not_cut() {
    let mut outbound = Outbound::new(10_000);
    assert_eq!(outbound.next(9_000, false), Next::Piece { len: 9_000 });
    assert_eq!(outbound.next(1_000, false), Next::Wait);
    outbound.grant(300).expect("within the limit");
    assert_eq!(outbound.next(1_000, false), Next::Piece { len: 1_000 });
}

#[test]
fn credit_does_not_overflow() {
    let mut outbound = Outbound::new(0);
    assert_eq!(outbound.grant(STREAM_CREDIT_MAX), Ok(()));
    assert_eq!(outbound.grant(256), Err(Violation::TooMuchCredit));
    let mut outbound = Outbound::new(STREAM_CREDIT_MAX as usize);
    assert_eq!(outbound.grant(u32::MAX), Err(Violation::TooMuchCredit));
}

#[test]
fn an_end_is_told_once_and_says_whether_an_item_was_cut() {
    let mut outbound = Outbound::new(10_000);
    outbound.stop();
    assert_eq!(outbound.next(1, false), Next::Over(Over::Stopped));
    assert_eq!((outbound.end(), outbound.end()), (Some(false), None));
    assert_eq!(outbound.next(1, false), Next::Over(Over::Ended));

    let mut outbound = Outbound::new(10_000);
    assert!(matches!(outbound.next(50_000, false), Next::Piece { .. }));
    assert_eq!(outbound.end(), Some(true));
}
