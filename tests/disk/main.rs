//! Simulated disks: one behaviour per file, and each file's name is the claim.

mod a_crash_leaves_what_it_may;
mod a_crashed_host_writes_nothing;
mod a_disk_fails_as_a_kernels_does;
mod a_machine_of_a_simulation_keeps_its_disk;
mod a_run_with_a_disk_is_the_same_again;
mod fibers_share_a_cursor;
mod names_survive_in_order;
