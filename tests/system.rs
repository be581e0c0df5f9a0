//! The whole system, as its users meet it: images are built from rules, booted in every machine of `machines/`, and
//! spoken to at the prompt. `./meta test` runs this; it needs what the script `meta` sets up.

#[path = "system/account.rs"]
mod account;
#[path = "system/agrees.rs"]
mod agrees;
#[path = "system/boots.rs"]
mod boots;
#[path = "system/cases.rs"]
mod cases;
#[path = "system/cost.rs"]
mod cost;
#[path = "system/faults.rs"]
mod faults;
#[path = "system/guide.rs"]
mod guide;
#[path = "system/host.rs"]
mod host;
#[path = "system/hostile.rs"]
mod hostile;
#[path = "system/hotplug.rs"]
mod hotplug;
#[path = "system/lines.rs"]
mod lines;
#[path = "system/messages.rs"]
mod messages;
#[path = "system/monitor.rs"]
mod monitor;
#[path = "system/probing.rs"]
mod probing;
#[path = "system/prompt.rs"]
mod prompt;
#[path = "system/quiet.rs"]
mod quiet;
#[path = "system/ranges.rs"]
mod ranges;
#[path = "system/rules.rs"]
mod rules;
#[path = "system/same.rs"]
mod same;
#[path = "system/see.rs"]
mod see;
#[path = "system/sides.rs"]
mod sides;
#[path = "system/sweep.rs"]
mod sweep;
#[path = "system/tables.rs"]
mod tables;
#[path = "system/thorough.rs"]
mod thorough;
#[path = "system/uefi.rs"]
mod uefi;
