//! redb's databases on simulated disks: one behaviour per file, and each file's name is the claim.

mod a_commit_outlives_crashes;
mod a_creation_that_is_cut_is_begun_anew;
mod support;
