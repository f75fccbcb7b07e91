//! Ways in which a lease backend can be wrong.

use super::super::flaws;

flaws! {
    /// Ways in which a lease backend can be wrong.
    LeaseFlaw {
        /// Gives a turn to create with a stale entry that never was.
        MakesUpStale => a_missing_key_is_to_be_created,
        /// Leaves a lease behind where it served a fresh entry.
        LeasesFresh => a_fresh_entry_is_served,
        /// Serves nothing while somebody creates.
        BusyWhileLeased => a_fresh_entry_is_served_during_a_creation,
        /// Gives the turn to create without the stale entry.
        CreatesWithoutStale => a_stale_entry_comes_with_the_turn,
        /// Gives a second turn to a task that asks three times.
        GivesAtTheThirdAsking => the_others_are_busy,
        /// Waits a while before it says that somebody creates.
        WaitsWhenAsked => asking_never_waits,
        /// Keeps the stale entry from those that wait.
        BusyWithoutStale => a_stale_entry_comes_with_busy,
        /// Takes dead entries for stale.
        ServesDead => a_dead_entry_is_missing,
        /// Looks at no version.
        ServesOtherVersions => another_version_is_missing,
        /// Looks at no `expires`.
        IgnoresExpires => an_entrys_own_expiry_makes_it_stale,
        /// Takes stamps ahead of the clock for the present.
        TrustsTheFuture => an_entry_from_the_future_is_stale,
        /// Looks whether a missing key is leased, and leases it a moment later.
        LooksThenLeases => one_of_many_creates,
        /// Leases after it has read, and does not read again.
        ReadsBeforeTheLease => what_was_just_created_is_not_created_again,
        /// Fills without the version.
        FillsWithoutVersion => fill_stores_the_entry,
        /// Holds the lease after its fill.
        HoldsAfterFill => fill_ends_the_lease,
        /// Lets a former holder fill.
        FillsForFormerHolders => an_overtaken_fill_stores_nothing,
        /// Lets anybody fill.
        FillsForStrangers => a_foreign_fill_stores_nothing,
        /// Lets a holder fill again.
        FillsTwice => a_second_fill_stores_nothing,
        /// Stores a late fill and says that it was lost.
        DeniesLateFills => a_late_fill_is_kept_or_lost,
        /// Holds the lease after a fill that is too large.
        HoldsWhatIsTooLarge => a_fill_that_is_too_large_ends_the_lease,
        /// Fills over a set that came during the creation.
        FillsOverSet => a_fill_after_a_set_stores_nothing,
        /// Fills after a delete that came during the creation.
        FillsOverDelete => a_fill_after_a_delete_stores_nothing,
        /// Deletes a group and not its leases.
        ForgetsLeasesOfGroups => a_fill_after_its_group_was_deleted_stores_nothing,
        /// Voids the lease by a set, and gives it to nobody else.
        BusyAfterSet => a_set_ends_the_lease,
        /// Voids the lease by a delete, and gives it to nobody else.
        BusyAfterDelete => a_delete_ends_the_lease,
        /// Lets leases last half their time.
        EndsEarly => a_lease_lasts_its_time,
        /// Lets leases last whole seconds.
        RoundsLeasesUp => a_lease_has_an_end an_overtaken_fill_stores_nothing a_lost_lease_cannot_extend
            a_lost_lease_cannot_release a_lost_lease_cannot_abandon is_leased_tells_the_holder
            a_dropped_ask_leaves_order,
        /// Lengthens no lease.
        LengthensNothing => extend_lengthens_the_lease,
        /// Lets anybody extend.
        ExtendsForAll => a_lost_lease_cannot_extend,
        /// Releases, and says that the lease was lost.
        DeniesReleases => release_ends_the_lease,
        /// Removes the stale entry with the lease.
        ReleasesTheEntry => release_keeps_the_stale_entry,
        /// Lets anybody release.
        ReleasesForAll => a_lost_lease_cannot_release,
        /// Keeps an abandoned lease for ever.
        KeepsAbandoned => abandon_ends_the_lease,
        /// Lets anybody abandon.
        AbandonsForAll => a_lost_lease_cannot_abandon,
        /// Has 32 tokens.
        WrapsTokens => tokens_are_never_used_again,
        /// Tells of a holder until the next takes the lease.
        RemembersHolders => is_leased_tells_the_holder,
        /// Each handle has its own leases.
        LeasesPerHandle => handles_share_leases,
        /// Has room for 64 holders.
        HoldsSixtyFour => keys_are_independent,
        /// Takes the lease for ever, and sets the end a moment later.
        EndsLater => a_dropped_ask_leaves_order,
        /// Answers many without stale entries.
        ManyWithoutStale => many_answers_in_order,
        /// Looks whether many are leased, and leases them a moment later.
        LooksThenLeasesMany => many_questions_have_one_creator_a_key,
        /// Refuses to answer nothing.
        RefusesNothing => no_questions_no_answers,
        /// Stops filling at a lease that was lost.
        StopsAtLost => fill_many_answers_in_order,
        /// Waits for what nobody creates.
        WaitsForNothing => waiting_for_no_lease_is_no_wait,
        /// Wakes nobody by a fill while one waits.
        FillsInSilence => fill_ends_a_wait,
        /// Wakes nobody by a release while one waits.
        ReleasesInSilence => release_ends_a_wait,
        /// Wakes nobody by a delete.
        DeletesInSilence => delete_ends_a_wait,
        /// Waits past the end of the lease.
        WaitsPastTheLease => a_wait_ends_with_the_lease,
        /// Waits longer than allowed.
        WaitsForEver => a_wait_has_an_end,
        /// Wakes one of those who wait.
        WakesOne => many_waiters_are_all_woken,
        /// Has room for 5,000 waits.
        LeaksWaits => cancelled_waits_leak_nothing,
    }
}
