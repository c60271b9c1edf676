//! Host interfaces that need the operator's grant.

/// A host interface that a plugin may import only if the operator grants it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grant {
    /// The time of day.
    Clock,
    /// DNS queries.
    Dns,
    /// Files that the sidecar lists.
    Files,
    /// Random octets.
    Random,
    /// A key-value store for the session.
    Store,
}

impl Grant {
    /// All grants.
    pub const ALL: [Self; 5] = [
        Self::Clock,
        Self::Dns,
        Self::Files,
        Self::Random,
        Self::Store,
    ];

    /// The interfaces that every plugin may import, by their names in the contract.
    pub const ALWAYS: [&'static str; 6] =
        ["types", "session", "message", "log", "config", "addresses"];

    /// The name in a sidecar, which is that of the interface in the contract.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Clock => "clock",
            Self::Dns => "dns",
            Self::Files => "files",
            Self::Random => "random",
            Self::Store => "store",
        }
    }

    /// Returns the grant of this name, or `None` if there is none.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|grant| grant.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_contract_imports_the_grants_and_what_every_plugin_may_use() {
        let (_, text) = crate::WIT[3];
        let (_, world) = text.split_once("world imports {").unwrap();
        let (world, _) = world.split_once("\n}").unwrap();
        let lines = world.lines().map(str::trim);
        let mut offered: Vec<_> = lines
            .filter_map(|line| line.strip_prefix("import ")?.strip_suffix(';'))
            .collect();
        let mut named: Vec<_> = Grant::ALL.map(Grant::name).to_vec();
        named.extend(Grant::ALWAYS);
        offered.sort_unstable();
        named.sort_unstable();
        assert_eq!(offered, named);
    }
}
