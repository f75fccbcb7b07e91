//! Ways in which a cache that creates can be wrong.

use super::super::flaws;

flaws! {
    /// Ways in which a cache that creates can be wrong.
    ReadThroughFlaw {
        /// Does not tell who created the first value of all.
        DeniesTheFirst => a_missing_key_is_created a_dropped_creator_frees_the_turn,
        /// Stores what was created without its version.
        StoresWithoutVersion => what_was_created_is_stored never_two_creators_at_once,
        /// Creates what is past half of its time.
        CreatesEarly => a_fresh_entry_is_served,
        /// Serves a stale entry to its creator.
        ServesStaleToTheCreator => a_stale_entry_is_created_anew
            an_entry_from_the_future_is_created_anew one_of_many_creates_a_stale_entry,
        /// Serves a dead entry to its creator.
        ServesDeadAsFresh => a_dead_entry_is_created_anew,
        /// Looks at no version.
        ServesOtherVersions => another_version_is_created_anew,
        /// Takes stamps ahead of the clock for the present.
        TrustsTheFuture => an_entry_from_the_future_is_created_anew,
        /// Stores what is not to be stored, if nobody waits for it.
        StoresUnstored => what_is_not_to_be_stored_is_not,
        /// Knows of no creation.
        DeniesCreations => is_creating_tells_the_creator,
        /// Takes every key that a creator asks for for its own.
        SeesReentryEverywhere => a_creator_may_ask_for_another_key,
        /// Lets a creator wait for itself.
        WaitsForItself => a_creator_that_asks_for_its_own_key_is_told,
        /// Lets the sixtieth caller create, too.
        LosesTheSixtieth => one_of_many_creates,
        /// Lets the sixtieth caller of a stale entry create, too.
        LosesTheSixtiethStale => one_of_many_creates_a_stale_entry,
        /// Takes the turn after it has read a stale entry, and does not read again.
        ReadsBeforeTheTurn => what_was_just_created_is_not_created_again,
        /// Hands the turn of a value that lives for less than a second on after 10 ms.
        HandsOnEarly => never_two_creators_at_once,
        /// Serves the stale entry after a while.
        ServesStaleLate => a_stale_entry_is_served_at_once,
        /// Serves dead entries to those who would wait.
        ServesDead => a_dead_entry_is_served_to_nobody,
        /// Serves stale entries to those who do not want them.
        ServesStaleToAll => who_wants_no_stale_entry_waits,
        /// Creates again, for each that waits, what is not stored.
        TellsOnlyWhatIsStored => what_is_not_stored_is_told_to_those_who_wait,
        /// Waits as long as it takes.
        WaitsForEver => waiting_has_an_end a_creator_that_is_not_polled_hangs_nobody,
        /// Takes a creator that is longer at it than its lease for dead.
        HasNoHeartbeat => a_long_creation_keeps_its_turn,
        /// Has room for 64 creations.
        CreatesSixtyFour => keys_are_independent,
        /// Tells an error to the creator only.
        KeepsErrors => a_failure_is_told_to_those_who_wait,
        /// Remembers an error.
        RemembersErrors => a_failure_is_forgotten,
        /// Removes the stale entry when its creator fails.
        RemovesTheStale => a_failure_keeps_the_stale_entry,
        /// Keeps the turn of a creator that panicked.
        KeepsTheTurnOfPanics => a_panic_hangs_nobody,
        /// Tells those who wait for a dropped creator that it failed.
        FailsWithTheCreator => a_dropped_creator_hands_the_turn_on
            many_take_over_from_a_dropped_creator,
        /// Keeps the turn of a creator that was dropped with nobody waiting.
        KeepsTheTurn => a_dropped_creator_frees_the_turn,
        /// Waits twice as long as allowed for a creator that nobody polls.
        WaitsForTheUnpolled => a_creator_that_is_not_polled_hangs_nobody,
        /// Ends the flight if somebody that waits gives up.
        EndsWithAWaiter => a_dropped_waiter_harms_nobody,
        /// Stores over a set that came during the creation.
        StoresOverSet => a_set_during_a_creation_wins,
        /// Stores after a delete that came during the creation.
        StoresOverDelete => a_delete_during_a_creation_wins,
        /// Runs a detached creation for each caller.
        DetachesEach => a_detached_creation_is_served a_detached_creation_outlives_its_caller,
        /// Ends a detached creation with its caller.
        DetachesNothing => a_detached_creation_outlives_its_caller,
        /// Asks to create by the position among what is missing.
        CountsMissing => many_are_answered_in_order many_join_the_creation_of_one
            many_callers_create_each_key_once many_take_over_from_a_dropped_creator,
        /// Calls the creator of many for nothing.
        CreatesNothing => many_fresh_entries_create_nothing,
        /// Creates every one of many that is missing, whoever else does.
        CreatesManyForItself => many_callers_create_each_key_once many_join_the_creation_of_one,
        /// Joins the creations of others' many, and not that of one.
        JoinsOnlyMany => many_join_the_creation_of_one,
        /// Fails a caller of many when another creator gave up.
        GivesUpWithOthers => many_take_over_from_a_dropped_creator,
        /// Fills up missing results with the last.
        FillsUpResults => too_few_results_are_an_error,
        /// Keeps the turns of a creator of many that failed.
        KeepsTheTurnsOfFailures => a_failure_of_many_frees_every_turn,
        /// Keeps the turns of a creator of many that was dropped.
        KeepsTheTurnsOfMany => a_dropped_creator_of_many_frees_every_turn,
    }
}
