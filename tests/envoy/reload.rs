//! Dead VMs and replaced configurations.
