//! The reasons why the promises matter.

/// Returns the reason why a promise of the suite matters.
pub(super) fn why(promise: &str) -> &'static str {
    match promise {
        "an_absent_record_is_none" => "a record that nobody wrote would be opened as a key or a token",
        "what_was_put_is_read_back" => "a caller whose write succeeded serves the written record",
        "bytes_are_kept_exactly" => "records are sealed: a record with one changed byte does not open",
        "the_largest_record_is_kept" => "a key with many versions is one large record",
        "a_record_over_the_limit_is_refused" => "a record that was cut short does not open",
        "records_are_kept_apart" => "two keys that share a record overwrite each other",
        "expect_absent_refuses_what_exists" => "a new key must not replace an existing one",
        "a_sealed_store_takes_no_writes" => {
            "a vault that moved away would be changed in two stores, and one of the changes would be lost"
        }
        "no_write_is_done_after_the_seal" => {
            "a write that ends after the seal is in no copy, and its caller believes it is"
        }
        "a_stale_revision_is_refused" => "a change based on old data would undo a revocation",
        "a_revision_of_an_absent_record_is_refused" => "a change of a deleted record would bring it back",
        "a_delete_needs_the_right_revision" => "a delete based on old data would remove a newer record",
        "a_revision_is_never_used_again" => "an old writer would mistake a new record for the one that it read",
        "a_refused_write_changes_nothing" => "after the error the caller assumes that nothing changed, and tries again",
        "one_of_many_creators_wins" => "two winners would both own the name",
        "one_of_many_writers_wins" => "two winners would each assume that their change holds",
        "no_update_is_lost" => "a lost revocation leaves a token valid",
        "a_dropped_call_does_no_harm" => {
            "requests are cancelled all the time, and the next caller must not get another answer"
        }
        "many_records_are_read_in_order" => "a list would show the record of one key under the name of another",
        "a_long_read_comes_in_parts" => "a read without a limit takes all memory",
        "many_records_are_written_at_once" => "an import acknowledges each key of a batch",
        "a_batch_is_written_whole_or_not_at_all" => {
            "after the error the caller assumes that nothing changed, and tries again"
        }
        "one_of_many_batches_wins" => "two winners would each assume that their changes hold",
        "a_listing_is_ordered_and_complete" => "a revocation of all tokens must find all of them",
        "a_listing_goes_on_after_an_id" => "long listings are read page by page",
        "a_listing_is_capped" => "a listing without a limit takes all memory",
        "a_listing_is_complete_under_writes" => "a revocation of all tokens must find all of them while others write",
        "collections_never_mix" => "a collection is one tenant's",
        "a_place_of_another_collection_is_refused" => "a listing that continues at another place skips records",
        "each_change_is_in_the_feed" => "a node that misses a change continues to serve a revoked key from its cache",
        "quiet_kinds_are_not_in_the_feed" => {
            "counters change all the time, and would push every other change out of the feed"
        }
        "changes_are_seen_from_another_handle" => "a revocation on one node must reach the others within a second",
        "a_change_that_is_told_can_be_read" => "a node that reads too early caches the old record again",
        "changes_come_in_commit_order" => "a node that has seen a number never looks below it",
        "a_long_feed_is_told_in_pieces" => "a feed without a limit takes all memory",
        "a_gap_is_visible" => "a node that does not know of missed changes trusts its cache",
        "a_feed_that_never_came_so_far_is_a_gap" => "a store that was set back must not look unchanged",
        "waiting_ends_after_a_change" => "a node that waits in vain gets a revocation late",
        "waiting_for_what_has_changed_ends_at_once" => "a node must not wait for a change that came between two calls",
        "reopening_sees_everything" => "a restart that loses a record loses a key or a revocation",
        "revisions_go_on_after_reopening" => "an old writer would mistake a new record for the one that it read",
        "durability_is_as_declared" => "operators judge by it whether an acknowledged revocation can be lost",
        "scrubbing_changes_no_record" => "scrubbing runs after a key was destroyed, while the other keys are in use",
        "a_limit_holds_over_all_handles" => "if each node counts alone, the limit is multiplied by the number of nodes",
        "a_use_is_taken_from_all_buckets_or_none" => "a refused use must not use up another token's limit",
        "a_bucket_refills_with_time" => "otherwise a token that reached its limit once would never work again",
        _ => "callers depend on it",
    }
}

#[cfg(test)]
mod tests {
    use super::why;

    macro_rules! promises {
        ([] $($promise:ident)*) => {
            [$(stringify!($promise)),*]
        };
    }

    #[test]
    fn every_promise_has_a_reason_of_its_own() {
        for promise in crate::__each_promise! { [promises] } {
            assert_ne!(why(promise), why(""), "{promise}");
        }
    }
}
